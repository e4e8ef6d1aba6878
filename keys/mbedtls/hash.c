/* SPDX-License-Identifier: MIT */
/* Hashes and HMAC through Mbed TLS 2.28 or 3.x. */
#include <stdlib.h>
#include <string.h>

#include "keys/crypto.h"
#include "keys/mbedtls/md.h"
#include "base/secret.h"

struct keys_hash {
	mbedtls_md_context_t context;
};

/* Mbed TLS has SHA-3 since 3.5. It lacks BLAKE2, SM3 and Whirlpool. */
static const struct {
	const char *name;
	mbedtls_md_type_t type;
	size_t block; /* bytes */
} hashes[] = {
	{ "sha256", MBEDTLS_MD_SHA256, 64 },	  { "sha512", MBEDTLS_MD_SHA512, 128 },
	{ "sha1", MBEDTLS_MD_SHA1, 64 },	  { "sha224", MBEDTLS_MD_SHA224, 64 },
	{ "sha384", MBEDTLS_MD_SHA384, 128 },	  { "ripemd160", MBEDTLS_MD_RIPEMD160, 64 },
#ifdef MBEDTLS_SHA3_C
	{ "sha3-224", MBEDTLS_MD_SHA3_224, 144 }, { "sha3-256", MBEDTLS_MD_SHA3_256, 136 },
	{ "sha3-384", MBEDTLS_MD_SHA3_384, 104 }, { "sha3-512", MBEDTLS_MD_SHA3_512, 72 },
#endif
};

const mbedtls_md_info_t *keys_mbedtls_md(const char *name, size_t *block)
{
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (strcmp(name, hashes[i].name))
			continue;
		if (block)
			*block = hashes[i].block;
		return mbedtls_md_info_from_type(hashes[i].type);
	}
	return NULL;
}

size_t keys_crypto_hash_size(const char *name)
{
	const mbedtls_md_info_t *info = keys_mbedtls_md(name, NULL);

	return info ? mbedtls_md_get_size(info) : 0;
}

struct keys_hash *keys_crypto_hash_new(const char *name)
{
	struct keys_hash *hash = calloc(1, sizeof(*hash));

	if (!hash)
		return NULL;
	mbedtls_md_init(&hash->context);
	if (!mbedtls_md_setup(&hash->context, keys_mbedtls_md(name, NULL), 0))
		return hash;
	keys_crypto_hash_free(hash);
	return NULL;
}

void keys_crypto_hash_free(struct keys_hash *hash)
{
	if (!hash)
		return;
	mbedtls_md_free(&hash->context);
	free(hash);
}

bool keys_crypto_hash(struct keys_hash *hash, const struct keys_bytes *part, size_t parts,
		      uint8_t *digest)
{
	int error = mbedtls_md_starts(&hash->context);

	for (size_t i = 0; !error && i < parts; i++)
		error = mbedtls_md_update(&hash->context, part[i].data, part[i].size);
	return !error && !mbedtls_md_finish(&hash->context, digest);
}

/*
 * Mbed TLS's own HMAC hashes the padded key again for each MAC. This one keeps the states after the
 * padded key, as proposed in RFC 2104, section 4.
 */
struct keys_hmac {
	mbedtls_md_context_t inner, outer; /* after the padded key */
	mbedtls_md_context_t work;
	size_t size; /* bytes of a digest */
};

static int absorb_key(mbedtls_md_context_t *state, const uint8_t *key, size_t block, uint8_t pad)
{
	uint8_t padded[KEYS_MBEDTLS_BLOCK_MAX];
	int error;

	for (size_t i = 0; i < block; i++)
		padded[i] = key[i] ^ pad;
	error = mbedtls_md_starts(state);
	if (!error)
		error = mbedtls_md_update(state, padded, block);
	secret_wipe(padded, sizeof(padded));
	return error;
}

static int set_key(struct keys_hmac *hmac, const mbedtls_md_info_t *info, size_t block,
		   struct keys_bytes key)
{
	uint8_t bytes[KEYS_MBEDTLS_BLOCK_MAX] = { 0 };
	int error;

	error = mbedtls_md_setup(&hmac->inner, info, 0);
	if (error)
		goto out;
	error = mbedtls_md_setup(&hmac->outer, info, 0);
	if (error)
		goto out;
	error = mbedtls_md_setup(&hmac->work, info, 0);
	if (error)
		goto out;
	if (key.size > block)
		error = mbedtls_md(info, key.data, key.size, bytes);
	else if (key.size)
		memcpy(bytes, key.data, key.size);
	if (error)
		goto out;
	error = absorb_key(&hmac->inner, bytes, block, 0x36);
	if (error)
		goto out;
	error = absorb_key(&hmac->outer, bytes, block, 0x5c);
out:
	secret_wipe(bytes, sizeof(bytes));
	return error;
}

struct keys_hmac *keys_crypto_hmac_new(const char *name, struct keys_bytes key)
{
	struct keys_hmac *hmac = calloc(1, sizeof(*hmac));
	size_t block = 0;
	const mbedtls_md_info_t *info = keys_mbedtls_md(name, &block);

	if (!hmac)
		return NULL;
	mbedtls_md_init(&hmac->inner);
	mbedtls_md_init(&hmac->outer);
	mbedtls_md_init(&hmac->work);
	hmac->size = info ? mbedtls_md_get_size(info) : 0;
	if (info && !set_key(hmac, info, block, key))
		return hmac;
	keys_crypto_hmac_free(hmac);
	return NULL;
}

void keys_crypto_hmac_free(struct keys_hmac *hmac)
{
	if (!hmac)
		return;
	mbedtls_md_free(&hmac->inner);
	mbedtls_md_free(&hmac->outer);
	mbedtls_md_free(&hmac->work);
	free(hmac);
}

bool keys_crypto_hmac(struct keys_hmac *hmac, const struct keys_bytes *part, size_t parts,
		      uint8_t *mac)
{
	int error = mbedtls_md_clone(&hmac->work, &hmac->inner);

	for (size_t i = 0; !error && i < parts; i++)
		error = mbedtls_md_update(&hmac->work, part[i].data, part[i].size);
	if (!error)
		error = mbedtls_md_finish(&hmac->work, mac);
	if (!error)
		error = mbedtls_md_clone(&hmac->work, &hmac->outer);
	if (!error)
		error = mbedtls_md_update(&hmac->work, mac, hmac->size);
	return !error && !mbedtls_md_finish(&hmac->work, mac);
}

const char *keys_crypto_library(void)
{
	return "Mbed TLS";
}
