/* SPDX-License-Identifier: MIT */
/* Argon2's compression function for any x86-64. */
#include "keys/argon2/kernel.h"

#if defined(__x86_64__)

#include "keys/argon2/kernel_sse.h"

static inline vec rotate24(vec x)
{
	return _mm_xor_si128(_mm_srli_epi64(x, 24), _mm_slli_epi64(x, 40));
}

static inline vec rotate16(vec x)
{
	return _mm_shufflehi_epi16(_mm_shufflelo_epi16(x, 0x39), 0x39);
}

static inline vec join(vec x, vec y)
{
	return _mm_castpd_si128(_mm_shuffle_pd(_mm_castsi128_pd(x), _mm_castsi128_pd(y), 1));
}

#include "keys/argon2/kernel_pairs.h"

const struct keys_argon2_kernel keys_argon2_sse2 = {
	.name = "sse2",
	.fill = fill_block,
	.fill_over = fill_block_over,
};

#endif
