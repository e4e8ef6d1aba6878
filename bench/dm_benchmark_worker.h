/* SPDX-License-Identifier: MIT */
/* One thread that sends requests to one volume and counts them. */
#ifndef BENCH_DM_BENCHMARK_WORKER_H
#define BENCH_DM_BENCHMARK_WORKER_H

#include <stdatomic.h>
#include <stdbool.h>

#include "bench/dm_benchmark_latency.h"
#include "bench/dm_benchmark_meter.h"

#define BENCH_SLICES 8u /* of a measurement; the first is warm-up and is not counted */

enum bench_engine { BENCH_URING, BENCH_THREADS };

struct bench_job {
	enum bench_engine engine;
	const int *fds; /* one per volume, opened with O_DIRECT */
	uint32_t volumes;
	uint64_t size; /* bytes of each volume */
	bool write;
	uint32_t block_size; /* bytes */
	uint32_t depth;	     /* requests in flight on each volume, at most BENCH_DEPTH_MAX */
	uint32_t jobs;	     /* threads on each volume */
	uint64_t duration_ns;
	const struct mortise_events *events; /* canceled: the job ends early */
};

struct bench_tally {
	uint64_t bytes;
	uint64_t duration_ns;
	uint64_t slices[BENCH_SLICES]; /* bytes completed in each */
	struct bench_latency latency;
	struct bench_meter before, after;
	int sys; /* errno of the first request that failed, or 0 */
};

/* A thread with its share of the requests of one volume. */
struct bench_worker {
	const struct bench_job *job;
	int fd;
	uint32_t depth;
	uint8_t *buffers; /* depth buffers, aligned to pages */
	uint64_t random;  /* never 0 */
	uint64_t start_ns;
	const atomic_bool *cancel;
	struct bench_tally tally; /* without the meters */
};

/* The next number of a sequence of random numbers; random is not 0. */
uint64_t bench_next_random(uint64_t random);

/* Chooses the offset of the next request: a random block of the volume. */
uint64_t bench_worker_next_offset(struct bench_worker *worker);

/*
 * Counts a completed request; moved is a number of bytes, or a negative errno value. False if the
 * request failed or the time is over: send no further request.
 */
bool bench_worker_count(struct bench_worker *worker, uint64_t started_ns, long moved);

/* The engine of BENCH_THREADS: one request at a time with pread(2) or pwrite(2). */
void bench_thread_run(struct bench_worker *worker);

#endif
