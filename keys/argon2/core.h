/* SPDX-License-Identifier: MIT */
/*
 * Argon2i and Argon2id in memory that the caller provides, without allocations, threads or system
 * calls. The caller calls keys_argon2_start(), then keys_argon2_fill() for all lanes of each
 * slice, one slice after the other, then keys_argon2_finish().
 */
#ifndef KEYS_ARGON2_CORE_H
#define KEYS_ARGON2_CORE_H

#include "keys/argon2/argon2.h"
#include "keys/argon2/kernel.h"

#define KEYS_ARGON2_SLICES	4u

/* Lanes that one thread fills in turn: it computes some while memory accesses for others wait. */
#define KEYS_ARGON2_SIDE_BY_SIDE 4u

/* Memory is populated in pieces of this many bytes, a huge page. */
#define KEYS_ARGON2_PIECE	(UINT64_C(1) << 21)

/*
 * With a single lane, whose addresses are known only just before they are used, it depends on the
 * processor whether prefetching the reference block helps: without it, an Intel Xeon with AVX-512
 * is a sixth faster, with it, an AMD EPYC of the third generation a fifth. So each run compares both.
 */
struct keys_argon2_trial {
	uint64_t start, without_ns;	/* of the current piece; of the last one without prefetching */
	uint32_t pieces, wins;
	bool prefetches;		/* in the current piece; in the end: the result */
};

/* The working memory of one thread. It holds secrets; the caller wipes it. */
struct keys_argon2_workspace {
	_Alignas(64) uint64_t scratch[KEYS_ARGON2_BLOCK_WORDS];
	_Alignas(64) uint64_t addresses[KEYS_ARGON2_SIDE_BY_SIDE][KEYS_ARGON2_BLOCK_WORDS];
	_Alignas(64) uint64_t counter[KEYS_ARGON2_BLOCK_WORDS];
	_Alignas(64) uint64_t zero[KEYS_ARGON2_BLOCK_WORDS];
	uint32_t filled, one_more;	/* set by keys_argon2_fill() when it returns false */
	struct keys_argon2_trial trial;
};

/* About a millisecond of work for a thread that fills KEYS_ARGON2_SIDE_BY_SIDE lanes. */
#define KEYS_ARGON2_POLL	512u

struct keys_argon2_job {
	const struct keys_argon2_kernel *kernel;
	uint64_t *memory;		/* 64-byte aligned, keys_argon2_job_size() bytes */
	enum mortise_kdf_type type;
	uint32_t version;		/* 0x10 or 0x13 */
	uint32_t time, memory_kib, lanes;
	uint32_t segment;		/* blocks in a segment */
	/*
	 * Populates memory just before it is first written. False: the system is out of memory,
	 * which ends the job. NULL: all memory is populated already.
	 */
	bool (*populate)(void *pages, void *memory, uint64_t size);
	void *pages;			/* the first argument of populate() */
	/* Called by each thread every KEYS_ARGON2_POLL blocks of a lane; true ends the job. */
	bool (*canceled)(void *watch);	/* NULL: never */
	void *watch;			/* the first argument of canceled() */
};

/* Sets every member of job except memory and those after segment, which are zeroed. */
void keys_argon2_plan(struct keys_argon2_job *job, const struct mortise_kdf *kdf,
		      const struct keys_argon2_input *input);

/* Bytes of memory that the job fills: memory_kib rounded down to a multiple of 4 * lanes. */
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

/* Computes the first two blocks of each lane. */
void keys_argon2_start(const struct keys_argon2_job *job, const struct keys_argon2_input *input,
		       size_t tag_size);

/* One slice of lanes first..first+count-1 in one pass; count <= KEYS_ARGON2_SIDE_BY_SIDE. */
struct keys_argon2_part {
	uint32_t pass, slice, first, count;
};

/*
 * Fills a part. Threads may fill the lanes of one slice in parallel; the next slice needs all of
 * them. Returns false if populate() failed or canceled() returned true; then work->filled
 * blocks of each lane's segment are written, and one more of the first work->one_more lanes.
 */
MORTISE_MUST_CHECK bool keys_argon2_fill(const struct keys_argon2_job *job,
					 const struct keys_argon2_part *part,
					 struct keys_argon2_workspace *work);

/* Computes the tag from the last block of each lane. */
void keys_argon2_finish(const struct keys_argon2_job *job, uint8_t *tag, size_t tag_size);

#endif
