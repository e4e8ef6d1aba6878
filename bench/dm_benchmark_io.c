/* SPDX-License-Identifier: MIT */
/* Workers begin together, count on their own, and are added up. */
#include "bench/dm_benchmark_io.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/error.h"
#include "base/machine.h"
#include "base/secret.h"

#define WORKERS_MAX (BENCH_VOLUMES_MAX * BENCH_DEPTH_MAX)
#define STACK	    (128u << 10)
#define LOOK_NS	    20000000u /* between two looks at stop */

/* All of one measurement. */
struct crew {
	struct bench_job job;
	struct bench_worker *workers;
	pthread_t threads[WORKERS_MAX];
	uint32_t count, started;
	uint8_t *buffers;
	pthread_mutex_t gate; /* held until all stand ready */
	atomic_bool cancel;
};

struct post {
	struct crew *crew;
	struct bench_worker *worker;
};

uint64_t bench_now(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000000000u + (uint64_t)now.tv_nsec;
}

enum bench_engine bench_engine(void)
{
	return bench_uring_works() ? BENCH_URING : BENCH_THREADS;
}

uint32_t bench_jobs(enum bench_engine engine, uint32_t depth, uint32_t volumes)
{
	uint32_t jobs = machine_cpus() / volumes;

	if (engine == BENCH_THREADS)
		return depth;
	if (jobs == 0)
		jobs = 1;
	return jobs < depth ? jobs : depth;
}

/* xorshift64, G. Marsaglia, "Xorshift RNGs", 2003 */
static uint64_t next_random(uint64_t random)
{
	random ^= random << 13;
	random ^= random >> 7;
	return random ^ random << 17;
}

/* Noise: what a disk compresses would be faster on the bare device than under any cipher. */
static void fill(uint8_t *bytes, size_t size, uint64_t random)
{
	for (size_t at = 0; at + sizeof(random) <= size; at += sizeof(random)) {
		random = next_random(random);
		memcpy(bytes + at, &random, sizeof(random));
	}
}

uint64_t bench_place(struct bench_worker *worker)
{
	worker->random = next_random(worker->random);
	return worker->random % (worker->job->size / worker->job->block_size) *
	       worker->job->block_size;
}

bool bench_done(struct bench_worker *worker, uint64_t started_ns, long moved)
{
	struct bench_tally *tally = &worker->tally;
	uint64_t now = bench_now(), at = now - worker->start_ns;
	uint64_t slice = at * BENCH_SLICES / worker->job->duration_ns;

	if (moved != (long)worker->job->block_size) {
		tally->sys = moved < 0 ? (int)-moved : EIO;
		return false;
	}
	tally->bytes += worker->job->block_size;
	if (slice < BENCH_SLICES)
		tally->slices[slice] += worker->job->block_size;
	/* Those that end after the time count too, or the slowest would be missing. */
	if (slice > 0)
		bench_latency_add(&tally->latency, now - started_ns);
	return slice < BENCH_SLICES && !atomic_load_explicit(worker->cancel, memory_order_relaxed);
}

void bench_thread(struct bench_worker *worker)
{
	const struct bench_job *job = worker->job;
	uint64_t started;
	ssize_t moved;

	do {
		off_t place = (off_t)bench_place(worker);

		started = bench_now();
		moved = job->write ? pwrite(worker->fd, worker->buffers, job->block_size, place)
				   : pread(worker->fd, worker->buffers, job->block_size, place);
		if (moved < 0)
			moved = -errno;
	} while (bench_done(worker, started, moved));
}

static void *work(void *argument)
{
	struct post *post = argument;
	struct bench_worker *worker = post->worker;

	pthread_mutex_lock(&post->crew->gate);
	pthread_mutex_unlock(&post->crew->gate);
	/* Given up before it began. */
	if (atomic_load(&post->crew->cancel))
		return NULL;
	if (worker->job->engine == BENCH_URING)
		bench_uring(worker);
	else
		bench_thread(worker);
	return NULL;
}

static enum mortise_code out_of_memory(struct mortise_error *err)
{
	return error_set(err, MORTISE_E_MEMORY, ENOMEM, "Cannot measure dm-crypt");
}

/* Divides the requests of each volume among its threads. */
static enum mortise_code recruit(struct crew *crew, struct mortise_error *err)
{
	const struct bench_job *job = &crew->job;
	size_t room = (size_t)job->volumes * job->depth * job->block_size, used = 0;
	enum mortise_code code;
	void *memory = NULL;

	crew->workers = calloc(crew->count, sizeof(*crew->workers));
	if (!crew->workers || posix_memalign(&memory, 4096, room))
		return out_of_memory(err);
	crew->buffers = memory;
	for (uint32_t i = 0; i < crew->count; i++) {
		struct bench_worker *worker = &crew->workers[i];
		uint32_t thread = i % job->jobs;

		worker->job = job;
		worker->fd = job->fds[i / job->jobs];
		worker->depth = job->depth / job->jobs + (thread < job->depth % job->jobs);
		worker->buffers = crew->buffers + used;
		worker->cancel = &crew->cancel;
		used += (size_t)worker->depth * job->block_size;
		code = random_bytes(&worker->random, sizeof(worker->random), err);
		if (code)
			return code;
		worker->random |= 1;
	}
	fill(crew->buffers, room, crew->workers[0].random);
	return MORTISE_OK;
}

static int start(struct crew *crew, struct post *posts)
{
	pthread_attr_t attributes;
	int sys = pthread_attr_init(&attributes);

	if (sys)
		return sys;
	sys = pthread_attr_setstacksize(&attributes, STACK);
	for (uint32_t i = 0; !sys && i < crew->count; i++) {
		posts[i] = (struct post){ crew, &crew->workers[i] };
		sys = pthread_create(&crew->threads[i], &attributes, work, &posts[i]);
		if (!sys)
			crew->started++;
	}
	pthread_attr_destroy(&attributes);
	return sys;
}

/* Waits for the end, with looks at stop. */
static void watch(struct crew *crew, uint64_t end_ns)
{
	for (;;) {
		uint64_t now = bench_now();
		struct timespec pause = { .tv_nsec = LOOK_NS };

		if (now >= end_ns)
			return;
		if (crew->job.stop && crew->job.stop(crew->job.context)) {
			atomic_store(&crew->cancel, true);
			return;
		}
		if (end_ns - now < LOOK_NS)
			pause.tv_nsec = (long)(end_ns - now);
		nanosleep(&pause, NULL);
	}
}

static void add_up(const struct crew *crew, struct bench_tally *tally)
{
	for (uint32_t i = 0; i < crew->count; i++) {
		const struct bench_tally *own = &crew->workers[i].tally;

		tally->bytes += own->bytes;
		for (uint32_t slice = 0; slice < BENCH_SLICES; slice++)
			tally->slices[slice] += own->slices[slice];
		bench_latency_join(&tally->latency, &own->latency);
		if (!tally->sys)
			tally->sys = own->sys;
	}
}

static enum mortise_code run(struct crew *crew, struct bench_tally *tally,
			     struct mortise_error *err)
{
	struct post *posts = calloc(crew->count, sizeof(*posts));
	uint64_t begin = 0;
	int sys;

	if (!posts)
		return out_of_memory(err);
	pthread_mutex_lock(&crew->gate);
	sys = start(crew, posts);
	if (sys)
		atomic_store(&crew->cancel, true);
	bench_meter_read(&bench_files, &tally->before);
	begin = bench_now();
	for (uint32_t i = 0; i < crew->count; i++)
		crew->workers[i].start_ns = begin;
	pthread_mutex_unlock(&crew->gate);
	if (!sys)
		watch(crew, begin + crew->job.duration_ns);
	for (uint32_t i = 0; i < crew->started; i++)
		pthread_join(crew->threads[i], NULL);
	tally->duration_ns = bench_now() - begin;
	bench_meter_read(&bench_files, &tally->after);
	free(posts);
	return sys ? error_set(err, MORTISE_E_SYSTEM, sys, "Cannot start %u threads", crew->count)
		   : MORTISE_OK;
}

enum mortise_code bench_io(const struct bench_job *job, struct bench_tally *tally,
			   struct mortise_error *err)
{
	struct crew *crew = calloc(1, sizeof(*crew));
	enum mortise_code code;

	memset(tally, 0, sizeof(*tally));
	if (!crew)
		return out_of_memory(err);
	crew->job = *job;
	crew->count = job->volumes * job->jobs;
	pthread_mutex_init(&crew->gate, NULL);
	code = recruit(crew, err);
	if (!code)
		code = run(crew, tally, err);
	if (!code)
		add_up(crew, tally);
	if (!code && tally->sys)
		code = error_set(err, MORTISE_E_SYSTEM, tally->sys, "Cannot %s %u bytes",
				 job->write ? "write" : "read", job->block_size);
	pthread_mutex_destroy(&crew->gate);
	free(crew->buffers);
	free(crew->workers);
	free(crew);
	return code;
}
