/* SPDX-License-Identifier: MIT */
/* All workers start at the same time and count separately; the counts are added at the end. */
#include "bench/dm_benchmark_io.h"

#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/events.h"
#include "base/machine.h"
#include "base/secret.h"
#include "bench/dm_benchmark_limits.h"
#include "bench/dm_benchmark_uring.h"

#define WORKERS_MAX (BENCH_VOLUMES_MAX * BENCH_DEPTH_MAX)
#define STACK	    (128u << 10)
#define POLL_NS	    20000000u /* between two polls */

struct io_run {
	struct bench_job job;
	struct bench_worker *workers;
	pthread_t threads[WORKERS_MAX];
	uint32_t count, started;
	uint8_t *buffers;
	pthread_mutex_t start_lock; /* held until all threads have been created */
	atomic_bool cancel;
};

struct thread_argument {
	struct io_run *run;
	struct bench_worker *worker;
};

enum bench_engine bench_engine_choose(void)
{
	return bench_uring_works() ? BENCH_URING : BENCH_THREADS;
}

uint32_t bench_count_jobs(enum bench_engine engine, uint32_t depth, uint32_t volumes)
{
	uint32_t jobs = machine_cpus() / volumes;

	if (engine == BENCH_THREADS)
		return depth;
	if (jobs == 0)
		jobs = 1;
	return jobs < depth ? jobs : depth;
}

/* With compressible data, a disk that compresses would be faster without a cipher. */
static void fill_random(uint8_t *bytes, size_t size, uint64_t random)
{
	for (size_t at = 0; at + sizeof(random) <= size; at += sizeof(random)) {
		random = bench_next_random(random);
		memcpy(bytes + at, &random, sizeof(random));
	}
}

static void *run_worker(void *context)
{
	struct thread_argument *argument = context;
	struct bench_worker *worker = argument->worker;

	pthread_mutex_lock(&argument->run->start_lock);
	pthread_mutex_unlock(&argument->run->start_lock);
	/* Set if a thread could not be created. */
	if (atomic_load(&argument->run->cancel))
		return NULL;
	if (worker->job->engine == BENCH_URING)
		bench_uring_run(worker);
	else
		bench_thread_run(worker);
	return NULL;
}

/* Divides the requests of each volume among its threads. */
static enum mortise_code create_workers(struct io_run *run, struct mortise_error *err)
{
	const struct bench_job *job = &run->job;
	size_t size = (size_t)job->volumes * job->depth * job->block_size, used = 0;
	enum mortise_code code;
	void *memory = NULL;

	run->workers = calloc(run->count, sizeof(*run->workers));
	if (!run->workers || posix_memalign(&memory, 4096, size))
		return error_memory(err);
	run->buffers = memory;
	for (uint32_t i = 0; i < run->count; i++) {
		struct bench_worker *worker = &run->workers[i];
		uint32_t thread = i % job->jobs;

		worker->job = job;
		worker->fd = job->fds[i / job->jobs];
		worker->depth = job->depth / job->jobs + (thread < job->depth % job->jobs);
		worker->buffers = run->buffers + used;
		worker->cancel = &run->cancel;
		used += (size_t)worker->depth * job->block_size;
		code = random_bytes(&worker->random, sizeof(worker->random), err);
		if (code)
			return code;
		worker->random |= 1;
	}
	fill_random(run->buffers, size, run->workers[0].random);
	return MORTISE_OK;
}

static int start_threads(struct io_run *run, struct thread_argument *arguments)
{
	pthread_attr_t attributes;
	int sys = pthread_attr_init(&attributes);

	if (sys)
		return sys;
	sys = pthread_attr_setstacksize(&attributes, STACK);
	for (uint32_t i = 0; !sys && i < run->count; i++) {
		arguments[i] = (struct thread_argument){ run, &run->workers[i] };
		sys = pthread_create(&run->threads[i], &attributes, run_worker, &arguments[i]);
		if (!sys)
			run->started++;
	}
	pthread_attr_destroy(&attributes);
	return sys;
}

/* Waits until end_ns, or until the run is canceled. */
static void wait_for_end(struct io_run *run, uint64_t end_ns)
{
	for (;;) {
		uint64_t now = clock_now_ns();
		struct timespec pause = { .tv_nsec = POLL_NS };

		if (now >= end_ns)
			return;
		if (events_canceled(run->job.events)) {
			atomic_store(&run->cancel, true);
			return;
		}
		if (end_ns - now < POLL_NS)
			pause.tv_nsec = (long)(end_ns - now);
		nanosleep(&pause, NULL);
	}
}

static void sum_tallies(const struct io_run *run, struct bench_tally *tally)
{
	for (uint32_t i = 0; i < run->count; i++) {
		const struct bench_tally *own = &run->workers[i].tally;

		tally->bytes += own->bytes;
		for (uint32_t slice = 0; slice < BENCH_SLICES; slice++)
			tally->slices[slice] += own->slices[slice];
		bench_latency_merge(&tally->latency, &own->latency);
		if (!tally->sys)
			tally->sys = own->sys;
	}
}

static enum mortise_code run_workers(struct io_run *run, struct bench_tally *tally,
				     struct mortise_error *err)
{
	struct thread_argument *arguments = calloc(run->count, sizeof(*arguments));
	uint64_t start = 0;
	int sys;

	if (!arguments)
		return error_memory(err);
	pthread_mutex_lock(&run->start_lock);
	sys = start_threads(run, arguments);
	if (sys)
		atomic_store(&run->cancel, true);
	bench_meter_read(&bench_files, &tally->before);
	start = clock_now_ns();
	for (uint32_t i = 0; i < run->count; i++)
		run->workers[i].start_ns = start;
	pthread_mutex_unlock(&run->start_lock);
	if (!sys)
		wait_for_end(run, start + run->job.duration_ns);
	for (uint32_t i = 0; i < run->started; i++)
		pthread_join(run->threads[i], NULL);
	tally->duration_ns = clock_now_ns() - start;
	bench_meter_read(&bench_files, &tally->after);
	free(arguments);
	return sys ? error_set(err, MORTISE_E_SYSTEM, sys, "cannot start %u threads", run->count)
		   : MORTISE_OK;
}

enum mortise_code bench_job_run(const struct bench_job *job, struct bench_tally *tally,
				struct mortise_error *err)
{
	struct io_run *run = calloc(1, sizeof(*run));
	enum mortise_code code;

	memset(tally, 0, sizeof(*tally));
	if (!run)
		return error_memory(err);
	run->job = *job;
	run->count = job->volumes * job->jobs;
	pthread_mutex_init(&run->start_lock, NULL);
	code = create_workers(run, err);
	if (code)
		goto out;
	code = run_workers(run, tally, err);
	if (code)
		goto out;
	sum_tallies(run, tally);
	if (tally->sys)
		code = error_set(err, MORTISE_E_SYSTEM, tally->sys, "cannot %s %u bytes",
				 job->write ? "write" : "read", job->block_size);
out:
	pthread_mutex_destroy(&run->start_lock);
	free(run->buffers);
	free(run->workers);
	free(run);
	return code;
}
