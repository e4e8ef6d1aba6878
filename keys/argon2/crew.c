/* SPDX-License-Identifier: MIT */
/*
 * The threads that fill Argon2's lanes. Lanes are distributed to the threads once; the threads
 * wait for each other after each slice.
 */
#include "keys/argon2/crew.h"

#include <pthread.h>
#include <signal.h>

#include "base/secret.h"

/* Room for a thread's workspace of 8 KiB and for the stack frames of a sanitizer. */
#define STACK_SIZE ((size_t)256 << 10)

/* With less memory, creating a thread costs about as much time as it saves. */
#define AHEAD_MIN  (UINT64_C(16) << 20)

/* A barrier: threads wait at it until a given number of them has reached it. */
struct gate {
	pthread_cond_t opens;
	unsigned waiting, turn;
	bool well; /* set when the gate opens, so that all threads act on the same value */
};

struct crew {
	const struct keys_argon2_job *job;
	pthread_mutex_t lock;
	struct gate slice, end;
	unsigned fillers, all;
	bool failed;
};

struct worker {
	struct crew *crew;
	unsigned number;
	pthread_t thread;
};

/* Sleeps until count threads have called it. Returns false once any of them has failed. */
static bool wait_at_gate(struct crew *crew, struct gate *gate, unsigned count, bool well)
{
	unsigned turn;

	pthread_mutex_lock(&crew->lock);
	if (!well)
		crew->failed = true;
	turn = gate->turn;
	if (++gate->waiting == count) {
		gate->waiting = 0;
		gate->turn++;
		gate->well = !crew->failed;
		pthread_cond_broadcast(&gate->opens);
	}
	while (gate->turn == turn)
		pthread_cond_wait(&gate->opens, &crew->lock);
	well = gate->well;
	pthread_mutex_unlock(&crew->lock);
	return well;
}

/* Returns where share number begins if whole is divided evenly into count shares. */
static uint64_t share_begin(uint64_t whole, unsigned number, unsigned count)
{
	return whole / count * number + whole % count * number / count;
}

static bool fill_slice(const struct worker *worker, struct keys_argon2_part *part,
		       struct keys_argon2_workspace *work)
{
	const struct crew *crew = worker->crew;
	const uint32_t lanes = crew->job->lanes;
	const uint32_t first = (uint32_t)share_begin(lanes, worker->number, crew->fillers);
	const uint32_t end = (uint32_t)share_begin(lanes, worker->number + 1, crew->fillers);

	for (uint32_t lane = first; lane < end; lane += part->count) {
		part->first = lane;
		part->count = end - lane;
		if (part->count > KEYS_ARGON2_SIDE_BY_SIDE)
			part->count = KEYS_ARGON2_SIDE_BY_SIDE;
		if (!keys_argon2_fill(crew->job, part, work))
			return false;
	}
	return true;
}

static void wipe_blocks(const struct keys_argon2_job *job, uint32_t lane, uint32_t count)
{
	secret_wipe(keys_argon2_block(job, lane, 0), (size_t)count * KEYS_ARGON2_BLOCK_SIZE);
}

/*
 * Wipes this thread's lanes after the job has ended early. Pages that were not yet written are not
 * touched, since the system may have no memory for them.
 */
static void wipe_lanes(const struct worker *worker, const struct keys_argon2_part *part,
		       const struct keys_argon2_workspace *work, bool part_done)
{
	const struct keys_argon2_job *job = worker->crew->job;
	const uint32_t first =
		(uint32_t)share_begin(job->lanes, worker->number, worker->crew->fillers);
	const uint32_t end =
		(uint32_t)share_begin(job->lanes, worker->number + 1, worker->crew->fillers);

	for (uint32_t lane = first; lane < end; lane++) {
		uint32_t count = part->slice * job->segment;

		if (part->pass)
			count = KEYS_ARGON2_SLICES * job->segment;
		else if (part_done || lane < part->first)
			count += job->segment;
		else if (lane < part->first + part->count)
			count += work->filled + (lane - part->first < work->one_more);
		wipe_blocks(job, lane, count > 2 ? count : 2);
	}
}

static bool fill_lanes(const struct worker *worker)
{
	struct crew *crew = worker->crew;
	struct keys_argon2_workspace work = { 0 };
	struct keys_argon2_part part = { 0 };
	bool done, well = true;

	for (part.pass = 0; well && part.pass < crew->job->time; part.pass++)
		for (part.slice = 0; well && part.slice < KEYS_ARGON2_SLICES; part.slice++) {
			done = fill_slice(worker, &part, &work);
			well = wait_at_gate(crew, &crew->slice, crew->fillers, done);
			if (!well)
				wipe_lanes(worker, &part, &work, done);
		}
	secret_wipe(&work, sizeof(work));
	return well;
}

static void wipe_share(const struct worker *worker)
{
	const unsigned all = worker->crew->all;
	const uint64_t blocks = keys_argon2_job_size(worker->crew->job) / KEYS_ARGON2_BLOCK_SIZE;
	const uint64_t from = share_begin(blocks, worker->number, all);
	const uint64_t end = share_begin(blocks, worker->number + 1, all);

	secret_wipe(worker->crew->job->memory + from * KEYS_ARGON2_BLOCK_WORDS,
		    (size_t)(end - from) * KEYS_ARGON2_BLOCK_SIZE);
}

/* A thread without a lane populates pages before the threads with lanes reach them. */
static void populate_ahead(const struct keys_argon2_job *job)
{
	uint8_t *memory = (uint8_t *)job->memory;
	const uint64_t size = keys_argon2_job_size(job);

	for (uint64_t at = 0; at < size; at += KEYS_ARGON2_PIECE)
		if ((job->canceled && job->canceled(job->watch)) ||
		    !job->populate(job->pages, memory + at,
				   size - at < KEYS_ARGON2_PIECE ? size - at : KEYS_ARGON2_PIECE))
			return;
}

static void *run_worker(void *argument)
{
	struct worker *worker = argument;
	struct crew *crew = worker->crew;

	/* The creating thread holds the lock until the number of threads is final. */
	pthread_mutex_lock(&crew->lock);
	pthread_mutex_unlock(&crew->lock);
	if (worker->number >= crew->fillers)
		populate_ahead(crew->job);
	else
		(void)fill_lanes(worker);
	if (wait_at_gate(crew, &crew->end, crew->all, true))
		wipe_share(worker);
	return NULL;
}

/* Lowers threads to the number that this job can use. */
static unsigned limit_threads(const struct keys_argon2_job *job, unsigned threads)
{
	unsigned most = job->lanes < KEYS_ARGON2_CREW_MAX ? job->lanes : KEYS_ARGON2_CREW_MAX - 1;

	if (job->populate && keys_argon2_job_size(job) >= AHEAD_MIN)
		most++;
	return threads < most ? threads : most;
}

/* Blocks all signals in the new threads: the program's own threads handle them. */
static void create_threads(struct crew *crew, struct worker *workers, unsigned threads)
{
	pthread_attr_t attributes;
	sigset_t every, before;

	crew->all = 1;
	if (threads < 2 || pthread_attr_init(&attributes))
		return;
	(void)pthread_attr_setstacksize(&attributes, STACK_SIZE);
	sigfillset(&every);
	pthread_sigmask(SIG_SETMASK, &every, &before);
	while (crew->all < threads && !pthread_create(&workers[crew->all].thread, &attributes,
						      run_worker, &workers[crew->all]))
		crew->all++;
	pthread_sigmask(SIG_SETMASK, &before, NULL);
	pthread_attr_destroy(&attributes);
}

bool keys_argon2_crew_run(const struct keys_argon2_job *job, const struct keys_argon2_input *input,
			  unsigned threads, uint8_t *tag, size_t tag_size)
{
	struct worker workers[KEYS_ARGON2_CREW_MAX];
	struct crew crew = {
		.job = job,
		.lock = PTHREAD_MUTEX_INITIALIZER,
		.slice.opens = PTHREAD_COND_INITIALIZER,
		.end.opens = PTHREAD_COND_INITIALIZER,
	};
	bool well;

	for (unsigned i = 0; i < KEYS_ARGON2_CREW_MAX; i++)
		workers[i] = (struct worker){ .crew = &crew, .number = i };
	keys_argon2_start(job, input, tag_size);
	pthread_mutex_lock(&crew.lock);
	create_threads(&crew, workers, limit_threads(job, threads));
	crew.fillers = crew.all < job->lanes ? crew.all : job->lanes;
	pthread_mutex_unlock(&crew.lock);
	well = fill_lanes(&workers[0]);
	if (well)
		keys_argon2_finish(job, tag, tag_size);
	/* After a failure each thread has wiped what it wrote. */
	if (wait_at_gate(&crew, &crew.end, crew.all, true))
		wipe_share(&workers[0]);
	for (unsigned i = 1; i < crew.all; i++)
		pthread_join(workers[i].thread, NULL);
	pthread_cond_destroy(&crew.end.opens);
	pthread_cond_destroy(&crew.slice.opens);
	pthread_mutex_destroy(&crew.lock);
	return well;
}
