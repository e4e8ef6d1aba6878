/* SPDX-License-Identifier: MIT */
/* Argon2's compression function for x86-64 with AVX2. */
#include "keys/argon2/kernel.h"

#if defined(__x86_64__)

#include <immintrin.h>
#include <stdint.h>

typedef __m256i vec;

static inline vec load_vec(const uint64_t *words)
{
	return _mm256_load_si256((const __m256i *)words);
}

static inline void store_vec(uint64_t *words, vec x)
{
	_mm256_store_si256((__m256i *)words, x);
}

static inline vec xor_vec(vec x, vec y)
{
	return _mm256_xor_si256(x, y);
}

static inline vec mix(vec x, vec y)
{
	const vec product = _mm256_mul_epu32(x, y);

	return _mm256_add_epi64(_mm256_add_epi64(x, y), _mm256_add_epi64(product, product));
}

static inline vec rotate32(vec x)
{
	return _mm256_shuffle_epi32(x, 0xb1);
}

static inline vec rotate24(vec x)
{
	return _mm256_shuffle_epi8(x, _mm256_setr_epi8(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15,
						       8, 9, 10, 3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13,
						       14, 15, 8, 9, 10));
}

static inline vec rotate16(vec x)
{
	return _mm256_shuffle_epi8(x, _mm256_setr_epi8(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14,
						       15, 8, 9, 2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12,
						       13, 14, 15, 8, 9));
}

static inline vec rotate63(vec x)
{
	return _mm256_xor_si256(_mm256_srli_epi64(x, 63), _mm256_add_epi64(x, x));
}

static inline vec join(vec x, vec y)
{
	return _mm256_alignr_epi8(y, x, 8);
}

#include "keys/argon2/kernel_rounds.h"

#define ROW   16u
#define LEFT  0x39 /* elements 1 2 3 0 */
#define SWAP  0x4e /* elements 2 3 0 1 */
#define RIGHT 0x93 /* elements 3 0 1 2 */

/* Two rows, each of four vectors. */
INLINE struct eight load_rows(const uint64_t *words)
{
	const uint64_t *next = words + ROW;

	return (struct eight){
		load_vec(words),     load_vec(next),	 load_vec(words + 4),  load_vec(next + 4),
		load_vec(words + 8), load_vec(next + 8), load_vec(words + 12), load_vec(next + 12),
	};
}

INLINE void store_rows(uint64_t *words, struct eight x)
{
	uint64_t *next = words + ROW;

	store_vec(words, x.a0);
	store_vec(words + 4, x.b0);
	store_vec(words + 8, x.c0);
	store_vec(words + 12, x.d0);
	store_vec(next, x.a1);
	store_vec(next + 4, x.b1);
	store_vec(next + 8, x.c1);
	store_vec(next + 12, x.d1);
}

/* Also stores in *to the value that the result is XORed with at the end. */
INLINE void rows_straight(uint64_t *to, uint64_t *words, const uint64_t *previous,
			  const uint64_t *reference, bool over)
{
	const struct eight x = xor_eight(load_rows(previous), load_rows(reference));

	store_rows(to, over ? xor_eight(load_rows(to), x) : x);
	store_rows(words, half_round(x));
}

/* b is not rotated, for the reason given at diagonal(). */
INLINE void rows_diagonal(uint64_t *words)
{
	struct eight x = load_rows(words);

	x.a0 = _mm256_permute4x64_epi64(x.a0, RIGHT);
	x.a1 = _mm256_permute4x64_epi64(x.a1, RIGHT);
	x.c0 = _mm256_permute4x64_epi64(x.c0, LEFT);
	x.c1 = _mm256_permute4x64_epi64(x.c1, LEFT);
	x.d0 = _mm256_permute4x64_epi64(x.d0, SWAP);
	x.d1 = _mm256_permute4x64_epi64(x.d1, SWAP);
	x = half_round(x);
	x.a0 = _mm256_permute4x64_epi64(x.a0, LEFT);
	x.a1 = _mm256_permute4x64_epi64(x.a1, LEFT);
	x.c0 = _mm256_permute4x64_epi64(x.c0, RIGHT);
	x.c1 = _mm256_permute4x64_epi64(x.c1, RIGHT);
	x.d0 = _mm256_permute4x64_epi64(x.d0, SWAP);
	x.d1 = _mm256_permute4x64_epi64(x.d1, SWAP);
	store_rows(words, x);
}

/*
 * The second half of each permutation is interleaved with the first half of the next one, so that
 * the processor always has two dependency chains to work on. Values pass through scratch.
 */
INLINE void compress(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
		     uint64_t *scratch, bool over)
{
	rows_straight(to, scratch, previous, reference, over);
	for (unsigned row = 0; row < 6; row += 2) {
		const unsigned next = ROW * (row + 2);

		rows_straight(to + next, scratch + next, previous + next, reference + next, over);
		rows_diagonal(scratch + ROW * row);
	}
	rows_diagonal(scratch + ROW * 6);
	if (over)
		keys_argon2_prefetch_next(to);
	straight(scratch, ROW);
	for (unsigned word = 0; word < 12; word += 4) {
		straight(scratch + word + 4, ROW);
		diagonal_into(to + word, scratch + word, ROW);
	}
	diagonal_into(to + 12, scratch + 12, ROW);
}

static void fill_block(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
		       uint64_t *scratch)
{
	compress(to, previous, reference, scratch, false);
}

static void fill_block_over(uint64_t *to, const uint64_t *previous, const uint64_t *reference,
			    uint64_t *scratch)
{
	compress(to, previous, reference, scratch, true);
}

const struct keys_argon2_kernel keys_argon2_avx2 = {
	.name = "avx2",
	.fill = fill_block,
	.fill_over = fill_block_over,
};

#endif
