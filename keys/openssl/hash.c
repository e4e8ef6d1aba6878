/* SPDX-License-Identifier: MIT */
/* Hashes and HMAC through OpenSSL 3. */
#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <openssl/provider.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/crypto.h"
#include "keys/openssl/md.h"

struct keys_hash {
	EVP_MD *md;
	EVP_MD_CTX *context;
};

static const struct {
	const char *name, *openssl_name;
} hashes[] = {
	{ "sha256", "SHA2-256" },
	{ "sha512", "SHA2-512" },
	{ "sha1", "SHA1" },
	{ "sha224", "SHA2-224" },
	{ "sha384", "SHA2-384" },
	{ "sha3-224", "SHA3-224" },
	{ "sha3-256", "SHA3-256" },
	{ "sha3-384", "SHA3-384" },
	{ "sha3-512", "SHA3-512" },
	{ "blake2b-512", "BLAKE2B-512" },
	{ "blake2s-256", "BLAKE2S-256" },
	{ "ripemd160", "RIPEMD160" },
	{ "sm3", "SM3" },
	{ "sha512-224", "SHA2-512/224" },
	{ "sha512-256", "SHA2-512/256" },
	{ "whirlpool", "WHIRLPOOL" },
};

EVP_MD *keys_openssl_md(const char *name)
{
	EVP_MD *md = NULL;

	for (size_t i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (strcmp(name, hashes[i].name))
			continue;
		/* A missing hash must not leave an entry in OpenSSL's error queue. */
		ERR_set_mark();
		md = EVP_MD_fetch(NULL, hashes[i].openssl_name, NULL);
		/* As cryptsetup does: only the legacy provider has Whirlpool, and few systems load it. */
		if (!md && !strcmp(name, "whirlpool") && OSSL_PROVIDER_try_load(NULL, "legacy", 1))
			md = EVP_MD_fetch(NULL, hashes[i].openssl_name, NULL);
		ERR_pop_to_mark();
		break;
	}
	return md;
}

size_t keys_crypto_hash_size(const char *name)
{
	EVP_MD *md = keys_openssl_md(name);
	size_t size = md ? (size_t)EVP_MD_get_size(md) : 0;

	EVP_MD_free(md);
	return size;
}

struct keys_hash *keys_crypto_hash_new(const char *name)
{
	struct keys_hash *hash = calloc(1, sizeof(*hash));

	if (!hash)
		return NULL;
	hash->md = keys_openssl_md(name);
	hash->context = EVP_MD_CTX_new();
	if (hash->md && hash->context)
		return hash;
	keys_crypto_hash_free(hash);
	return NULL;
}

void keys_crypto_hash_free(struct keys_hash *hash)
{
	if (!hash)
		return;
	EVP_MD_CTX_free(hash->context);
	EVP_MD_free(hash->md);
	free(hash);
}

bool keys_crypto_hash(struct keys_hash *hash, const struct keys_bytes *part, size_t parts,
		      uint8_t *digest)
{
	int ok = EVP_DigestInit_ex2(hash->context, hash->md, NULL);

	for (size_t i = 0; ok == 1 && i < parts; i++)
		ok = EVP_DigestUpdate(hash->context, part[i].data, part[i].size);
	return ok == 1 && EVP_DigestFinal_ex(hash->context, digest, NULL) == 1;
}

struct keys_hmac {
	EVP_MAC *mac;
	EVP_MAC_CTX *context;
	size_t size; /* bytes of a MAC */
};

struct keys_hmac *keys_crypto_hmac_new(const char *name, struct keys_bytes key)
{
	struct keys_hmac *hmac = calloc(1, sizeof(*hmac));
	OSSL_PARAM params[2] = { OSSL_PARAM_END, OSSL_PARAM_END };
	EVP_MD *md = keys_openssl_md(name);
	char digest[MORTISE_HASH_MAX + 1];
	int ok = 0;

	if (!hmac || !md)
		goto out;
	snprintf(digest, sizeof(digest), "%s", EVP_MD_get0_name(md));
	params[0] = OSSL_PARAM_construct_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, 0);
	hmac->mac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	if (hmac->mac)
		hmac->context = EVP_MAC_CTX_new(hmac->mac);
	/* OpenSSL keeps the previous key if the key is NULL, so an empty key needs an address. */
	if (hmac->context)
		ok = EVP_MAC_init(hmac->context, key.size ? key.data : (const void *)"", key.size,
				  params);
	hmac->size = ok == 1 ? EVP_MAC_CTX_get_mac_size(hmac->context) : 0;
out:
	EVP_MD_free(md);
	if (ok == 1)
		return hmac;
	keys_crypto_hmac_free(hmac);
	return NULL;
}

void keys_crypto_hmac_free(struct keys_hmac *hmac)
{
	if (!hmac)
		return;
	EVP_MAC_CTX_free(hmac->context);
	EVP_MAC_free(hmac->mac);
	free(hmac);
}

bool keys_crypto_hmac(struct keys_hmac *hmac, const struct keys_bytes *part, size_t parts,
		      uint8_t *mac)
{
	int ok = EVP_MAC_init(hmac->context, NULL, 0, NULL);
	size_t size;

	for (size_t i = 0; ok == 1 && i < parts; i++)
		ok = EVP_MAC_update(hmac->context, part[i].data, part[i].size);
	return ok == 1 && EVP_MAC_final(hmac->context, mac, &size, hmac->size) == 1;
}

const char *keys_crypto_library(void)
{
	return "OpenSSL";
}
