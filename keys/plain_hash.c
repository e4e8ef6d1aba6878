/* SPDX-License-Identifier: MIT */
/* The key of a plain mapping, which has no header: cryptsetup's hash of the passphrase. */
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "keys/hash.h"

/* cryptsetup's limit, and dm-crypt's. */
#define KEY_SIZE_MAX 1024u
/* More than the rounds for the longest key by the shortest hash, of 20 bytes. */
static const char prefix[] = "AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/* Splits "NAME:SIZE": only the first SIZE bytes of the key come from the passphrase. */
static enum mortise_code parse_spec(const char *spec, char name[static MORTISE_HASH_MAX + 1],
				    size_t *size, struct mortise_error *err)
{
	size_t length = strcspn(spec, ":"), max = *size;
	const char *digit = spec + length;

	if (length == 0 || length > MORTISE_HASH_MAX)
		goto bad;
	memcpy(name, spec, length);
	name[length] = '\0';
	if (*digit == '\0')
		return MORTISE_OK;
	*size = 0;
	for (digit++; *digit >= '0' && *digit <= '9' && *size <= max; digit++)
		*size = *size * 10 + (size_t)(*digit - '0');
	if (*digit == '\0' && *size > 0 && *size <= max)
		return MORTISE_OK;
bad:
	return error_set(err, MORTISE_E_USAGE, 0,
			 "cannot use hash %.60s for a key of %zu bytes; use HASH, or HASH:BYTES "
			 "with at most that many bytes",
			 spec, max);
}

/* Round n hashes n letters and the passphrase: the scheme of hashalot(1). */
static enum mortise_code hash_passphrase(const char *name, const struct mortise_secret *passphrase,
					 uint8_t *key, size_t size, struct mortise_error *err)
{
	const size_t digest_size = keys_hash_size(name);
	struct keys_bytes part[] = {
		{ prefix, 0 },
		{ mortise_secret_data(passphrase), mortise_secret_size(passphrase) },
	};
	uint8_t digest[KEYS_HASH_SIZE_MAX];
	struct keys_hash *hash = NULL;
	enum mortise_code code;
	size_t done = 0, more;

	if (!digest_size)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0, "Hash algorithm %s not supported.",
				 name);
	code = keys_hash_new(name, &hash, err);
	for (; !code && done < size; done += more) {
		more = size - done < digest_size ? size - done : digest_size;
		code = keys_hash_parts(hash, part, 2, digest, err);
		memcpy(key + done, digest, more);
		part[0].size++;
	}
	secret_wipe(digest, sizeof(digest));
	keys_hash_free(hash);
	return code;
}

enum mortise_code mortise_plain_key(const char *hash, uint32_t key_size,
				    const struct mortise_secret *passphrase,
				    struct mortise_secret **key, struct mortise_error *err)
{
	const size_t given = mortise_secret_size(passphrase);
	const char *spec = hash ? hash : "ripemd160";
	char name[MORTISE_HASH_MAX + 1];
	enum mortise_code code;
	size_t size = key_size;

	*key = NULL;
	if (!key_size || key_size > KEY_SIZE_MAX)
		return error_set(err, MORTISE_E_USAGE, 0, "Invalid key size.");
	code = parse_spec(spec, name, &size, err);
	if (code)
		return code;
	if (!strcmp(name, "plain") && strcmp(spec, "plain") && given < size)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot use hash %s: the passphrase has only %zu bytes", spec,
				 given);
	code = mortise_secret_new(key_size, key, err);
	if (code)
		return code;
	if (strcmp(name, "plain"))
		code = hash_passphrase(name, passphrase, mortise_secret_writable(*key), size, err);
	else
		memcpy(mortise_secret_writable(*key), mortise_secret_data(passphrase),
		       given < size ? given : size);
	if (code)
		mortise_secret_free(key);
	return code;
}
