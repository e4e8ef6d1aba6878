/* SPDX-License-Identifier: MIT */
/* Argon2's compression function for x86-64 with SSSE3, whose byte shuffle rotates by 16 and 24. */
#include "keys/argon2/kernel.h"

#if defined(__x86_64__)

#include <stdint.h>
#include <tmmintrin.h>

typedef __m128i vec;

static inline vec load(const uint64_t *words)
{
	return _mm_load_si128((const __m128i *)words);
}

static inline void store(uint64_t *words, vec x)
{
	_mm_store_si128((__m128i *)words, x);
}

static inline vec exclusive(vec x, vec y)
{
	return _mm_xor_si128(x, y);
}

static inline vec mix(vec x, vec y)
{
	const vec product = _mm_mul_epu32(x, y);

	return _mm_add_epi64(_mm_add_epi64(x, y), _mm_add_epi64(product, product));
}

static inline vec rotate32(vec x)
{
	return _mm_shuffle_epi32(x, 0xb1);
}

static inline vec rotate24(vec x)
{
	return _mm_shuffle_epi8(
		x, _mm_setr_epi8(3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10));
}

static inline vec rotate16(vec x)
{
	return _mm_shuffle_epi8(
		x, _mm_setr_epi8(2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9));
}

static inline vec rotate63(vec x)
{
	return _mm_xor_si128(_mm_srli_epi64(x, 63), _mm_add_epi64(x, x));
}

static inline vec join(vec x, vec y)
{
	return _mm_alignr_epi8(y, x, 8);
}

#include "keys/argon2/kernel_pairs.h"

const struct keys_argon2_kernel keys_argon2_ssse3 = {
	.name = "ssse3",
	.fill = fill,
	.fill_over = fill_over,
};

#endif
