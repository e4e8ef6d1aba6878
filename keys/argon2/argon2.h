/* SPDX-License-Identifier: MIT */
/* Argon2i and Argon2id (RFC 9106). */
#ifndef KEYS_ARGON2_H
#define KEYS_ARGON2_H

#include <mortise.h>

#include "keys/hash.h"

#define KEYS_ARGON2_VERSION	0x13u
#define KEYS_ARGON2_VERSION_10	0x10u	/* before 2016: later passes overwrite instead of XOR */

struct keys_argon2_kernel;

struct keys_argon2_input {
	struct keys_bytes passphrase;
	struct keys_bytes salt;			/* at least 8 bytes */
	struct keys_bytes secret;		/* not used by LUKS2 */
	struct keys_bytes associated_data;	/* not used by LUKS2 */
	uint32_t version;			/* 0: KEYS_ARGON2_VERSION */
	/* These do not change the result. Zero selects the fastest. */
	const struct keys_argon2_kernel *kernel; /* from keys_argon2_select() */
	const struct mortise_events *events;	/* NULL: cannot be canceled */
	unsigned threads;			/* maximum, regardless of the number of CPUs */
};

/*
 * Computes tag[0..tag_size-1], at least 4 bytes. The cost must be within the limits of RFC 9106,
 * section 3.1, which keys_kdf_derive() checks. MORTISE_E_MEMORY: memory cannot be allocated.
 * MORTISE_E_CANCELED.
 */
MORTISE_MUST_CHECK enum mortise_code keys_argon2(const struct mortise_kdf *kdf,
						 const struct keys_argon2_input *input,
						 uint8_t *tag, size_t tag_size,
						 struct mortise_error *err);

/*
 * Returns the name of the implementation in use, for display: "avx512", "avx2", "ssse3", "sse2",
 * "neon", "portable", or "libargon2" in a build that uses libargon2.
 */
const char *keys_argon2_kernel(void);

/*
 * Returns the kernel called name, or with NULL the fastest kernel. Returns NULL if this processor
 * cannot run it.
 */
const struct keys_argon2_kernel *keys_argon2_select(const char *name);

#endif
