/* SPDX-License-Identifier: MIT */
/* What the benchmarks share: a clock, samples, and the loop that repeats a measurement. */
#ifndef BENCH_BENCHMARK_H
#define BENCH_BENCHMARK_H

#include <mortise-bench.h>

/* Nanoseconds of a clock that nobody sets. */
uint64_t benchmark_now(void);
/* Nanoseconds of processor time, all threads. */
uint64_t benchmark_cpu_now(void);
/* Milliseconds since a value of benchmark_now(). */
double benchmark_ms_since(uint64_t start);

struct benchmark_samples {
	unsigned count;
	double values[MORTISE_BENCHMARK_RUNS_MAX];
};

/* Beyond MORTISE_BENCHMARK_RUNS_MAX, samples are not taken. */
void benchmark_samples_add(struct benchmark_samples *samples, double value);
/* Sorts the samples. */
void benchmark_samples_spread(struct benchmark_samples *samples, struct mortise_spread *spread);

/* Repeats until there are runs enough, or the time is over. */
struct benchmark_loop {
	struct mortise_benchmark how;
	uint64_t start;
	uint64_t last;		/* when the latest run began */
	unsigned runs;		/* begun */
};

/* how NULL: all defaults. MORTISE_E_USAGE: its struct_size. */
MORTISE_MUST_CHECK enum mortise_code benchmark_loop_begin(struct benchmark_loop *loop,
							  const struct mortise_benchmark *how,
							  struct mortise_error *err);
/* Shall there be a run (another one)? The first is never refused. */
bool benchmark_loop_next(struct benchmark_loop *loop, const char *step);

/* Steps of an operation while they are measured; step numbers are the caller's. */
struct benchmark_recorder {
	struct benchmark_samples total;
	struct benchmark_samples steps[MORTISE_BENCHMARK_STEPS_MAX];
};

/* The time from *mark to now is a sample of step; *mark moves on to now. */
void benchmark_step_done(struct benchmark_recorder *recorder, unsigned step, uint64_t *mark);
void benchmark_recorder_finish(struct benchmark_recorder *recorder, const char *const *names,
			       unsigned count, struct mortise_benchmark_steps *steps);

/* The order in which Argon2 visits memory. */
struct benchmark_walk {
	uint32_t blocks;	/* of 1 KiB, at least 8 * lanes */
	uint32_t passes;
	uint32_t lanes;
	uint32_t threads;	/* 1..lanes */
	bool independent;	/* addresses known ahead all the time (Argon2i), not for the first half
				 * of the first pass only (Argon2id) */
};

/*
 * Walks over memory of its own in that order: each block written from the block before it and
 * one that is chosen as in RFC 9106, section 3.4, by what was read just before. *ms and
 * *first_pass_ms take mapping and unmapping in. MORTISE_E_MEMORY, MORTISE_E_SYSTEM.
 */
MORTISE_MUST_CHECK enum mortise_code benchmark_walk(const struct benchmark_walk *walk, double *ms,
						    double *first_pass_ms,
						    struct mortise_error *err);

#endif
