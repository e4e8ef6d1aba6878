/* SPDX-License-Identifier: MIT */
/* The engine of BENCH_URING: one ring per thread, kept filled with depth requests. */
#ifndef BENCH_DM_BENCHMARK_URING_H
#define BENCH_DM_BENCHMARK_URING_H

#include "bench/dm_benchmark_worker.h"

/* False in a build without liburing, or if this process may not use io_uring. */
bool bench_uring_works(void);

/* Must only be called if bench_uring_works(). */
void bench_uring_run(struct bench_worker *worker);

#endif
