/* SPDX-License-Identifier: MIT */
/* Argon2's compression function (RFC 9106, section 3.5), one kernel for each instruction set. */
#ifndef KEYS_ARGON2_KERNEL_H
#define KEYS_ARGON2_KERNEL_H

#include <stdbool.h>
#include <stdint.h>

#define KEYS_ARGON2_BLOCK_WORDS	128u
#define KEYS_ARGON2_BLOCK_SIZE	1024u

/*
 * All blocks are 64-byte aligned and hold words in the machine's byte order. to differs from
 * previous and from reference. scratch is one block; it holds secrets afterwards.
 */
typedef void keys_argon2_compress(uint64_t *to, const uint64_t *previous,
				  const uint64_t *reference, uint64_t *scratch);

struct keys_argon2_kernel {
	const char *name;
	bool paired_rows;		/* see keys_argon2_position() */
	keys_argon2_compress *fill;	/* to = G(previous, reference) */
	keys_argon2_compress *fill_over;/* to ^= G(previous, reference), prefetching what follows */
};

/*
 * fill_over() calls this after it has loaded its own block and before it returns, because memory
 * would be idle while it computes. Blocks are filled in order, so the following blocks are known.
 * The block two ahead is prefetched; beyond the last block this is harmless, since a prefetch
 * never faults.
 */
static inline void keys_argon2_prefetch_next(const uint64_t *to)
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
 * Returns the position at which a kernel stores word 0..127 of a block. With paired_rows, each
 * vector of eight words holds four words of row 2y and the same four words of row 2y+1, so that
 * one layout serves rows and columns without transposing. Word 0, from which addresses are
 * derived, is always at position 0.
 */
static inline unsigned keys_argon2_position(const struct keys_argon2_kernel *kernel, unsigned word)
{
	const unsigned row = word / 16, quarter = word % 16 / 4;

	if (!kernel->paired_rows)
		return word;
	return (row / 2 * 4 + quarter) * 8 + row % 2 * 4 + word % 4;
}

/* The kernels that this processor can run, indexed from 0, fastest first; NULL after the last. */
const struct keys_argon2_kernel *keys_argon2_kernel_at(unsigned index);

#endif
