/* SPDX-License-Identifier: MIT */
/* Hashes and HMAC by the names used in LUKS2, computed by the crypto library. */
#include "keys/hash.h"

#include <string.h>
#include <strings.h>

#include "keys/crypto.h"
#include "base/error.h"
#include "base/secret.h"

/*
 * Only these names are accepted: names come from headers, and a crypto library would also accept
 * object identifiers, digests of variable length and its own aliases.
 */
static const char *const names[] = {
	"sha256",   "sha512",	 "sha1",       "sha224",      "sha384",	     "sha3-224",
	"sha3-256", "sha3-384",	 "sha3-512",   "blake2b-512", "blake2s-256", "ripemd160",
	"sm3",	    "whirlpool", "sha512-224", "sha512-256",
};

/* Returns the name as written in the list, or NULL. */
static const char *find_listed(const char *name)
{
	if (!strcasecmp(name, "rmd160"))
		name = "ripemd160";
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++)
		if (!strcasecmp(name, names[i]))
			return names[i];
	return NULL;
}

const char *keys_hash_name(const char *name)
{
	const char *found = find_listed(name);

	return found && keys_crypto_hash_size(found) ? found : NULL;
}

size_t keys_hash_size(const char *name)
{
	const char *found = find_listed(name);

	return found ? keys_crypto_hash_size(found) : 0;
}

enum mortise_code keys_hash_new(const char *name, struct keys_hash **out, struct mortise_error *err)
{
	const char *found = keys_hash_name(name);

	*out = NULL;
	if (!found)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0, "hash %s is not available", name);
	*out = keys_crypto_hash_new(found);
	return *out ? MORTISE_OK : error_memory(err);
}

void keys_hash_free(struct keys_hash *hash)
{
	keys_crypto_hash_free(hash);
}

enum mortise_code keys_hash_parts(struct keys_hash *hash, const struct keys_bytes *part,
				  size_t parts, uint8_t *digest, struct mortise_error *err)
{
	if (!keys_crypto_hash(hash, part, parts, digest))
		return error_set(err, MORTISE_E_SYSTEM, 0, "%s failed to compute a hash",
				 keys_crypto_library());
	return MORTISE_OK;
}

enum mortise_code keys_sha256(const struct keys_bytes *part, size_t parts,
			      uint8_t digest[static 32], struct mortise_error *err)
{
	struct keys_hash *hash = NULL;
	enum mortise_code code = keys_hash_new("sha256", &hash, err);

	if (!code)
		code = keys_hash_parts(hash, part, parts, digest, err);
	keys_hash_free(hash);
	return code;
}

enum mortise_code keys_hmac_sha256(struct keys_bytes key, const struct keys_bytes *part,
				   size_t parts, uint8_t mac[static 32], struct mortise_error *err)
{
	struct keys_hmac *hmac = keys_crypto_hmac_new("sha256", key);
	const bool done = hmac && keys_crypto_hmac(hmac, part, parts, mac);

	keys_crypto_hmac_free(hmac);
	if (!done)
		return error_set(err, MORTISE_E_SYSTEM, 0, "%s failed to compute HMAC-SHA-256",
				 keys_crypto_library());
	return MORTISE_OK;
}

enum mortise_code keys_hkdf_sha256(struct keys_bytes secret, const char *purpose,
				   uint8_t key[static 32], struct mortise_error *err)
{
	static const uint8_t no_salt[32], first_block = 1;
	const struct keys_bytes info[] = { { purpose, strlen(purpose) }, { &first_block, 1 } };
	uint8_t extracted[32];
	enum mortise_code code;

	code = keys_hmac_sha256((struct keys_bytes){ no_salt, sizeof(no_salt) }, &secret, 1,
				extracted, err);
	if (!code)
		code = keys_hmac_sha256((struct keys_bytes){ extracted, sizeof(extracted) }, info,
					2, key, err);
	secret_wipe(extracted, sizeof(extracted));
	return code;
}
