/* SPDX-License-Identifier: MIT */
#include "luks2/integrity.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "luks2/ciphers.h"

#define SIZES_MAX    2u
#define HMAC_KEY_MAX 128u /* bytes; a longer key than the hash's block is hashed first */

/* Tag sizes without the IV, in bytes. An AEAD cipher takes no key of its own for the MAC. */
static const struct {
	const char *option;
	const char *type;
	uint32_t key_size;
	uint32_t tag_size;
} types[] = {
	{ "hmac-sha256", "hmac(sha256)", 32, 32 },
	{ "hmac-sha512", "hmac(sha512)", 64, 64 },
	{ "hmac-sha1", "hmac(sha1)", 20, 20 },
	{ "cmac-aes", "cmac(aes)", 16, 16 },
	{ "aead", "aead", 0, 16 },
	{ "poly1305", "poly1305", 0, 16 },
	{ "none", "none", 0, 0 },
};

/* A random IV is stored in the tag. Sizes in bytes (crypt_ctr_cipher_new in drivers/md/dm-crypt.c). */
static const struct {
	const char *end;
	uint32_t size;
} ivs[] = {
	{ "-xts-random", 16 },	   { "-gcm-random", 12 },     { "-ccm-random", 8 },
	{ "chacha20-random", 12 }, { "aegis128-random", 16 },
};

/*
 * With GCM and ChaCha20, an IV that repeats for a sector ("plain64") reveals the difference of its
 * contents and lets an attacker forge tags: only random ones are accepted. CCM has 3 bytes of salt.
 */
static const struct {
	const char *cipher;
	const char *type;
	uint32_t key_size[SIZES_MAX];
} list[] = {
	{ "aes-gcm-random", "aead", { 32, 16 } }, { "aes-ccm-random", "aead", { 35, 19 } },
	{ "aegis128-random", "aead", { 16 } },	  { "chacha20-random", "poly1305", { 32 } },
	{ "aes-xts-random", "none", { 64, 32 } },
};

static uint32_t iv_size(const char *cipher)
{
	const size_t length = strlen(cipher);

	for (size_t i = 0; i < sizeof(ivs) / sizeof(ivs[0]); i++) {
		const size_t end = strlen(ivs[i].end);

		if (length >= end && !strcmp(cipher + length - end, ivs[i].end))
			return ivs[i].size;
	}
	return 0;
}

enum mortise_code luks2_integrity_find(const char *name, const char *cipher, uint32_t key_size,
				       struct luks2_integrity *integrity, struct mortise_error *err)
{
	size_t i = 0;

	while (i < sizeof(types) / sizeof(types[0]) && strcmp(name, types[i].option) &&
	       strcmp(name, types[i].type))
		i++;
	if (i == sizeof(types) / sizeof(types[0]))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "No known integrity specification pattern detected. (%.60s)",
				 name);
	*integrity = (struct luks2_integrity){
		.type = types[i].type,
		.key_size = key_size ? key_size : types[i].key_size,
		.tag_size = types[i].tag_size + iv_size(cipher),
		.own_key_size = key_size && key_size != types[i].key_size,
	};
	if (integrity->own_key_size &&
	    (strncmp(types[i].type, "hmac", 4) || key_size < 16 || key_size > HMAC_KEY_MAX))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "invalid integrity key size of %u bits for %s; only hmac types "
				 "have one, of 128 to %u bits",
				 key_size * 8, types[i].option, HMAC_KEY_MAX * 8);
	return MORTISE_OK;
}

enum mortise_code luks2_integrity_get(struct json_object *object, const char *cipher,
				      struct luks2_integrity *integrity, struct mortise_error *err)
{
	const char *type = luks2_json_text(object, "type");
	const char *encryption = luks2_json_text(object, "journal_encryption");
	const char *mac = luks2_json_text(object, "journal_integrity");
	uint64_t key_size;

	*integrity = (struct luks2_integrity){ .type = NULL };
	if (!object)
		return MORTISE_OK;
	if (!type || !encryption || !mac || strcmp(encryption, "none") || strcmp(mac, "none"))
		return error_set(err, MORTISE_E_POLICY, 0,
				 "Unsupported device integrity configuration.");
	if (!luks2_json_integer(object, "key_size", LUKS2_KEY_SIZE_MAX, &key_size))
		key_size = 0;
	if (luks2_integrity_find(type, cipher, (uint32_t)key_size, integrity, NULL) ||
	    strcmp(type, integrity->type))
		return error_set(err, MORTISE_E_POLICY, 0,
				 "segment 0: integrity type %.40s is not supported", type);
	return MORTISE_OK;
}

struct json_object *luks2_integrity_new(const struct luks2_integrity *integrity)
{
	struct json_object *object = json_object_new_object();

	if (object && luks2_json_add(object, "type", json_object_new_string(integrity->type)) &&
	    luks2_json_add(object, "journal_encryption", json_object_new_string("none")) &&
	    luks2_json_add(object, "journal_integrity", json_object_new_string("none")) &&
	    (!integrity->own_key_size ||
	     luks2_json_add(object, "key_size", json_object_new_int64(integrity->key_size))))
		return object;
	json_object_put(object);
	return NULL;
}

static bool is_listed(const char *cipher, uint32_t key_size, const char *type)
{
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (strcmp(cipher, list[i].cipher) || strcmp(type, list[i].type))
			continue;
		for (size_t j = 0; j < SIZES_MAX; j++)
			if (!key_size || key_size == list[i].key_size[j])
				return true;
	}
	return false;
}

enum mortise_code luks2_integrity_check(const char *who, const char *cipher, uint32_t key_size,
					const struct luks2_integrity *integrity,
					const char *allowed, struct mortise_error *err)
{
	char with[48] = "";
	uint32_t rest = key_size;

	if (!integrity->type)
		return luks2_cipher_check(who, cipher, key_size, allowed, err);
	if (!integrity->tag_size)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "%s: cipher %.60s stores nothing with integrity type %s", who,
				 cipher, integrity->type);
	if (integrity->key_size && key_size) {
		if (key_size <= integrity->key_size)
			return error_set(err, MORTISE_E_POLICY, 0,
					 "Volume key is too small for encryption with integrity "
					 "extensions.");
		rest = key_size - integrity->key_size;
	}
	/* A MAC over the ciphertext and the IV adds to any cipher that encrypts. */
	if (integrity->key_size &&
	    (luks2_cipher_listed(cipher, rest) || is_listed(cipher, rest, "none")))
		return MORTISE_OK;
	if (is_listed(cipher, rest, integrity->type) ||
	    (allowed && !strcmp(cipher, allowed) && !luks2_cipher_is_null(cipher)))
		return MORTISE_OK;
	if (rest)
		snprintf(with, sizeof(with), " and a key of %llu bits",
			 (unsigned long long)rest * 8);
	return error_set(err, MORTISE_E_POLICY, 0,
			 "%s: cipher %.60s with integrity type %s%s is not on the list of accepted "
			 "ciphers; to accept it by hand, use --allow-cipher %.60s",
			 who, cipher, integrity->type, with, cipher);
}
