/* SPDX-License-Identifier: MIT */
/* Shared by the benchmarks: samples, and the loop that repeats a measurement. */
#ifndef BENCH_BENCHMARK_H
#define BENCH_BENCHMARK_H

#include <mortise-bench.h>

/* Processor time of all threads, in nanoseconds. */
uint64_t benchmark_cpu_now_ns(void);
/* Milliseconds since a value of clock_now_ns(). */
double benchmark_ms_since(uint64_t start);

struct benchmark_samples {
	unsigned count;
	double values[MORTISE_BENCHMARK_RUNS_MAX];
};

/* Drops the value if there are MORTISE_BENCHMARK_RUNS_MAX samples. */
void benchmark_samples_add(struct benchmark_samples *samples, double value);
/* Sorts the samples. */
void benchmark_samples_spread(struct benchmark_samples *samples, struct mortise_spread *spread);

/* Repeats a measurement until there are enough runs, or the time is over. */
struct benchmark_loop {
	struct mortise_benchmark how;
	uint64_t start;
	uint64_t last;		/* start of the last run */
	unsigned runs;		/* started so far */
};

/* how NULL: all defaults. MORTISE_E_USAGE: its struct_size. */
MORTISE_MUST_CHECK enum mortise_code benchmark_loop_begin(struct benchmark_loop *loop,
							  const struct mortise_benchmark *how,
							  struct mortise_error *err);
/* Starts the next run; false to end the loop. The first run is always started. */
bool benchmark_loop_next(struct benchmark_loop *loop, const char *step);

/* The code of a run: a canceled one does not spoil those before it. */
enum mortise_code benchmark_loop_end(const struct benchmark_loop *loop, enum mortise_code code);

/* Collects the times of an operation's steps; the caller numbers the steps. */
struct benchmark_recorder {
	struct benchmark_samples total;
	struct benchmark_samples steps[MORTISE_BENCHMARK_STEPS_MAX];
};

/* Adds the time since *mark as a sample of step, and sets *mark to now. */
void benchmark_step_done(struct benchmark_recorder *recorder, unsigned step, uint64_t *mark);
void benchmark_recorder_finish(struct benchmark_recorder *recorder, const char *const *names,
			       unsigned count, struct mortise_benchmark_steps *steps);

/* The order in which Argon2 visits memory. */
struct benchmark_walk {
	uint32_t blocks;	/* of 1 KiB, at least 8 * lanes */
	uint32_t passes;
	uint32_t lanes;
	uint32_t threads;	/* 1..lanes */
	const struct mortise_events *events;
	bool independent;	/* all addresses are known ahead (Argon2i), not only those in the first
				 * half of the first pass (Argon2id) */
};

/*
 * Allocates memory and visits it in that order: writes each block from the previous block and from
 * a reference block, which is chosen as in RFC 9106, section 3.4, by the data that was just read.
 * *ms and *first_pass_ms include mapping the memory, *ms also unmapping it. MORTISE_E_MEMORY,
 * MORTISE_E_SYSTEM.
 */
MORTISE_MUST_CHECK enum mortise_code benchmark_walk(const struct benchmark_walk *walk, double *ms,
						    double *first_pass_ms,
						    struct mortise_error *err);

#endif
