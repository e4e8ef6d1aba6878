/* SPDX-License-Identifier: MIT */
/* Argon2's compression function for AArch64 with Advanced SIMD (NEON). */
#include "keys/argon2/kernel.h"

#if defined(__aarch64__)

#include <arm_neon.h>
#include <stdint.h>

typedef uint64x2_t vec;

static inline vec load_vec(const uint64_t *words)
{
	return vld1q_u64(words);
}

static inline void store_vec(uint64_t *words, vec x)
{
	vst1q_u64(words, x);
}

static inline vec xor_vec(vec x, vec y)
{
	return veorq_u64(x, y);
}

static inline vec mix(vec x, vec y)
{
	const uint32x2_t low_x = vmovn_u64(x), low_y = vmovn_u64(y);

	return vmlal_u32(vmlal_u32(vaddq_u64(x, y), low_x, low_y), low_x, low_y);
}

static inline vec rotate32(vec x)
{
	return vreinterpretq_u64_u32(vrev64q_u32(vreinterpretq_u32_u64(x)));
}

static inline vec rotate24(vec x)
{
	static const uint8_t from[16] = { 3, 4, 5, 6, 7, 0, 1, 2, 11, 12, 13, 14, 15, 8, 9, 10 };

	return vreinterpretq_u64_u8(vqtbl1q_u8(vreinterpretq_u8_u64(x), vld1q_u8(from)));
}

static inline vec rotate16(vec x)
{
	static const uint8_t from[16] = { 2, 3, 4, 5, 6, 7, 0, 1, 10, 11, 12, 13, 14, 15, 8, 9 };

	return vreinterpretq_u64_u8(vqtbl1q_u8(vreinterpretq_u8_u64(x), vld1q_u8(from)));
}

static inline vec rotate63(vec x)
{
	return vsriq_n_u64(vaddq_u64(x, x), x, 63);
}

static inline vec join(vec x, vec y)
{
	return vextq_u64(x, y, 1);
}

#include "keys/argon2/kernel_pairs.h"

const struct keys_argon2_kernel keys_argon2_neon = {
	.name = "neon",
	.fill = fill_block,
	.fill_over = fill_block_over,
};

#endif
