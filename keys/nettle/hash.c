/* SPDX-License-Identifier: MIT */
/* Hashes and HMAC through Nettle. */
#include "keys/nettle/md.h"

#include <nettle/hmac.h>
#include <stdlib.h>
#include <string.h>

#include "keys/crypto.h"
#include "base/secret.h"

struct keys_hash {
	const struct nettle_hash *hash;
	_Alignas(max_align_t) uint8_t state[];
};

/* Nettle lacks BLAKE2 and Whirlpool. */
static const struct {
	const char *name;
	const struct nettle_hash *hash;
} hashes[] = {
	{ "sha256", &nettle_sha256 },
	{ "sha512", &nettle_sha512 },
	{ "sha1", &nettle_sha1 },
	{ "sha224", &nettle_sha224 },
	{ "sha384", &nettle_sha384 },
	{ "sha3-224", &nettle_sha3_224 },
	{ "sha3-256", &nettle_sha3_256 },
	{ "sha3-384", &nettle_sha3_384 },
	{ "sha3-512", &nettle_sha3_512 },
	{ "ripemd160", &nettle_ripemd160 },
	{ "sm3", &nettle_sm3 },
	{ "sha512-224", &nettle_sha512_224 },
	{ "sha512-256", &nettle_sha512_256 },
};

const struct nettle_hash *keys_nettle_md(const char *name)
{
	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++)
		if (!strcmp(name, hashes[i].name))
			return hashes[i].hash;
	return NULL;
}

size_t keys_crypto_hash_size(const char *name)
{
	const struct nettle_hash *hash = keys_nettle_md(name);

	return hash ? hash->digest_size : 0;
}

struct keys_hash *keys_crypto_hash_new(const char *name)
{
	const struct nettle_hash *algorithm = keys_nettle_md(name);
	struct keys_hash *hash = calloc(1, sizeof(*hash) + algorithm->context_size);

	if (!hash)
		return NULL;
	hash->hash = algorithm;
	algorithm->init(hash->state);
	return hash;
}

void keys_crypto_hash_free(struct keys_hash *hash)
{
	if (!hash)
		return;
	secret_wipe(hash->state, hash->hash->context_size);
	free(hash);
}

bool keys_crypto_hash(struct keys_hash *hash, const struct keys_bytes *part, size_t parts,
		      uint8_t *digest)
{
	for (size_t i = 0; i < parts; i++)
		hash->hash->update(hash->state, part[i].size, part[i].data);
		/* This also resets the state. */
#if NETTLE_VERSION_MAJOR < 4
	hash->hash->digest(hash->state, hash->hash->digest_size, digest);
#else
	hash->hash->digest(hash->state, digest);
#endif
	return true;
}

/* Three states of the hash, one after another. */
struct keys_hmac {
	const struct nettle_hash *hash;
	uint8_t *outer, *inner, *work;
	_Alignas(max_align_t) uint8_t states[];
};

/* Returns the bytes from one state to the next, which is aligned like memory from malloc(). */
static size_t stride(const struct nettle_hash *hash)
{
	const size_t alignment = _Alignof(max_align_t);

	return (hash->context_size + alignment - 1) / alignment * alignment;
}

struct keys_hmac *keys_crypto_hmac_new(const char *name, struct keys_bytes key)
{
	const struct nettle_hash *hash = keys_nettle_md(name);
	struct keys_hmac *hmac = hash ? calloc(1, sizeof(*hmac) + 3 * stride(hash)) : NULL;

	if (!hmac)
		return NULL;
	hmac->hash = hash;
	hmac->outer = hmac->states;
	hmac->inner = hmac->outer + stride(hash);
	hmac->work = hmac->inner + stride(hash);
	hmac_set_key(hmac->outer, hmac->inner, hmac->work, hash, key.size, key.data);
	return hmac;
}

void keys_crypto_hmac_free(struct keys_hmac *hmac)
{
	if (!hmac)
		return;
	secret_wipe(hmac->states, 3 * stride(hmac->hash));
	free(hmac);
}

bool keys_crypto_hmac(struct keys_hmac *hmac, const struct keys_bytes *part, size_t parts,
		      uint8_t *mac)
{
	for (size_t i = 0; i < parts; i++)
		hmac_update(hmac->work, hmac->hash, part[i].size, part[i].data);
		/* hmac_digest() restores the state that hmac_set_key() has set. */
#if NETTLE_VERSION_MAJOR < 4
	hmac_digest(hmac->outer, hmac->inner, hmac->work, hmac->hash, hmac->hash->digest_size, mac);
#else
	hmac_digest(hmac->outer, hmac->inner, hmac->work, hmac->hash, mac);
#endif
	return true;
}

const char *keys_crypto_library(void)
{
	return "Nettle";
}
