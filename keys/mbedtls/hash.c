/* SPDX-License-Identifier: MIT */
/* Hashes and HMAC through Mbed TLS 2.28 or 3.x. */
#include <stdlib.h>
#include <string.h>

#include "keys/crypto.h"
#include "keys/mbedtls/md.h"

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

bool keys_crypto_hmac_sha256(struct keys_bytes key, const struct keys_bytes *part, size_t parts,
			     uint8_t mac[static 32])
{
	mbedtls_md_context_t context;
	int error;

	mbedtls_md_init(&context);
	error = mbedtls_md_setup(&context, keys_mbedtls_md("sha256", NULL), 1);
	if (!error)
		error = mbedtls_md_hmac_starts(&context, key.data, key.size);
	for (size_t i = 0; !error && i < parts; i++)
		error = mbedtls_md_hmac_update(&context, part[i].data, part[i].size);
	if (!error)
		error = mbedtls_md_hmac_finish(&context, mac);
	mbedtls_md_free(&context);
	return !error;
}

const char *keys_crypto_library(void)
{
	return "Mbed TLS";
}
