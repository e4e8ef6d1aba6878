/* SPDX-License-Identifier: MIT */
/* PBKDF2 (RFC 8018, section 5.2) with HMAC. */
#ifndef KEYS_PBKDF2_H
#define KEYS_PBKDF2_H

#include "keys/hash.h"

struct keys_pbkdf2 {
	const char *hash;	/* from keys_hash_name() */
	struct keys_bytes passphrase;
	struct keys_bytes salt;	/* at most MORTISE_SALT_MAX bytes */
	uint32_t iterations;	/* at least 1 */
	const struct mortise_events *events;	/* NULL: cannot be canceled */
};

/*
 * Derives key[0..key_size-1], at least 1 byte, and wipes it after an error. MORTISE_E_SYSTEM: the
 * crypto library failed. MORTISE_E_CANCELED.
 */
MORTISE_MUST_CHECK enum mortise_code keys_pbkdf2(const struct keys_pbkdf2 *what, uint8_t *key,
						 size_t key_size);

#endif
