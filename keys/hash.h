/* SPDX-License-Identifier: MIT */
/* Hashes by the names used in LUKS2 headers, and HMAC. */
#ifndef KEYS_HASH_H
#define KEYS_HASH_H

#include <mortise.h>

#define KEYS_HASH_SIZE_MAX 64u

/* Returns the digest size of a hash in bytes, 0 if it is unknown or the crypto library lacks it. */
size_t keys_hash_size(const char *name);

/* Returns the name in lower case and without aliases, NULL if keys_hash_size() is 0. */
const char *keys_hash_name(const char *name);

/* A context, created once to compute a hash many times. */
struct keys_hash;

/* name in any letter case. MORTISE_E_UNSUPPORTED: "hash NAME is not available". */
MORTISE_MUST_CHECK enum mortise_code keys_hash_new(const char *name, struct keys_hash **out,
						   struct mortise_error *err);
/* NULL is allowed. */
void keys_hash_free(struct keys_hash *hash);

struct keys_bytes {
	const void *data;
	size_t size;
};

/* digest = H(part[0] || part[1] || ...); digest has room for keys_hash_size() bytes. */
MORTISE_MUST_CHECK enum mortise_code keys_hash_parts(struct keys_hash *hash,
						     const struct keys_bytes *part, size_t parts,
						     uint8_t *digest, struct mortise_error *err);

/* digest = SHA-256(part[0] || part[1] || ...) */
MORTISE_MUST_CHECK enum mortise_code keys_sha256(const struct keys_bytes *part, size_t parts,
						 uint8_t digest[static 32],
						 struct mortise_error *err);

/* mac = HMAC-SHA-256(key, part[0] || part[1] || ...) (RFC 2104) */
MORTISE_MUST_CHECK enum mortise_code keys_hmac_sha256(struct keys_bytes key,
						      const struct keys_bytes *part, size_t parts,
						      uint8_t mac[static 32],
						      struct mortise_error *err);

/* key = HKDF-SHA-256(secret, without a salt, purpose): one block (RFC 5869). */
MORTISE_MUST_CHECK enum mortise_code keys_hkdf_sha256(struct keys_bytes secret, const char *purpose,
						      uint8_t key[static 32],
						      struct mortise_error *err);

#endif
