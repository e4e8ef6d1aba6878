/* SPDX-License-Identifier: MIT */
/* Argon2i and Argon2id (RFC 9106). */
#ifndef KEYS_ARGON2_H
#define KEYS_ARGON2_H

#include <mortise.h>

#include "keys/hash.h"

#define KEYS_ARGON2_VERSION	0x13u
#define KEYS_ARGON2_VERSION_10	0x10u	/* before 2016: later passes overwrite, without XOR */

struct keys_argon2_kernel;

struct keys_argon2_input {
	struct keys_bytes passphrase;
	struct keys_bytes salt;			/* 8 bytes or more */
	struct keys_bytes secret;		/* LUKS2 has none */
	struct keys_bytes associated_data;	/* LUKS2 has none */
	uint32_t version;			/* 0: KEYS_ARGON2_VERSION */
	/* The result does not depend on these; zero is best. */
	const struct keys_argon2_kernel *kernel; /* from keys_argon2_select() */
	unsigned threads;			/* at most so many, whatever the processors */
};

/*
 * tag[0..tag_size-1], 4 bytes or more. The cost is within what RFC 9106, section 3.1, allows:
 * keys_kdf_derive() has checked it. MORTISE_E_MEMORY.
 */
MORTISE_MUST_CHECK enum mortise_code keys_argon2(const struct mortise_kdf *kdf,
						 const struct keys_argon2_input *input,
						 uint8_t *tag, size_t tag_size,
						 struct mortise_error *err);

/*
 * What computes here, for a person to read: "avx512", "avx2", "ssse3", "sse2", "neon",
 * "portable", or "libargon2" in a build with that.
 */
const char *keys_argon2_kernel(void);

/* The fastest kernel that this processor has, or the one called name: NULL when it has none. */
const struct keys_argon2_kernel *keys_argon2_select(const char *name);

#endif
