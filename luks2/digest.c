/* SPDX-License-Identifier: MIT */
/* Digests of type pbkdf2: PBKDF2 over the volume key. */
#include "luks2/digest.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "keys/hash.h"
#include "keys/kdf.h"
#include "base/secret.h"

#define DIGEST_MIN 20u /* bytes: digests converted from LUKS1 have this size */
#define SALT_SIZE  32u

struct digest {
	struct mortise_kdf kdf;
	uint8_t salt[MORTISE_SALT_MAX], bytes[KEYS_HASH_SIZE_MAX];
	size_t salt_size, size;
};

static enum mortise_code decode(const struct mortise_luks2 *header, int id, struct digest *digest,
				struct mortise_error *err)
{
	struct json_object *digests =
		luks2_json_get(luks2_header_metadata(header), "digests", json_type_object);
	struct json_object *object = luks2_json_get_id(digests, id);
	const char *type = luks2_json_text(object, "type");
	const char *hash = luks2_json_text(object, "hash");
	uint64_t iterations = 0;

	*digest = (struct digest){ .kdf = { .type = MORTISE_KDF_PBKDF2 },
				   .salt_size = sizeof(digest->salt),
				   .size = sizeof(digest->bytes) };
	if (!type || strcmp(type, "pbkdf2"))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0, "digest %d has an unknown type",
				 id);
	if (!hash || strlen(hash) > MORTISE_HASH_MAX ||
	    !luks2_json_base64(object, "salt", digest->salt, &digest->salt_size) ||
	    !luks2_json_base64(object, "digest", digest->bytes, &digest->size) ||
	    !luks2_json_integer(object, "iterations", UINT32_MAX, &iterations))
		return error_set(err, MORTISE_E_POLICY, 0, "digest %d is incomplete", id);
	/*
	 * With a weak digest a forged header could accept a key that the attacker chose. Old LUKS1
	 * headers have 10 iterations.
	 */
	if (iterations < (luks2_header_is_luks1(header) ? 1 : LUKS2_DIGEST_ITERATIONS_MIN) ||
	    (digest->size != keys_hash_size(hash) && digest->size != DIGEST_MIN) ||
	    digest->size < DIGEST_MIN)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "digest %d is weak (hash %.32s, %llu iterations, %zu bytes)", id,
				 hash, (unsigned long long)iterations, digest->size);
	snprintf(digest->kdf.hash, sizeof(digest->kdf.hash), "%s", hash);
	digest->kdf.time = (uint32_t)iterations;
	return MORTISE_OK;
}

enum mortise_code luks2_digest_check(const struct mortise_luks2 *header, int id,
				     struct mortise_error *err)
{
	struct digest digest;

	return decode(header, id, &digest, err);
}

enum mortise_code luks2_digest_verify(const struct mortise_luks2 *header, int id,
				      const struct mortise_secret *key, struct mortise_error *err)
{
	const struct mortise_events *events = luks2_header_events(header);
	uint8_t actual[KEYS_HASH_SIZE_MAX];
	struct digest digest;
	enum mortise_code code;
	char who[32];

	code = decode(header, id, &digest, err);
	if (code)
		return code;
	snprintf(who, sizeof(who), "digest %d", id);
	code = keys_kdf_check_time(&digest.kdf, luks2_header_max_unlock(header), who, events, err);
	if (code)
		return code;
	code = keys_kdf_derive(&digest.kdf, events, key,
			       (struct keys_bytes){ digest.salt, digest.salt_size }, actual,
			       digest.size, err);
	if (!code && !secret_equal(digest.bytes, actual, digest.size))
		code = error_set(err, MORTISE_E_KEY, 0, "Volume key does not match the volume.");
	secret_wipe(actual, sizeof(actual));
	return code;
}

static struct json_object *digest_json_new(const struct mortise_kdf *kdf, const uint8_t *salt,
					   const uint8_t *digest, size_t size)
{
	struct json_object *object = json_object_new_object();

	if (object && luks2_json_add(object, "type", json_object_new_string("pbkdf2")) &&
	    luks2_json_add(object, "keyslots", json_object_new_array()) &&
	    luks2_json_add(object, "segments", json_object_new_array()) &&
	    luks2_json_add(object, "hash", json_object_new_string(kdf->hash)) &&
	    luks2_json_add(object, "iterations", json_object_new_int64(kdf->time)) &&
	    luks2_json_add(object, "salt", luks2_json_new_base64(salt, SALT_SIZE)) &&
	    luks2_json_add(object, "digest", luks2_json_new_base64(digest, size)))
		return object;
	json_object_put(object);
	return NULL;
}

/* As many iterations as take an eighth of a second. */
static enum mortise_code choose_iterations(const char *hash, size_t key_size,
					   const struct mortise_events *events,
					   uint32_t *iterations, struct mortise_error *err)
{
	enum mortise_code code = keys_pbkdf2_rate(hash, key_size, events, iterations, err);

	*iterations /= 8;
	return code;
}

enum mortise_code luks2_digest_add(struct json_object *metadata, const char *hash,
				   uint32_t iterations, const struct mortise_secret *key,
				   const struct mortise_events *events, int *id,
				   struct mortise_error *err)
{
	struct json_object *digests = luks2_json_get(metadata, "digests", json_type_object);
	struct mortise_kdf kdf = { .type = MORTISE_KDF_PBKDF2 };
	uint8_t salt[SALT_SIZE], digest[KEYS_HASH_SIZE_MAX];
	size_t size = keys_hash_size(hash);
	enum mortise_code code;

	for (*id = 0; luks2_json_get_id(digests, *id); ++*id)
		;
	if (*id >= (int)MORTISE_DIGESTS_MAX)
		return error_set(err, MORTISE_E_NO_SPACE, 0, "all %u digests are in use",
				 MORTISE_DIGESTS_MAX);
	if (size < DIGEST_MIN || strlen(hash) > MORTISE_HASH_MAX)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Requested LUKS hash %.40s is not supported.", hash);
	if (!iterations) {
		code = choose_iterations(hash, mortise_secret_size(key), events, &iterations, err);
		if (code)
			return code;
	}
	if (iterations < LUKS2_DIGEST_ITERATIONS_MIN)
		iterations = LUKS2_DIGEST_ITERATIONS_MIN;
	snprintf(kdf.hash, sizeof(kdf.hash), "%s", hash);
	kdf.time = iterations;
	code = random_bytes(salt, sizeof(salt), err);
	if (code)
		return code;
	code = keys_kdf_derive(&kdf, events, key, (struct keys_bytes){ salt, sizeof(salt) }, digest,
			       size, err);
	if (code)
		return code;
	if (!luks2_json_add_id(digests, *id, digest_json_new(&kdf, salt, digest, size)))
		return error_memory(err);
	return MORTISE_OK;
}

bool luks2_digest_assign(struct json_object *metadata, int digest, const char *list, int id)
{
	struct json_object *digests = luks2_json_get(metadata, "digests", json_type_object);
	struct json_object *object = luks2_json_get_id(digests, digest);
	struct json_object *array = luks2_json_get(object, list, json_type_array);
	char text[12];

	snprintf(text, sizeof(text), "%d", id);
	return array && luks2_json_append(array, json_object_new_string(text));
}
