/* SPDX-License-Identifier: MIT */
/* Recommending a configuration from measurements. */
#ifndef BENCH_DM_BENCHMARK_ADVICE_H
#define BENCH_DM_BENCHMARK_ADVICE_H

#include <mortise-bench.h>

#include "bench/dm_benchmark_plan.h"

/* The measurements, in the order in which they were made. */
struct bench_results {
	struct mortise_dm_measurement *list;
	size_t count;
};

/*
 * Chooses cipher, key size and sector size from the measurements on one backing device, among the
 * ciphers that a configuration can name. False: none of them was measured there.
 */
bool bench_choose_cipher(const struct bench_results *results, enum mortise_dm_backing backing,
			 struct bench_cipher *cipher, uint32_t *sector_size);

#define BENCH_REASON_MAX 640u

/*
 * Fills *advice from the measurements on the most realistic backing device. advice->reason points
 * to reason.
 */
bool bench_advise(const struct bench_results *results, struct mortise_dm_advice *advice,
		  char reason[static BENCH_REASON_MAX]);

#endif
