/* SPDX-License-Identifier: MIT */
/*
 * Argon2i and Argon2id over memory that the caller gives: no allocation, no thread, no system
 * call. The caller starts, fills every segment in the order that threads allow, and finishes.
 */
#ifndef KEYS_ARGON2_CORE_H
#define KEYS_ARGON2_CORE_H

#include "keys/argon2/argon2.h"
#include "keys/argon2/kernel.h"

#define KEYS_ARGON2_SLICES	4u

/* Lanes that one thread fills side by side: memory answers for some while it computes others. */
#define KEYS_ARGON2_SIDE_BY_SIDE 4u

/* Fresh memory is announced in pieces of this many bytes, a huge page. */
#define KEYS_ARGON2_PIECE	(UINT64_C(1) << 21)

/* What one thread works with; holds secrets, and the caller wipes it. */
struct keys_argon2_workspace {
	_Alignas(64) uint64_t scratch[KEYS_ARGON2_BLOCK_WORDS];
	_Alignas(64) uint64_t addresses[KEYS_ARGON2_SIDE_BY_SIDE][KEYS_ARGON2_BLOCK_WORDS];
	_Alignas(64) uint64_t counter[KEYS_ARGON2_BLOCK_WORDS];
	_Alignas(64) uint64_t zero[KEYS_ARGON2_BLOCK_WORDS];
};

struct keys_argon2_job {
	const struct keys_argon2_kernel *kernel;
	uint64_t *memory;		/* 64-byte aligned, keys_argon2_job_size() bytes */
	enum mortise_kdf_type type;
	uint32_t version;		/* 0x10 or 0x13 */
	uint32_t time, memory_kib, lanes;
	uint32_t segment;		/* blocks */
	/*
	 * Makes memory present that is about to be written for the first time; false when
	 * there is none, which ends the job. NULL: the memory is there.
	 */
	bool (*populate)(void *pages, void *memory, uint64_t size);
	void *pages;			/* the first argument of populate() */
};

/* All but memory, populate and pages. */
void keys_argon2_plan(struct keys_argon2_job *job, const struct mortise_kdf *kdf,
		      const struct keys_argon2_input *input);

/* Bytes of memory that the job works on: memory_kib rounded down to a multiple of 4 * lanes. */
static inline uint64_t keys_argon2_job_size(const struct keys_argon2_job *job)
{
	return (uint64_t)job->segment * KEYS_ARGON2_SLICES * job->lanes * KEYS_ARGON2_BLOCK_SIZE;
}

static inline uint64_t *keys_argon2_block(const struct keys_argon2_job *job, uint32_t lane,
					  uint32_t index)
{
	return job->memory + ((uint64_t)lane * KEYS_ARGON2_SLICES * job->segment + index) *
				     KEYS_ARGON2_BLOCK_WORDS;
}

/* The first two blocks of each lane. */
void keys_argon2_start(const struct keys_argon2_job *job, const struct keys_argon2_input *input,
		       size_t tag_size);

/* One pass's slice of count lanes, at most KEYS_ARGON2_SIDE_BY_SIDE, from first on. */
struct keys_argon2_part {
	uint32_t pass, slice, first, count;
};

/*
 * All lanes of a slice can be filled at once; the next slice needs all of them. False when
 * there is no memory.
 */
MORTISE_MUST_CHECK bool keys_argon2_fill(const struct keys_argon2_job *job,
					 const struct keys_argon2_part *part,
					 struct keys_argon2_workspace *work);

void keys_argon2_finish(const struct keys_argon2_job *job, uint8_t *tag, size_t tag_size);

#endif
