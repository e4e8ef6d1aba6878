/* SPDX-License-Identifier: MIT */
#include "volume/pool.h"

#include <pthread.h>
#include <signal.h>
#include <stdlib.h>

#include "base/error.h"
#include "base/machine.h"

/* Each processor has a thread that computes, and one that waits for the device. */
#define THREADS_PER_CPU 2u

struct worker {
	struct pool *pool;
	unsigned number;
	pthread_t thread;
};

struct pool {
	pthread_mutex_t lock;
	pthread_cond_t begun, done;
	struct pool_job *foreground, *background; /* NULL: none */
	bool ended;
	unsigned workers;
	struct worker worker[POOL_MAX]; /* the first one is the caller */
};

/* Called with the lock, which it releases meanwhile. */
static void take_slice(struct pool *pool, struct pool_job *job, unsigned worker)
{
	const size_t at = job->next, left = job->size - at;
	const size_t size = left < POOL_SLICE ? left : POOL_SLICE;
	struct mortise_error err = { 0 };
	enum mortise_code code;

	job->next += size;
	job->running++;
	pthread_mutex_unlock(&pool->lock);
	code = job->slice(job, worker, at, size, &err);
	pthread_mutex_lock(&pool->lock);
	job->running--;
	if (code) {
		if (!job->code)
			job->err = err;
		job->code = job->code ? job->code : code;
		job->next = job->size;
	}
	if (!job->running && job->next == job->size)
		pthread_cond_broadcast(&pool->done);
}

static bool has_slice(const struct pool_job *job)
{
	return job && job->next < job->size;
}

static void *work(void *argument)
{
	const struct worker *worker = argument;
	struct pool *pool = worker->pool;

	pthread_mutex_lock(&pool->lock);
	while (!pool->ended) {
		if (has_slice(pool->foreground))
			take_slice(pool, pool->foreground, worker->number);
		else if (has_slice(pool->background))
			take_slice(pool, pool->background, worker->number);
		else
			pthread_cond_wait(&pool->begun, &pool->lock);
	}
	pthread_mutex_unlock(&pool->lock);
	return NULL;
}

/* Called with the lock. */
static void begin(struct pool *pool, struct pool_job **place, struct pool_job *job)
{
	job->next = 0;
	job->running = 0;
	job->code = MORTISE_OK;
	*place = job;
	pthread_cond_broadcast(&pool->begun);
}

/* Called with the lock. */
static enum mortise_code finish(struct pool *pool, struct pool_job **place,
				struct mortise_error *err)
{
	struct pool_job *job = *place;

	while (has_slice(job))
		take_slice(pool, job, 0);
	while (job->running)
		pthread_cond_wait(&pool->done, &pool->lock);
	*place = NULL;
	if (job->code && err)
		*err = job->err;
	return job->code;
}

enum mortise_code pool_run(struct pool *pool, struct pool_job *job, struct mortise_error *err)
{
	enum mortise_code code;

	pthread_mutex_lock(&pool->lock);
	begin(pool, &pool->foreground, job);
	code = finish(pool, &pool->foreground, err);
	pthread_mutex_unlock(&pool->lock);
	return code;
}

void pool_start(struct pool *pool, struct pool_job *job)
{
	pthread_mutex_lock(&pool->lock);
	begin(pool, &pool->background, job);
	while (pool->workers == 1 && has_slice(job))
		take_slice(pool, job, 0);
	pthread_mutex_unlock(&pool->lock);
}

enum mortise_code pool_wait(struct pool *pool, bool drop, struct mortise_error *err)
{
	enum mortise_code code;

	pthread_mutex_lock(&pool->lock);
	if (drop)
		pool->background->next = pool->background->size;
	code = finish(pool, &pool->background, err);
	pthread_mutex_unlock(&pool->lock);
	return code;
}

unsigned pool_workers(const struct pool *pool)
{
	return pool->workers;
}

enum mortise_code pool_new(uint64_t size, struct pool **out, struct mortise_error *err)
{
	const uint64_t slices = (size + POOL_SLICE - 1) / POOL_SLICE;
	unsigned wanted = machine_cpus();
	struct pool *pool = calloc(1, sizeof(*pool));
	sigset_t every, before;

	*out = pool;
	if (!pool)
		return error_memory(err);
	wanted = wanted < POOL_MAX / THREADS_PER_CPU ? wanted * THREADS_PER_CPU : POOL_MAX;
	if (wanted > slices)
		wanted = (unsigned)slices;
	pthread_mutex_init(&pool->lock, NULL);
	pthread_cond_init(&pool->begun, NULL);
	pthread_cond_init(&pool->done, NULL);
	/* The caller's thread handles the signals. */
	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	for (pool->workers = 1; pool->workers < wanted; pool->workers++) {
		struct worker *worker = &pool->worker[pool->workers];

		worker->pool = pool;
		worker->number = pool->workers;
		if (pthread_create(&worker->thread, NULL, work, worker))
			break;
	}
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	return MORTISE_OK;
}

void pool_free(struct pool *pool)
{
	if (!pool)
		return;
	pthread_mutex_lock(&pool->lock);
	pool->ended = true;
	pthread_cond_broadcast(&pool->begun);
	pthread_mutex_unlock(&pool->lock);
	for (unsigned i = 1; i < pool->workers; i++)
		pthread_join(pool->worker[i].thread, NULL);
	pthread_cond_destroy(&pool->done);
	pthread_cond_destroy(&pool->begun);
	pthread_mutex_destroy(&pool->lock);
	free(pool);
}
