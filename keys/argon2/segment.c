/* SPDX-License-Identifier: MIT */
/* How Argon2 fills memory (RFC 9106, section 3.4), several lanes of one slice side by side. */
#include "keys/argon2/core.h"

/* Reference blocks are asked for this many blocks ahead where addresses are known. */
#define AHEAD  3u

#define INLINE static inline __attribute__((always_inline))

/* What stays the same while a slice is filled. */
struct slice {
	const struct keys_argon2_job *job;
	struct keys_argon2_part part;
	uint32_t lane_length;
	uint32_t before; /* blocks of other segments that may be referred to */
	uint32_t start;	 /* the oldest of them */
};

/* What one lane knows of the blocks to come. */
struct lane {
	uint32_t number;
	bool asks;	     /* for memory ahead of its use */
	uint64_t *segment;   /* its first block of this slice */
	uint64_t *addresses; /* 128 of them, made from counters */
	const uint64_t *previous;
	const uint64_t *reference[AHEAD + 1]; /* of block i at i % (AHEAD + 1) */
};

static struct slice slice_of(const struct keys_argon2_job *job, const struct keys_argon2_part *part)
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

/* The low half of 64 bits chooses the block, the high half its lane (section 3.4.2). */
INLINE const uint64_t *reference(const struct slice *s, uint32_t own_lane, uint32_t index,
				 uint64_t random)
{
	const uint32_t lanes = s->job->lanes, high = (uint32_t)(random >> 32);
	const uint64_t low = (uint32_t)random;
	uint32_t lane, area = s->before;
	uint64_t at;

	/* Division is slow, and lanes are a power of two mostly. */
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

/* Into the second cache: the first has few places to wait for memory, and they are in use. */
INLINE void ask_for(const uint64_t *block)
{
	for (unsigned i = 0; i < KEYS_ARGON2_BLOCK_WORDS; i += 8)
		__builtin_prefetch(block + i, 0, 2);
}

/*
 * The 128 addresses that index is among, made from counters only (section 3.4.1.2).
 */
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
	/* Once more over the result; fill() does not work in place. */
	job->kernel->fill(work->counter, work->zero, addresses, work->scratch);
	for (unsigned i = 0; i < KEYS_ARGON2_BLOCK_WORDS; i++) {
		addresses[i] = work->counter[keys_argon2_position(job->kernel, i)];
		work->counter[keys_argon2_position(job->kernel, i)] = 0;
	}
}

/* Fresh memory of a lane, up to the next huge page when block i is the first in one. */
static bool populate(const struct slice *s, const struct lane *lane, uint32_t i, uint32_t first)
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
	const uint64_t *block = reference(s, lane->number, i, random);

	lane->reference[i % (AHEAD + 1)] = block;
	if (lane->asks)
		ask_for(block);
}

/* Block i's reference from the counters; blocks come in order from first on. */
INLINE void set_counted_reference(const struct slice *s, struct lane *lane, uint32_t i,
				  uint32_t first, struct keys_argon2_workspace *work)
{
	if (i == first || i % KEYS_ARGON2_BLOCK_WORDS == 0)
		make_addresses(s, lane->number, i, work, lane->addresses);
	set_reference(s, lane, i, lane->addresses[i % KEYS_ARGON2_BLOCK_WORDS]);
}

INLINE bool fill(const struct slice *s, struct lane *lanes, uint32_t count,
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
		for (uint32_t l = 0; l < count; l++) {
			struct lane *lane = &lanes[l];
			uint64_t *block = lane->segment + (uint64_t)i * KEYS_ARGON2_BLOCK_WORDS;

			if (!later && job->populate && !populate(s, lane, i, first))
				return false;
			if (independent && segment - i > ahead)
				set_counted_reference(s, lane, i + ahead, first, work);
			compress(block, lane->previous, lane->reference[i % (AHEAD + 1)],
				 work->scratch);
			lane->previous = block;
			if (!independent && segment - i > ahead)
				set_reference(s, lane, i + ahead, block[0]);
		}
	}
	return true;
}

bool keys_argon2_fill(const struct keys_argon2_job *job, const struct keys_argon2_part *part,
		      struct keys_argon2_workspace *work)
{
	const struct slice s = slice_of(job, part);
	const uint32_t first = s.part.slice * job->segment, count = s.part.count;
	const bool independent = job->type == MORTISE_KDF_ARGON2I ||
				 (!s.part.pass && s.part.slice < KEYS_ARGON2_SLICES / 2);
	/*
	 * One lane alone, whose addresses come at the last moment, has nothing else to do until
	 * memory answers: asking first made it a sixth slower than just reading.
	 */
	const bool asks = independent || count > 1;
	struct lane lanes[KEYS_ARGON2_SIDE_BY_SIDE] = { 0 };

	for (uint32_t l = 0; l < count; l++) {
		lanes[l].number = s.part.first + l;
		lanes[l].asks = asks;
		lanes[l].addresses = work->addresses[l];
		lanes[l].segment = keys_argon2_block(job, lanes[l].number, first);
		if (!s.part.pass && !s.part.slice)
			lanes[l].previous = keys_argon2_block(job, lanes[l].number, 1);
		else
			lanes[l].previous = keys_argon2_block(job, lanes[l].number,
							      (first ? first : s.lane_length) - 1);
	}
	if (independent)
		return s.part.pass ? fill(&s, lanes, count, work, true, true)
				   : fill(&s, lanes, count, work, true, false);
	return s.part.pass ? fill(&s, lanes, count, work, false, true)
			   : fill(&s, lanes, count, work, false, false);
}
