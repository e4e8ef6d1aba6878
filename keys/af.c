/* SPDX-License-Identifier: MIT */
/* The anti-forensic splitter: every stripe is needed to recover the key. */
#include "keys/af.h"

#include <string.h>

#include "keys/hash.h"
#include "base/secret.h"

static void xor_into(uint8_t *sum, const uint8_t *stripe, size_t size)
{
	for (size_t i = 0; i < size; i++)
		sum[i] ^= stripe[i];
}

/*
 * LUKS2 specification 1.1.1, section 2.4.1 (H1): replaces each piece of the digest's size by the
 * hash of its number (32 bits, big-endian) and its content. A short last piece gets the beginning
 * of its hash.
 */
static enum mortise_code diffuse(struct keys_hash *hash, size_t digest_size, uint8_t *block,
				 size_t size, struct mortise_error *err)
{
	uint8_t digest[KEYS_HASH_SIZE_MAX];
	enum mortise_code code = MORTISE_OK;
	size_t at, piece;
	uint32_t number = 0;

	for (at = 0; at < size && !code; at += piece, number++) {
		const uint8_t index[4] = { (uint8_t)(number >> 24), (uint8_t)(number >> 16),
					   (uint8_t)(number >> 8), (uint8_t)number };
		piece = size - at < digest_size ? size - at : digest_size;
		const struct keys_bytes part[] = { { index, 4 }, { block + at, piece } };

		code = keys_hash_parts(hash, part, 2, digest, err);
		if (!code)
			memcpy(block + at, digest, piece);
	}
	secret_wipe(digest, sizeof(digest));
	return code;
}

/* Sets sum to the XOR of the key and the last stripe. Reads all stripes except the last. */
static enum mortise_code sum_stripes(const uint8_t *split, size_t key_size, unsigned stripes,
				     const char *hash_name, uint8_t *sum, struct mortise_error *err)
{
	const size_t digest_size = keys_hash_size(hash_name);
	struct keys_hash *hash = NULL;
	enum mortise_code code;

	memset(sum, 0, key_size);
	code = keys_hash_new(hash_name, &hash, err);
	for (unsigned i = 0; !code && i + 1 < stripes; i++) {
		xor_into(sum, split + (size_t)i * key_size, key_size);
		code = diffuse(hash, digest_size, sum, key_size, err);
	}
	keys_hash_free(hash);
	return code;
}

enum mortise_code keys_af_split(const uint8_t *key, size_t key_size, unsigned stripes,
				const char *hash, uint8_t *split, struct mortise_error *err)
{
	uint8_t *last = split + (size_t)(stripes - 1) * key_size;
	enum mortise_code code;

	code = random_bytes(split, (size_t)(stripes - 1) * key_size, err);
	if (!code)
		code = sum_stripes(split, key_size, stripes, hash, last, err);
	if (!code)
		xor_into(last, key, key_size);
	return code;
}

enum mortise_code keys_af_merge(const uint8_t *split, size_t key_size, unsigned stripes,
				const char *hash, uint8_t *key, struct mortise_error *err)
{
	enum mortise_code code = sum_stripes(split, key_size, stripes, hash, key, err);

	if (code)
		secret_wipe(key, key_size);
	else
		xor_into(key, split + (size_t)(stripes - 1) * key_size, key_size);
	return code;
}
