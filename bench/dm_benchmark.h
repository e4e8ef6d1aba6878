/* SPDX-License-Identifier: MIT */
/* A run on its way: what it has found, and how long it may still take. */
#ifndef BENCH_DM_BENCHMARK_H
#define BENCH_DM_BENCHMARK_H

#include "bench/dm_benchmark_plan.h"

#define BENCH_WARNINGS_MAX 32u
#define BENCH_WARNING_ROOM 512u

/* What a measurement's strings point into. */
struct bench_strings {
	char cipher[MORTISE_CIPHER_MAX + 1];
	char driver[BENCH_DRIVER_MAX];
};

struct mortise_dm_benchmark {
	struct mortise_dm_benchmark_options options;
	struct dm_control *control;
	enum bench_engine engine;
	enum mortise_dm_backing ground; /* the one that has its turn */
	uint64_t end_ns;	       /* of this turn */
	size_t total;		       /* measurements, as far as planned */
	size_t done;		       /* with those that were passed over */
	size_t turn;		       /* done at the end of this turn */
	bool stopped;
	bool late; /* this turn is over */
	struct bench_results results;
	struct bench_strings *strings; /* one a measurement */
	char warnings[BENCH_WARNINGS_MAX][BENCH_WARNING_ROOM];
	size_t warning_count;
	bool advised;
	struct mortise_dm_advice advice;
	char reason[BENCH_REASON_MAX];
};

/* Adds a sentence, unless it is there already. */
__attribute__((format(printf, 2, 3))) void bench_warn(struct mortise_dm_benchmark *b,
						      const char *format, ...);
/* Has somebody asked to stop, or is the time of this turn up? Says so in a warning, once. */
bool bench_over(struct mortise_dm_benchmark *b);

/*
 * Makes the measurements of a plan from number from on; those that this kernel cannot make are
 * passed over.
 */
MORTISE_MUST_CHECK enum mortise_code bench_measure(struct mortise_dm_benchmark *b,
						   const struct bench_ground *ground,
						   const struct bench_plan *plan, size_t from,
						   struct mortise_error *err);

#endif
