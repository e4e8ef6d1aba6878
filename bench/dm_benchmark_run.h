/* SPDX-License-Identifier: MIT */
/* The state of a run: its results, its warnings, and the time that is left. */
#ifndef BENCH_DM_BENCHMARK_RUN_H
#define BENCH_DM_BENCHMARK_RUN_H

#include "bench/dm_benchmark_advice.h"
#include "bench/dm_benchmark_meter.h"
#include "bench/dm_benchmark_worker.h"

#define BENCH_WARNINGS_MAX 32u
#define BENCH_WARNING_ROOM 512u

/* The strings of a measurement. */
struct bench_strings {
	char cipher[MORTISE_CIPHER_MAX + 1];
	char driver[BENCH_DRIVER_MAX];
};

struct mortise_dm_benchmark {
	struct mortise_dm_benchmark_options options;
	struct dm_control *control;
	enum bench_engine engine;
	enum mortise_dm_backing backing; /* the one that is being measured */
	uint64_t end_ns;		 /* of the backing device's share of the time */
	size_t total;			 /* planned measurements */
	size_t done;			 /* including the skipped ones */
	size_t backing_done;		 /* value of done after the backing device */
	bool stopped;
	bool late; /* the backing device's share of the time is over */
	struct bench_results results;
	struct bench_strings *strings; /* one per measurement */
	char warnings[BENCH_WARNINGS_MAX][BENCH_WARNING_ROOM];
	size_t warning_count;
	bool advised;
	struct mortise_dm_advice advice;
	char reason[BENCH_REASON_MAX];
};

/* Adds a warning, unless the same text was added before. */
__attribute__((format(printf, 2, 3))) void bench_warn(struct mortise_dm_benchmark *b,
						      const char *format, ...);

/* Asks the caller's callback. Adds a warning once the run is stopped. */
bool bench_is_stopped(struct mortise_dm_benchmark *b);
/* Is the run stopped, or the backing device's share of the time over? Adds a warning once. */
bool bench_is_over(struct mortise_dm_benchmark *b);

/* Adds a measurement, with copies of its strings. */
MORTISE_MUST_CHECK enum mortise_code bench_add_result(struct mortise_dm_benchmark *b,
						      const struct mortise_dm_measurement *m,
						      const char *driver,
						      struct mortise_error *err);

#endif
