/* SPDX-License-Identifier: MIT */
/* The memory filling of Argon2 (RFC 9106, section 3.4), several lanes of one slice in turn. */
#include "keys/argon2/core.h"

#include "base/clock.h"

/* Reference blocks are prefetched this many blocks ahead if their addresses are known. */
#define AHEAD	     3u

/* Pieces of KEYS_ARGON2_POLL blocks, of which every other one is filled with prefetching. */
#define TRIAL_PIECES 32u

#define INLINE	     static inline __attribute__((always_inline))

/* The values that do not change while a slice is filled. */
struct slice {
	const struct keys_argon2_job *job;
	struct keys_argon2_part part;
	uint32_t lane_length;
	uint32_t before; /* number of blocks of other segments that may be referenced */
	uint32_t start;	 /* the oldest of these blocks */
};

/* The state of one lane while its segment is filled. */
struct lane {
	uint32_t number;
	bool prefetches;     /* reference blocks, before they are used */
	uint64_t *segment;   /* first block of the lane in this slice */
	uint64_t *addresses; /* 128 addresses, computed from counters */
	const uint64_t *previous;
	const uint64_t *reference[AHEAD + 1]; /* for block i at i % (AHEAD + 1) */
};

static struct slice describe_slice(const struct keys_argon2_job *job,
				   const struct keys_argon2_part *part)
{
	struct slice s = { .job = job, .part = *part };

	s.lane_length = KEYS_ARGON2_SLICES * job->segment;
	if (!part->pass) {
		s.before = part->slice * job->segment;
	} else {
		s.before = s.lane_length - job->segment;
		s.start = part->slice == KEYS_ARGON2_SLICES - 1 ? 0
								: (part->slice + 1) * job->segment;
	}
	return s;
}

/* The low half of random chooses the block, the high half its lane (section 3.4.2). */
INLINE const uint64_t *find_reference(const struct slice *s, uint32_t own_lane, uint32_t index,
				      uint64_t random)
{
	const uint32_t lanes = s->job->lanes, high = (uint32_t)(random >> 32);
	const uint64_t low = (uint32_t)random;
	uint32_t lane, area = s->before;
	uint64_t at;

	/* Division is slow, and the number of lanes is usually a power of two. */
	lane = lanes & (lanes - 1) ? high % lanes : high & (lanes - 1);
	if (!s->part.pass && !s->part.slice)
		lane = own_lane;
	if (lane == own_lane)
		area += index - 1;
	else if (!index)
		area--;
	at = (uint64_t)s->start + area - 1 - ((area * (low * low >> 32)) >> 32);
	if (at >= s->lane_length)
		at -= s->lane_length;
	return keys_argon2_block(s->job, lane, (uint32_t)at);
}

/* Prefetches into the L2 cache: L1 has few buffers for outstanding misses, and they are in use. */
INLINE void prefetch_block(const uint64_t *block)
{
	for (unsigned i = 0; i < KEYS_ARGON2_BLOCK_WORDS; i += 8)
		__builtin_prefetch(block + i, 0, 2);
}

/* Computes the 128 addresses that include the one of index, from counters (section 3.4.1.2). */
static void make_addresses(const struct slice *s, uint32_t lane, uint32_t index,
			   struct keys_argon2_workspace *work, uint64_t *addresses)
{
	const struct keys_argon2_job *job = s->job;
	const uint64_t input[] = {
		s->part.pass,
		lane,
		s->part.slice,
		(uint64_t)s->lane_length * job->lanes,
		job->time,
		job->type == MORTISE_KDF_ARGON2I ? 1 : 2,
		index / KEYS_ARGON2_BLOCK_WORDS + 1,
	};

	for (unsigned i = 0; i < sizeof(input) / sizeof(input[0]); i++)
		work->counter[keys_argon2_position(job->kernel, i)] = input[i];
	job->kernel->fill(addresses, work->zero, work->counter, work->scratch);
	/* Apply it to the result once more; fill() does not work in place. */
	job->kernel->fill(work->counter, work->zero, addresses, work->scratch);
	for (unsigned i = 0; i < KEYS_ARGON2_BLOCK_WORDS; i++) {
		addresses[i] = work->counter[keys_argon2_position(job->kernel, i)];
		work->counter[keys_argon2_position(job->kernel, i)] = 0;
	}
}

/*
 * Populates the memory of a lane up to the next huge page, if block i is the first block of a huge
 * page or of the segment.
 */
static bool populate_ahead(const struct slice *s, const struct lane *lane, uint32_t i,
			   uint32_t first)
{
	uint64_t *block = lane->segment + (uint64_t)i * KEYS_ARGON2_BLOCK_WORDS;
	const uint64_t into = (uintptr_t)block % KEYS_ARGON2_PIECE;
	uint64_t left = (uint64_t)(s->job->segment - i) * KEYS_ARGON2_BLOCK_SIZE;

	if (into >= KEYS_ARGON2_BLOCK_SIZE && i != first)
		return true;
	if (left > KEYS_ARGON2_PIECE - into)
		left = KEYS_ARGON2_PIECE - into;
	return s->job->populate(s->job->pages, block, left);
}

INLINE void set_reference(const struct slice *s, struct lane *lane, uint32_t i, uint64_t random)
{
	const uint64_t *block = find_reference(s, lane->number, i, random);

	lane->reference[i % (AHEAD + 1)] = block;
	if (lane->prefetches)
		prefetch_block(block);
}

/* Sets the reference of block i from the counters. Called for all blocks in order from first on. */
INLINE void set_counted_reference(const struct slice *s, struct lane *lane, uint32_t i,
				  uint32_t first, struct keys_argon2_workspace *work)
{
	if (i == first || i % KEYS_ARGON2_BLOCK_WORDS == 0)
		make_addresses(s, lane->number, i, work, lane->addresses);
	set_reference(s, lane, i, lane->addresses[i % KEYS_ARGON2_BLOCK_WORDS]);
}

/*
 * Called before each piece of a segment. The time between two segments does not count, since the
 * thread may have waited for others.
 */
static void advance_trial(struct keys_argon2_trial *trial, struct lane *lane, bool begins)
{
	uint64_t now;

	if (trial->pieces == TRIAL_PIECES)
		return;
	now = clock_now_ns();
	if (!begins) {
		if (trial->prefetches)
			trial->wins += now - trial->start < trial->without_ns;
		else
			trial->without_ns = now - trial->start;
		trial->prefetches = !trial->prefetches;
		if (++trial->pieces == TRIAL_PIECES)
			trial->prefetches = trial->wins > TRIAL_PIECES / 4;
	}
	trial->start = now;
	lane->prefetches = trial->prefetches;
}

INLINE bool fill_lanes(const struct slice *s, struct lane *lanes, uint32_t count,
		       struct keys_argon2_workspace *work, const bool independent, const bool later)
{
	const struct keys_argon2_job *job = s->job;
	const uint32_t first = s->part.pass || s->part.slice ? 0 : 2, segment = job->segment;
	const uint32_t ahead = independent ? AHEAD : 1;
	keys_argon2_compress *compress = later && job->version != KEYS_ARGON2_VERSION_10
						 ? job->kernel->fill_over
						 : job->kernel->fill;

	for (uint32_t l = 0; l < count; l++)
		for (uint32_t i = first; i < first + ahead && i < segment; i++)
			if (independent)
				set_counted_reference(s, &lanes[l], i, first, work);
			else
				set_reference(s, &lanes[l], i, *lanes[l].previous);
	for (uint32_t i = first; i < segment; i++) {
		work->filled = i;
		if (i % KEYS_ARGON2_POLL == 0 && job->canceled && job->canceled(job->watch))
			return false;
		/* In the first pass, populating memory would decide. */
		if (i % KEYS_ARGON2_POLL == 0 && later && !independent && count == 1)
			advance_trial(&work->trial, &lanes[0], !i);
		for (uint32_t l = 0; l < count; l++) {
			struct lane *lane = &lanes[l];
			uint64_t *block = lane->segment + (uint64_t)i * KEYS_ARGON2_BLOCK_WORDS;

			if (!later && job->populate && !populate_ahead(s, lane, i, first)) {
				work->one_more = l;
				return false;
			}
			if (independent && segment - i > ahead)
				set_counted_reference(s, lane, i + ahead, first, work);
			compress(block, lane->previous, lane->reference[i % (AHEAD + 1)],
				 work->scratch);
			lane->previous = block;
			if (!independent && segment - i > ahead)
				set_reference(s, lane, i + ahead, block[0]);
		}
	}
	work->filled = segment;
	return true;
}

bool keys_argon2_fill(const struct keys_argon2_job *job, const struct keys_argon2_part *part,
		      struct keys_argon2_workspace *work)
{
	const struct slice s = describe_slice(job, part);
	const uint32_t first = s.part.slice * job->segment, count = s.part.count;
	const bool independent = job->type == MORTISE_KDF_ARGON2I ||
				 (!s.part.pass && s.part.slice < KEYS_ARGON2_SLICES / 2);
	const bool prefetches = independent || count > 1 || work->trial.prefetches;
	struct lane lanes[KEYS_ARGON2_SIDE_BY_SIDE] = { 0 };

	for (uint32_t l = 0; l < count; l++) {
		lanes[l].number = s.part.first + l;
		lanes[l].prefetches = prefetches;
		lanes[l].addresses = work->addresses[l];
		lanes[l].segment = keys_argon2_block(job, lanes[l].number, first);
		if (!s.part.pass && !s.part.slice)
			lanes[l].previous = keys_argon2_block(job, lanes[l].number, 1);
		else
			lanes[l].previous = keys_argon2_block(job, lanes[l].number,
							      (first ? first : s.lane_length) - 1);
	}
	if (independent)
		return s.part.pass ? fill_lanes(&s, lanes, count, work, true, true)
				   : fill_lanes(&s, lanes, count, work, true, false);
	return s.part.pass ? fill_lanes(&s, lanes, count, work, false, true)
			   : fill_lanes(&s, lanes, count, work, false, false);
}
