/* SPDX-License-Identifier: MIT */
/* Argon2's compression function in C, for any processor. */
#include "keys/argon2/kernel.h"

static inline uint64_t mix(uint64_t x, uint64_t y)
{
	return x + y + 2 * (uint64_t)(uint32_t)x * (uint32_t)y;
}

static inline uint64_t rotate(uint64_t x, unsigned bits)
{
	return x >> bits | x << (64 - bits);
}

/* One of the eight G of a permutation. The words stay in memory: there are too few registers. */
static inline void quarter_round(uint64_t *at_a, uint64_t *at_b, uint64_t *at_c, uint64_t *at_d)
{
	uint64_t a = *at_a, b = *at_b, c = *at_c, d = *at_d;

	a = mix(a, b);
	d = rotate(d ^ a, 32);
	c = mix(c, d);
	b = rotate(b ^ c, 24);
	a = mix(a, b);
	d = rotate(d ^ a, 16);
	c = mix(c, d);
	b = rotate(b ^ c, 63);
	*at_a = a;
	*at_b = b;
	*at_c = c;
	*at_d = d;
}

/* Word i of a permutation whose eight pairs of words are stride words apart. */
#define AT(i) (words + (i) / 2 * stride + (i) % 2)

static inline void permute(uint64_t *words, unsigned stride)
{
	quarter_round(AT(0), AT(4), AT(8), AT(12));
	quarter_round(AT(1), AT(5), AT(9), AT(13));
	quarter_round(AT(2), AT(6), AT(10), AT(14));
	quarter_round(AT(3), AT(7), AT(11), AT(15));
	quarter_round(AT(0), AT(5), AT(10), AT(15));
	quarter_round(AT(1), AT(6), AT(11), AT(12));
	quarter_round(AT(2), AT(7), AT(8), AT(13));
	quarter_round(AT(3), AT(4), AT(9), AT(14));
}

static void rounds(uint64_t *to, uint64_t *scratch, bool over)
{
	for (unsigned row = 0; row < 8; row++)
		permute(scratch + 16 * row, 2);
	if (over)
		keys_argon2_prefetch_next(to);
	for (unsigned column = 0; column < 8; column++)
		permute(scratch + 2 * column, 16);
	for (unsigned i = 0; i < KEYS_ARGON2_BLOCK_WORDS; i++)
		to[i] ^= scratch[i];
}

static void fill_block(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
		       uint64_t *scratch)
{
	for (unsigned i = 0; i < KEYS_ARGON2_BLOCK_WORDS; i++)
		to[i] = scratch[i] = previous[i] ^ reference[i];
	rounds(to, scratch, false);
}

static void fill_block_over(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
			    uint64_t *scratch)
{
	for (unsigned i = 0; i < KEYS_ARGON2_BLOCK_WORDS; i++) {
		scratch[i] = previous[i] ^ reference[i];
		to[i] ^= scratch[i];
	}
	rounds(to, scratch, true);
}

const struct keys_argon2_kernel keys_argon2_portable = {
	.name = "portable",
	.fill = fill_block,
	.fill_over = fill_block_over,
};
