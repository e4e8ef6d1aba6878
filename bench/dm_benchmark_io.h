/* SPDX-License-Identifier: MIT */
/* Sending requests to block devices for a given time, and counting them. */
#ifndef BENCH_DM_BENCHMARK_IO_H
#define BENCH_DM_BENCHMARK_IO_H

#include <mortise-bench.h>

#include "bench/dm_benchmark_worker.h"

/* io_uring if the kernel and this build support it. */
enum bench_engine bench_engine_choose(void);

/*
 * The number of threads on each volume: as many as there are processors. BENCH_THREADS needs one
 * thread per request.
 */
uint32_t bench_count_jobs(enum bench_engine engine, uint32_t depth, uint32_t volumes);

/* MORTISE_E_SYSTEM: a request failed. A job that was stopped early has a tally, too. */
MORTISE_MUST_CHECK enum mortise_code
bench_job_run(const struct bench_job *job, struct bench_tally *tally, struct mortise_error *err);

#endif
