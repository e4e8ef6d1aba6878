/* SPDX-License-Identifier: MIT */
/* The operations for kernel_pairs.h that take one or a few instructions of SSE2 (any x86-64). */
#ifndef KEYS_ARGON2_KERNEL_SSE_H
#define KEYS_ARGON2_KERNEL_SSE_H

#include <emmintrin.h>
#include <stdint.h>

typedef __m128i vec;

static inline vec load_vec(const uint64_t *words)
{
	return _mm_load_si128((const __m128i *)words);
}

static inline void store_vec(uint64_t *words, vec x)
{
	_mm_store_si128((__m128i *)words, x);
}

static inline vec xor_vec(vec x, vec y)
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

static inline vec rotate63(vec x)
{
	return _mm_xor_si128(_mm_srli_epi64(x, 63), _mm_add_epi64(x, x));
}

#endif
