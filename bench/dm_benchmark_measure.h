/* SPDX-License-Identifier: MIT */
/* Making the measurements of a plan. */
#ifndef BENCH_DM_BENCHMARK_MEASURE_H
#define BENCH_DM_BENCHMARK_MEASURE_H

#include "bench/dm_benchmark_backing.h"
#include "bench/dm_benchmark_plan.h"
#include "bench/dm_benchmark_run.h"

/*
 * Makes the measurements of a plan, beginning with number from, until the run is over. Skips those
 * that this kernel does not support.
 */
MORTISE_MUST_CHECK enum mortise_code bench_measure_plan(struct mortise_dm_benchmark *b,
							const struct bench_backing *backing,
							const struct bench_plan *plan, size_t from,
							struct mortise_error *err);

#endif
