/* SPDX-License-Identifier: MIT */
/* Argon2's compression function for x86-64 with SSSE3, whose byte shuffle rotates by 16 and 24. */
#include "keys/argon2/kernel.h"

#if defined(__x86_64__)

#include <tmmintrin.h>

#include "keys/argon2/kernel_sse.h"

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

static inline vec join(vec x, vec y)
{
	return _mm_alignr_epi8(y, x, 8);
}

#include "keys/argon2/kernel_pairs.h"

const struct keys_argon2_kernel keys_argon2_ssse3 = {
	.name = "ssse3",
	.fill = fill_block,
	.fill_over = fill_block_over,
};

#endif
