/* SPDX-License-Identifier: MIT */
/* The kernel for vectors of two words. Each file that defines these vectors includes it once. */
#ifndef KEYS_ARGON2_KERNEL_PAIRS_H
#define KEYS_ARGON2_KERNEL_PAIRS_H

#include "keys/argon2/kernel.h"
#include "keys/argon2/kernel_rounds.h"

#define PAIRS (KEYS_ARGON2_BLOCK_WORDS / 2)

/*
 * The second half of each permutation is interleaved with the first half of the next one, so that
 * the processor always has two dependency chains to work on. The loops are not unrolled, so that
 * they fit the micro-op cache.
 */
static void rounds(uint64_t *to, uint64_t *scratch, bool over)
{
	straight(scratch, 2);
	for (unsigned row = 0; row < 7; row++) {
		straight(scratch + 16 * (row + 1), 2);
		diagonal_in_place(scratch + 16 * row, 2);
	}
	diagonal_in_place(scratch + 16 * 7, 2);
	if (over)
		keys_argon2_prefetch_next(to);
	straight(scratch, 16);
	for (unsigned column = 0; column < 7; column++) {
		straight(scratch + 2 * (column + 1), 16);
		diagonal_into(to + 2 * column, scratch + 2 * column, 16);
	}
	diagonal_into(to + 2 * 7, scratch + 2 * 7, 16);
}

static void fill_block(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
		 uint64_t *scratch)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		const vec both = xor_vec(load_vec(previous + 2 * i), load_vec(reference + 2 * i));

		store_vec(scratch + 2 * i, both);
		store_vec(to + 2 * i, both);
	}
	rounds(to, scratch, false);
}

static void fill_block_over(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
		      uint64_t *scratch)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		const vec both = xor_vec(load_vec(previous + 2 * i), load_vec(reference + 2 * i));

		store_vec(scratch + 2 * i, both);
		store_vec(to + 2 * i, xor_vec(load_vec(to + 2 * i), both));
	}
	rounds(to, scratch, true);
}

#endif
