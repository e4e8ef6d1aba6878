/* SPDX-License-Identifier: MIT */
/* The kernel for vectors of two words; included once by each file that has such vectors. */
#ifndef KEYS_ARGON2_KERNEL_PAIRS_H
#define KEYS_ARGON2_KERNEL_PAIRS_H

#include "keys/argon2/kernel.h"
#include "keys/argon2/kernel_rounds.h"

#define PAIRS (KEYS_ARGON2_BLOCK_WORDS / 2)

/*
 * A half of one permutation and a half of another stand beside each other, so that the
 * processor always has two chains to work on. Loops stay rolled: they fit the micro-op cache.
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
		keys_argon2_ask_for_next(to);
	straight(scratch, 16);
	for (unsigned column = 0; column < 7; column++) {
		straight(scratch + 2 * (column + 1), 16);
		diagonal_into(to + 2 * column, scratch + 2 * column, 16);
	}
	diagonal_into(to + 2 * 7, scratch + 2 * 7, 16);
}

static void fill(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
		 uint64_t *scratch)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		const vec both = exclusive(load(previous + 2 * i), load(reference + 2 * i));

		store(scratch + 2 * i, both);
		store(to + 2 * i, both);
	}
	rounds(to, scratch, false);
}

static void fill_over(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
		      uint64_t *scratch)
{
	for (unsigned i = 0; i < PAIRS; i++) {
		const vec both = exclusive(load(previous + 2 * i), load(reference + 2 * i));

		store(scratch + 2 * i, both);
		store(to + 2 * i, exclusive(load(to + 2 * i), both));
	}
	rounds(to, scratch, true);
}

#endif
