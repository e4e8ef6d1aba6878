/* SPDX-License-Identifier: MIT */
/* Hashes by the names that LUKS2 headers use, and HMAC. */
#ifndef KEYS_HASH_H
#define KEYS_HASH_H

#include <mortise.h>

#define KEYS_HASH_SIZE_MAX 64u

/* Bytes of the hash called name (any letter case), 0 when the crypto library has none such. */
size_t keys_hash_size(const char *name);

/* The same name in lower case and without aliases, NULL when there is none such. */
const char *keys_hash_name(const char *name);

/* One hash computed many times: contexts are made once. */
struct keys_hash;

/* MORTISE_E_UNSUPPORTED when the name is unknown: "hash NAME is not available". */
MORTISE_MUST_CHECK enum mortise_code keys_hash_new(const char *name, struct keys_hash **out,
						   struct mortise_error *err);
/* NULL is allowed. */
void keys_hash_free(struct keys_hash *hash);

struct keys_bytes {
	const void *data;
	size_t size;
};

/* digest = H(part[0] || part[1] || ...); digest has room for the size of this hash. */
MORTISE_MUST_CHECK enum mortise_code keys_hash_parts(struct keys_hash *hash,
						     const struct keys_bytes *part, size_t parts,
						     uint8_t *digest, struct mortise_error *err);

/* SHA-256 of part[0] || part[1] || ... */
MORTISE_MUST_CHECK enum mortise_code keys_sha256(const struct keys_bytes *part, size_t parts,
						 uint8_t digest[static 32],
						 struct mortise_error *err);

/* HMAC-SHA-256 (RFC 2104). */
MORTISE_MUST_CHECK enum mortise_code keys_hmac_sha256(struct keys_bytes key,
						      const struct keys_bytes *part, size_t parts,
						      uint8_t mac[static 32],
						      struct mortise_error *err);

#endif
