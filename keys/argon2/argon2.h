/* SPDX-License-Identifier: MIT */
/* Argon2i and Argon2id, version 0x13 (RFC 9106). */
#ifndef KEYS_ARGON2_H
#define KEYS_ARGON2_H

#include <mortise.h>

#include "keys/hash.h"

struct keys_argon2_input {
	struct keys_bytes passphrase;
	struct keys_bytes salt;			/* 8 bytes or more */
	struct keys_bytes secret;		/* LUKS2 has none */
	struct keys_bytes associated_data;	/* LUKS2 has none */
};

/*
 * tag[0..tag_size-1], 4 bytes or more. The cost is within what RFC 9106, section 3.1, allows:
 * keys_kdf_derive() has checked it. MORTISE_E_MEMORY, MORTISE_E_SYSTEM (no thread to be had).
 */
MORTISE_MUST_CHECK enum mortise_code keys_argon2(const struct mortise_kdf *kdf,
						 const struct keys_argon2_input *input,
						 uint8_t *tag, size_t tag_size,
						 struct mortise_error *err);

#endif
