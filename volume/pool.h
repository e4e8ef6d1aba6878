/* SPDX-License-Identifier: MIT */
/* Threads that work on the slices of a buffer: one job in the foreground, one in the background. */
#ifndef VOLUME_POOL_H
#define VOLUME_POOL_H

#include <mortise.h>

#define POOL_SLICE (512u << 10) /* bytes that a thread takes at a time */
#define POOL_MAX   16u		/* threads, including the caller's */

struct pool_job {
	/* Works on size bytes at byte at. worker: less than pool_workers(). */
	enum mortise_code (*slice)(struct pool_job *job, unsigned worker, size_t at, size_t size,
				   struct mortise_error *err);
	size_t size; /* bytes of all slices */
	/* Set by the pool. */
	size_t next;
	unsigned running;
	enum mortise_code code;
	struct mortise_error err; /* the first one */
};

struct pool;

/* Starts the threads for data of size bytes; fewer, down to none, if the system refuses some. */
MORTISE_MUST_CHECK enum mortise_code pool_new(uint64_t size, struct pool **out,
					      struct mortise_error *err);
/* No job may be running. NULL is allowed. */
void pool_free(struct pool *pool);

/* The threads, including the caller's, which is worker 0. */
unsigned pool_workers(const struct pool *pool);

/* Does a whole job, before the rest of the one in the background. */
MORTISE_MUST_CHECK enum mortise_code pool_run(struct pool *pool, struct pool_job *job,
					      struct mortise_error *err);

/* Begins a job in the background, which ends with pool_wait(). Without threads, it is done now. */
void pool_start(struct pool *pool, struct pool_job *job);

/* Does the rest of the job in the background. drop: leaves out slices that have not begun. */
MORTISE_MUST_CHECK enum mortise_code pool_wait(struct pool *pool, bool drop,
					       struct mortise_error *err);

#endif
