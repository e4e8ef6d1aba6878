/* SPDX-License-Identifier: MIT */
/* The memory accesses of Argon2 without its compression: the limit that memory sets. */
#include <errno.h>
#include <pthread.h>
#include <sys/mman.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/events.h"
#include "bench/benchmark.h"

#define SLICES	    4u	  /* RFC 9106, section 3.4: the lanes synchronize after each */
#define BLOCK	    1024u /* bytes */
#define LINE	    64u	  /* bytes of a cache line, on nearly every machine */
#define LINE_WORDS  (LINE / sizeof(uint64_t))
#define BLOCK_WORDS (BLOCK / sizeof(uint64_t))
#define LANES_MAX   64u /* more than the processors of nearly every machine */

/* Shared by all threads. */
struct arena {
	const struct benchmark_walk *walk;
	uint64_t *words;
	uint32_t lane_length;	    /* blocks */
	uint32_t segment;	    /* blocks of a lane in a slice */
	pthread_mutex_t start_lock; /* held until all threads are created, or canceled is set */
	bool canceled;		    /* the threads could not be created */
	struct events_watch watch;
	pthread_barrier_t barrier;
	uint64_t start;
	double first_pass_ms; /* written by thread 0 */
};

/* About a millisecond. */
#define POLL_BLOCKS 512u

struct position {
	uint32_t pass, slice, lane, index; /* index: block within the segment */
};

struct worker {
	struct arena *arena;
	uint32_t number;
	pthread_t thread;
};

static uint64_t mix(uint64_t value)
{
	value = (value ^ (value >> 29)) * UINT64_C(0x9e3779b97f4a7c15);
	return value ^ (value >> 32);
}

/* RFC 9106, section 3.4.2: the number of the reference block. low and high are J1 and J2. */
static uint64_t find_reference(const struct arena *arena, const struct position *at, uint32_t low,
			       uint32_t high)
{
	uint32_t lanes = arena->walk->lanes, lane = high % lanes, start = 0, area;
	uint64_t x, position;

	if (!at->pass && !at->slice)
		lane = at->lane;
	area = at->pass ? arena->lane_length - arena->segment : at->slice * arena->segment;
	if (lane == at->lane)
		area += at->index - 1;
	else if (!at->index)
		area--;
	x = (uint64_t)low * low >> 32;
	position = area - 1 - (area * x >> 32);
	if (at->pass && at->slice + 1 < SLICES)
		start = (at->slice + 1) * arena->segment;
	position = (start + position) % arena->lane_length;
	return lane * (uint64_t)arena->lane_length + position;
}

/*
 * Reads each cache line of the reference block, and writes each line of the new block. The previous
 * block was just written, so it is in the cache. Returns the state, which the next address needs.
 */
static uint64_t visit_block(const uint64_t *from, uint64_t *to, uint64_t state)
{
	for (size_t i = 0; i < BLOCK_WORDS; i += LINE_WORDS) {
		state ^= from[i];
		to[i] ^= state;
	}
	return mix(state);
}

static uint64_t visit_next(struct arena *arena, const struct position *at, uint64_t state)
{
	const uint64_t own = at->lane * (uint64_t)arena->lane_length +
			     at->slice * (uint64_t)arena->segment + at->index;
	const bool known = arena->walk->independent || (!at->pass && at->slice < SLICES / 2);
	const uint64_t choice = known ? mix(own * 2 + 1) : state;
	const uint64_t from = find_reference(arena, at, (uint32_t)choice, (uint32_t)(choice >> 32));

	return visit_block(arena->words + from * BLOCK_WORDS, arena->words + own * BLOCK_WORDS,
			   state);
}

/* Alternates between the lanes of the thread: one waits for memory while the others go on. */
static void walk_slice(struct worker *worker, uint32_t pass, uint32_t slice, uint64_t *states)
{
	struct arena *arena = worker->arena;
	const struct benchmark_walk *walk = arena->walk;
	/* The first two blocks of a lane are not computed from other blocks. */
	struct position at = { .pass = pass, .slice = slice, .index = pass || slice ? 0 : 2 };

	for (; at.index < arena->segment; at.index++) {
		if (at.index % POLL_BLOCKS == 0 && events_watch_canceled(&arena->watch))
			return;
		for (at.lane = worker->number; at.lane < walk->lanes; at.lane += walk->threads)
			states[at.lane] = visit_next(arena, &at, states[at.lane]);
	}
}

static void walk_all(struct worker *worker)
{
	struct arena *arena = worker->arena;
	uint64_t states[LANES_MAX];

	for (uint32_t lane = 0; lane < LANES_MAX; lane++)
		states[lane] = mix(lane + 1);
	for (uint32_t pass = 0; pass < arena->walk->passes; pass++) {
		for (uint32_t slice = 0; slice < SLICES; slice++) {
			walk_slice(worker, pass, slice, states);
			pthread_barrier_wait(&arena->barrier);
		}
		if (!pass && !worker->number)
			arena->first_pass_ms = benchmark_ms_since(arena->start);
	}
}

static void *thread_main(void *context)
{
	struct worker *worker = context;
	bool canceled;

	pthread_mutex_lock(&worker->arena->start_lock);
	canceled = worker->arena->canceled;
	pthread_mutex_unlock(&worker->arena->start_lock);
	if (!canceled)
		walk_all(worker);
	return NULL;
}

/* The calling thread is worker 0. */
static int run_threads(struct arena *arena)
{
	struct worker workers[LANES_MAX] = { { .arena = arena } };
	uint32_t started = 1;
	int sys = 0;

	pthread_mutex_lock(&arena->start_lock);
	for (uint32_t i = 0; i < arena->walk->threads; i++)
		workers[i] = (struct worker){ .arena = arena, .number = i };
	for (; !sys && started < arena->walk->threads; started += !sys)
		sys = pthread_create(&workers[started].thread, NULL, thread_main,
				     &workers[started]);
	arena->canceled = sys != 0;
	pthread_mutex_unlock(&arena->start_lock);
	if (!sys)
		walk_all(&workers[0]);
	for (uint32_t i = 1; i < started; i++)
		pthread_join(workers[i].thread, NULL);
	return sys;
}

static int walk_arena(struct arena *arena)
{
	int sys = pthread_mutex_init(&arena->start_lock, NULL);

	if (sys)
		return sys;
	sys = pthread_barrier_init(&arena->barrier, NULL, arena->walk->threads);
	if (!sys) {
		sys = run_threads(arena);
		pthread_barrier_destroy(&arena->barrier);
	}
	pthread_mutex_destroy(&arena->start_lock);
	return sys;
}

enum mortise_code benchmark_walk(const struct benchmark_walk *walk, double *ms,
				 double *first_pass_ms, struct mortise_error *err)
{
	struct arena arena = { .walk = walk, .watch.events = walk->events };
	void *memory;
	size_t size;
	int sys;

	if (!walk->lanes || walk->lanes > LANES_MAX || !walk->threads ||
	    walk->threads > walk->lanes || walk->blocks / 8 < walk->lanes)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "the number of lanes must be 1 to %u, with at least 8 KiB each",
				 LANES_MAX);
	arena.segment = walk->blocks / walk->lanes / SLICES;
	arena.lane_length = arena.segment * SLICES;
	size = (size_t)arena.lane_length * walk->lanes * BLOCK;
	arena.start = clock_now_ns();
	memory = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (memory == MAP_FAILED)
		return error_set(err, MORTISE_E_MEMORY, errno, "cannot allocate %zu bytes", size);
	/* Argon2 uses huge pages, too. With small pages, page walks would dominate the time. */
	(void)madvise(memory, size, MADV_HUGEPAGE);
	arena.words = memory;
	sys = walk_arena(&arena);
	munmap(memory, size);
	if (sys)
		return error_set(err, MORTISE_E_SYSTEM, sys, "cannot start %u threads",
				 walk->threads);
	if (arena.watch.canceled)
		return events_cancel_error(err);
	*ms = benchmark_ms_since(arena.start);
	*first_pass_ms = arena.first_pass_ms;
	return MORTISE_OK;
}
