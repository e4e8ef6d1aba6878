/* SPDX-License-Identifier: MIT */
/* Hashes and HMAC through OpenSSL 3. */
#include "keys/hash.h"

#include <openssl/core_names.h>
#include <openssl/err.h>
#include <openssl/params.h>
#include <stdlib.h>
#include <strings.h>

#include "keys/error.h"
#include "keys/openssl.h"

struct keys_hash {
	EVP_MD *md;
	EVP_MD_CTX *context;
};

/*
 * A closed list: the names come out of headers, and OpenSSL would take object identifiers,
 * digests of variable length and its own aliases as well. Whirlpool is there only where
 * openssl.cnf activates the legacy provider.
 */
static const struct {
	const char *name, *openssl_name;
} hashes[] = {
	{ "sha256", "SHA2-256" },	  { "sha512", "SHA2-512" },
	{ "sha1", "SHA1" },		  { "sha224", "SHA2-224" },
	{ "sha384", "SHA2-384" },	  { "sha3-224", "SHA3-224" },
	{ "sha3-256", "SHA3-256" },	  { "sha3-384", "SHA3-384" },
	{ "sha3-512", "SHA3-512" },	  { "blake2b-512", "BLAKE2B-512" },
	{ "blake2s-256", "BLAKE2S-256" }, { "ripemd160", "RIPEMD160" },
	{ "rmd160", "RIPEMD160" },	  { "sm3", "SM3" },
	{ "whirlpool", "WHIRLPOOL" },
};

EVP_MD *keys_openssl_hash(const char *name)
{
	EVP_MD *md = NULL;
	size_t i;

	for (i = 0; i < sizeof(hashes) / sizeof(hashes[0]); i++) {
		if (strcasecmp(name, hashes[i].name))
			continue;
		/* A hash that is missing is no news for whoever reads OpenSSL's error queue. */
		ERR_set_mark();
		md = EVP_MD_fetch(NULL, hashes[i].openssl_name, NULL);
		ERR_pop_to_mark();
		break;
	}
	return md;
}

size_t keys_hash_size(const char *name)
{
	EVP_MD *md = keys_openssl_hash(name);
	size_t size = md ? (size_t)EVP_MD_get_size(md) : 0;

	EVP_MD_free(md);
	return size;
}

enum mortise_code keys_hash_new(const char *name, struct keys_hash **out,
				struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	struct keys_hash *hash;

	*out = NULL;
	hash = calloc(1, sizeof(*hash));
	if (!hash)
		return error_set(err, MORTISE_E_MEMORY, 0, "no memory for hash %s", name);
	hash->md = keys_openssl_hash(name);
	if (!hash->md) {
		code = error_set(err, MORTISE_E_UNSUPPORTED, 0, "hash %s is not available", name);
		goto out;
	}
	hash->context = EVP_MD_CTX_new();
	if (!hash->context) {
		code = error_set(err, MORTISE_E_MEMORY, 0, "no memory for hash %s", name);
		goto out;
	}
	*out = hash;
	hash = NULL;
out:
	keys_hash_free(hash);
	return code;
}

void keys_hash_free(struct keys_hash *hash)
{
	if (!hash)
		return;
	EVP_MD_CTX_free(hash->context);
	EVP_MD_free(hash->md);
	free(hash);
}

enum mortise_code keys_hash_parts(struct keys_hash *hash, const struct keys_bytes *part,
				  size_t parts, uint8_t *digest, struct mortise_error *err)
{
	int ok = EVP_DigestInit_ex2(hash->context, hash->md, NULL);

	for (size_t i = 0; ok == 1 && i < parts; i++)
		ok = EVP_DigestUpdate(hash->context, part[i].data, part[i].size);
	if (ok == 1)
		ok = EVP_DigestFinal_ex(hash->context, digest, NULL);
	if (ok != 1)
		return error_set(err, MORTISE_E_SYSTEM, 0, "OpenSSL failed to compute hash %s",
				 EVP_MD_get0_name(hash->md));
	return MORTISE_OK;
}

enum mortise_code keys_hmac_sha256(struct keys_bytes key, const struct keys_bytes *part,
				   size_t parts, uint8_t mac[static 32], struct mortise_error *err)
{
	char digest[] = "SHA2-256";
	const OSSL_PARAM params[] = {
		OSSL_PARAM_utf8_string(OSSL_MAC_PARAM_DIGEST, digest, sizeof(digest) - 1),
		OSSL_PARAM_END,
	};
	EVP_MAC_CTX *context = NULL;
	EVP_MAC *hmac;
	size_t size;
	int ok = 0;

	hmac = EVP_MAC_fetch(NULL, OSSL_MAC_NAME_HMAC, NULL);
	if (hmac)
		context = EVP_MAC_CTX_new(hmac);
	/* OpenSSL takes a key at NULL for "the key of before", so an empty one needs a place. */
	if (context)
		ok = EVP_MAC_init(context, key.size ? key.data : (const void *)"", key.size,
				  params);
	for (size_t i = 0; ok == 1 && i < parts; i++)
		ok = EVP_MAC_update(context, part[i].data, part[i].size);
	if (ok == 1)
		ok = EVP_MAC_final(context, mac, &size, 32);
	EVP_MAC_CTX_free(context);
	EVP_MAC_free(hmac);
	if (ok != 1)
		return error_set(err, MORTISE_E_SYSTEM, 0, "OpenSSL failed to compute HMAC-SHA-256");
	return MORTISE_OK;
}
