/* SPDX-License-Identifier: MIT */
/* Argon2's compression function (RFC 9106, section 3.5) in the ways that processors are fast at. */
#ifndef KEYS_ARGON2_KERNEL_H
#define KEYS_ARGON2_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#define KEYS_ARGON2_BLOCK_WORDS	128u
#define KEYS_ARGON2_BLOCK_SIZE	1024u

/*
 * Every block is 64-byte aligned and holds words in the machine's byte order. to is neither
 * previous nor reference; scratch is one block, and holds secrets afterwards.
 */
typedef void keys_argon2_compress(uint64_t *to, const uint64_t *previous,
				  const uint64_t *reference, uint64_t *scratch);

struct keys_argon2_kernel {
	const char *name;
	bool paired_rows;		/* see keys_argon2_position() */
	keys_argon2_compress *fill;	/* to = G(previous, reference) */
	keys_argon2_compress *fill_over;/* to ^= G(previous, reference); asks for what comes next */
};

/*
 * For fill_over(), once the loads of its own block are done and before it ends: memory would
 * be idle while it computes. Blocks are filled over in order, so what comes next is known; two
 * ahead, and beyond the last block it does no harm, since asking never faults.
 */
static inline void keys_argon2_ask_for_next(const uint64_t *to)
{
	const char *next = (const char *)((uintptr_t)to + 2 * KEYS_ARGON2_BLOCK_SIZE);

	for (unsigned i = 0; i < KEYS_ARGON2_BLOCK_SIZE; i += 64)
		__builtin_prefetch(next + i);
}

extern const struct keys_argon2_kernel keys_argon2_portable;
#if defined(__x86_64__)
extern const struct keys_argon2_kernel keys_argon2_sse2;
extern const struct keys_argon2_kernel keys_argon2_ssse3;
extern const struct keys_argon2_kernel keys_argon2_avx2;
extern const struct keys_argon2_kernel keys_argon2_avx512;
#elif defined(__aarch64__)
extern const struct keys_argon2_kernel keys_argon2_neon;
#endif

/*
 * Where a kernel keeps word 0..127 of a block. Vectors of eight words hold four of row 2y and
 * the same four of row 2y+1, so that one layout serves rows and columns without transposing.
 * Word 0, from which addresses are taken, is at 0 always.
 */
static inline unsigned keys_argon2_position(const struct keys_argon2_kernel *kernel, unsigned word)
{
	const unsigned row = word / 16, quarter = word % 16 / 4;

	if (!kernel->paired_rows)
		return word;
	return (row / 2 * 4 + quarter) * 8 + row % 2 * 4 + word % 4;
}

/* Kernel number index of those that this processor has, the fastest first; NULL at the end. */
const struct keys_argon2_kernel *keys_argon2_kernel_at(unsigned index);

#endif
