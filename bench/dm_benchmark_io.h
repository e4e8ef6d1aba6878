/* SPDX-License-Identifier: MIT */
/* Keeping block devices busy for a while, and counting. */
#ifndef BENCH_DM_BENCHMARK_IO_H
#define BENCH_DM_BENCHMARK_IO_H

#include <stdatomic.h>

#include "bench/dm_benchmark_latency.h"
#include "bench/dm_benchmark_meter.h"

#define BENCH_VOLUMES_MAX 4u
#define BENCH_DEPTH_MAX	  64u
#define BENCH_SLICES	  8u /* of a measurement; the first warms up and counts for nothing */

enum bench_engine { BENCH_URING, BENCH_THREADS };

struct bench_job {
	enum bench_engine engine;
	const int *fds; /* one a volume, opened with O_DIRECT */
	uint32_t volumes;
	uint64_t size; /* bytes of each volume */
	bool write;
	uint32_t block_size; /* bytes */
	uint32_t depth;	     /* requests under way on each volume, at most BENCH_DEPTH_MAX */
	uint32_t jobs;	     /* threads on each volume */
	uint64_t duration_ns;
	bool (*stop)(void *context); /* NULL: never */
	void *context;
};

struct bench_tally {
	uint64_t bytes;
	uint64_t duration_ns;
	uint64_t slices[BENCH_SLICES]; /* bytes that arrived in each */
	struct bench_latency latency;
	struct bench_meter before, after;
	int sys; /* errno of the first request that failed, or 0 */
};

/* One thread, with a part of the requests of one volume. */
struct bench_worker {
	const struct bench_job *job;
	int fd;
	uint32_t depth;
	uint8_t *buffers; /* depth of them, aligned to pages */
	uint64_t random;  /* never 0 */
	uint64_t start_ns;
	const atomic_bool *cancel;
	struct bench_tally tally; /* but for the meters */
};

/* io_uring where the kernel and this build have it. */
enum bench_engine bench_engine(void);

/* Threads on each volume, as many as the processors allow; threads cannot share one. */
uint32_t bench_jobs(enum bench_engine engine, uint32_t depth, uint32_t volumes);

/* MORTISE_E_SYSTEM: a request failed. A run that was stopped early has a tally too. */
MORTISE_MUST_CHECK enum mortise_code bench_io(const struct bench_job *job,
					      struct bench_tally *tally, struct mortise_error *err);

uint64_t bench_now(void);
/* Where the next request goes: a random block of the volume. */
uint64_t bench_place(struct bench_worker *worker);
/* Counts a request; false when it failed or time is up: no further one is to be made. */
bool bench_done(struct bench_worker *worker, uint64_t started_ns, long moved);

/* The engines: what a thread does until its time is up. */
void bench_uring(struct bench_worker *worker);
bool bench_uring_works(void);
void bench_thread(struct bench_worker *worker);

#endif
