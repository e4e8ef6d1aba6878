/* SPDX-License-Identifier: MIT */
/* Adding keyslots to an update and removing them. */
#include <stdio.h>
#include <string.h>

#include "keys/af.h"
#include "base/error.h"
#include "base/sized.h"
#include "keys/kdf.h"
#include "base/secret.h"
#include "luks2/area.h"
#include "luks2/ciphers.h"
#include "luks2/derive.h"
#include "luks2/digest.h"
#include "luks2/keyslot.h"
#include "luks2/layout.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "luks2/private.h"

#define SALT_SIZE     32u
#define AREA_CIPHER   "aes-xts-plain64"
#define AREA_KEY_SIZE 64u
#define HASH_DEFAULT  "sha256"

/* Chooses the area's cipher: as requested, else AES-XTS with the key size of AES-XTS data. */
static const char *choose_area_cipher(const struct mortise_luks2 *header,
				      const struct mortise_keyslot_new *what,
				      uint32_t data_key_size, uint32_t *key_size)
{
	struct json_object *segments =
		luks2_json_get(header->metadata, "segments", json_type_object);
	const char *data = luks2_json_text(luks2_json_get_id(segments, 0), "encryption");

	if (what->cipher) {
		*key_size = what->area_key_size;
		return what->cipher;
	}
	*key_size = AREA_KEY_SIZE;
	if (data && !strcmp(data, AREA_CIPHER) && luks2_cipher_listed(AREA_CIPHER, data_key_size))
		*key_size = data_key_size;
	return AREA_CIPHER;
}

enum mortise_code luks2_keyslot_cost(const struct mortise_luks2 *header,
				     const struct mortise_keyslot_new *what,
				     struct mortise_kdf *kdf, struct mortise_error *err)
{
	uint32_t key_size;

	(void)choose_area_cipher(header, what, AREA_KEY_SIZE, &key_size);
	return keys_kdf_choose(what->kdf, key_size, &header->device->events, kdf, err);
}

static enum mortise_code check_parameters(const struct mortise_keyslot_new *what,
					  const char *cipher, uint32_t key_size,
					  struct mortise_error *err)
{
	const char *hash = what->hash ? what->hash : HASH_DEFAULT;
	enum mortise_code code;

	if (luks2_cipher_is_null(cipher) || !strchr(cipher, '-') || !key_size)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot encrypt a keyslot with cipher %.60s and a key of %u bits",
				 cipher, key_size * 8);
	code = luks2_cipher_check("cannot encrypt a keyslot", cipher, key_size, what->allow_cipher,
				  err);
	if (code)
		return code;
	if (!keys_hash_size(hash))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Requested LUKS hash %.40s is not supported.", hash);
	return MORTISE_OK;
}

enum mortise_code mortise_keyslot_check(const struct mortise_keyslot_new *what,
					struct mortise_error *err)
{
	struct mortise_kdf_choice choice = { .struct_size = sizeof(choice) };
	struct mortise_keyslot_new wanted;
	struct mortise_kdf kdf;
	enum mortise_code code;

	code = sized_input(SIZED_SINCE(mortise_keyslot_new, allow_cipher), &wanted, what, err);
	if (code)
		return code;
	if (wanted.kdf) {
		code = sized_input(SIZED(mortise_kdf_choice), &choice, wanted.kdf, err);
		if (code)
			return code;
	}
	code = check_parameters(&wanted, wanted.cipher ? wanted.cipher : AREA_CIPHER,
				wanted.cipher ? wanted.area_key_size : AREA_KEY_SIZE, err);
	if (code)
		return code;
	/* With a forced time keys_kdf_choose() checks the other bounds and runs no benchmark. */
	if (!choice.forced_time)
		choice.forced_time = choice.type == MORTISE_KDF_PBKDF2 ? KEYS_PBKDF2_TIME_MIN
								       : KEYS_ARGON2_TIME_MIN;
	return keys_kdf_choose(&choice, AREA_KEY_SIZE, NULL, &kdf, err);
}

static enum mortise_code choose_id(struct json_object *keyslots, int *id, struct mortise_error *err)
{
	if (*id == MORTISE_ANY) {
		for (*id = 0; *id < (int)MORTISE_KEYSLOTS_MAX; ++*id)
			if (!luks2_json_get_id(keyslots, *id))
				return MORTISE_OK;
		return error_set(err, MORTISE_E_NO_SPACE, 0, "All key slots full.");
	}
	if (*id < 0 || *id >= (int)MORTISE_KEYSLOTS_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Key slot %d is invalid, please select between 0 and %u.", *id,
				 MORTISE_KEYSLOTS_MAX - 1);
	if (luks2_json_get_id(keyslots, *id))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Key slot %d is full, please select another one.", *id);
	return MORTISE_OK;
}

struct new_keyslot {
	uint32_t key_size;
	const struct mortise_kdf *kdf;
	uint8_t salt[SALT_SIZE];
	const char *hash;
	struct luks2_area area;
	uint64_t area_size; /* bytes reserved; area.size of them are used */
};

/* The members of all these objects have the order that cryptsetup writes. */
static bool add_kdf(struct json_object *kdf, const struct new_keyslot *slot)
{
	const struct mortise_kdf *cost = slot->kdf;
	bool added =
		luks2_json_add(kdf, "type", json_object_new_string(mortise_kdf_name(cost->type)));

	if (cost->type == MORTISE_KDF_PBKDF2)
		added = added && luks2_json_add(kdf, "hash", json_object_new_string(cost->hash)) &&
			luks2_json_add(kdf, "iterations", json_object_new_int64(cost->time));
	else
		added = added && luks2_json_add(kdf, "time", json_object_new_int64(cost->time)) &&
			luks2_json_add(kdf, "memory", json_object_new_int64(cost->memory_kib)) &&
			luks2_json_add(kdf, "cpus", json_object_new_int64(cost->lanes));
	return added && luks2_json_add(kdf, "salt", luks2_json_new_base64(slot->salt, SALT_SIZE));
}

static bool add_af(struct json_object *af, const struct new_keyslot *slot)
{
	return luks2_json_add(af, "type", json_object_new_string("luks1")) &&
	       luks2_json_add(af, "stripes", json_object_new_int64(KEYS_AF_STRIPES)) &&
	       luks2_json_add(af, "hash", json_object_new_string(slot->hash));
}

static bool add_area(struct json_object *area, const struct new_keyslot *slot)
{
	return luks2_json_add(area, "type", json_object_new_string("raw")) &&
	       luks2_json_add(area, "offset", luks2_json_new_decimal(slot->area.offset)) &&
	       luks2_json_add(area, "size", luks2_json_new_decimal(slot->area_size)) &&
	       luks2_json_add(area, "encryption", json_object_new_string(slot->area.cipher)) &&
	       luks2_json_add(area, "key_size",
			      json_object_new_int64((int64_t)slot->area.key_size));
}

static bool add_object(struct json_object *keyslot, const char *key,
		       bool (*add_members)(struct json_object *, const struct new_keyslot *),
		       const struct new_keyslot *slot)
{
	struct json_object *object = json_object_new_object();

	return luks2_json_add(keyslot, key, object) && add_members(object, slot);
}

static struct json_object *keyslot_json_new(const struct new_keyslot *slot)
{
	struct json_object *keyslot = json_object_new_object();

	if (keyslot && luks2_json_add(keyslot, "type", json_object_new_string("luks2")) &&
	    luks2_json_add(keyslot, "key_size", json_object_new_int64(slot->key_size)) &&
	    add_object(keyslot, "af", add_af, slot) &&
	    add_object(keyslot, "area", add_area, slot) &&
	    add_object(keyslot, "kdf", add_kdf, slot))
		return keyslot;
	json_object_put(keyslot);
	return NULL;
}

/* Derives the area key, splits the volume key and writes the area. */
static enum mortise_code write_area(const struct luks2_update *update, struct new_keyslot *slot,
				    const struct luks2_keyslot_request *request,
				    struct mortise_error *err)
{
	const struct luks2_derivation how = {
		"the new keyslot", slot->kdf, { slot->salt, SALT_SIZE }, false
	};
	struct mortise_secret *area_key = NULL, *split = NULL;
	enum mortise_code code;

	code = mortise_secret_new(slot->area.key_size, &area_key, err);
	if (code)
		goto out;
	code = luks2_derive(update->header, &how, request->passphrase, area_key, err);
	if (code)
		goto out;
	code = mortise_secret_new(slot->area.size, &split, err);
	if (code)
		goto out;
	code = keys_af_split(mortise_secret_data(request->key), slot->key_size, KEYS_AF_STRIPES,
			     slot->hash, mortise_secret_writable(split), err);
	if (code)
		goto out;
	slot->area.key = mortise_secret_data(area_key);
	code = luks2_area_write(update->header, &slot->area, mortise_secret_writable(split), err);
	slot->area.key = NULL;
out:
	mortise_secret_free(&split);
	mortise_secret_free(&area_key);
	return code;
}

/* Chooses everything about the new keyslot except its id. */
static enum mortise_code prepare_keyslot(const struct luks2_update *update,
					 const struct luks2_keyslot_request *request,
					 struct new_keyslot *slot, struct mortise_error *err)
{
	const struct mortise_keyslot_new *what = request->what;
	uint32_t area_key_size;
	enum mortise_code code;

	*slot = (struct new_keyslot){
		.key_size = (uint32_t)mortise_secret_size(request->key),
		.kdf = request->kdf,
		.hash = what->hash ? what->hash : HASH_DEFAULT,
	};
	slot->area.cipher =
		choose_area_cipher(update->header, what, slot->key_size, &area_key_size);
	slot->area.key_size = area_key_size;
	code = check_parameters(what, slot->area.cipher, area_key_size, err);
	if (code)
		return code;
	slot->area_size = luks2_area_room(slot->key_size);
	slot->area.size = luks2_area_used(slot->key_size);
	code = luks2_layout_find_area(update->metadata, update->header->metadata, slot->area_size,
				      &slot->area.offset, err);
	if (code)
		return code;
	return random_bytes(slot->salt, sizeof(slot->salt), err);
}

enum mortise_code luks2_keyslot_stage_for(struct luks2_update *update,
					  const struct luks2_keyslot_request *request, int digest,
					  int *id, struct mortise_error *err)
{
	struct json_object *keyslots =
		luks2_json_get(update->metadata, "keyslots", json_type_object);
	struct new_keyslot slot;
	enum mortise_code code;

	code = choose_id(keyslots, id, err);
	if (code)
		return code;
	code = prepare_keyslot(update, request, &slot, err);
	if (code)
		return code;
	if (!luks2_json_add_id(keyslots, *id, keyslot_json_new(&slot)) ||
	    !luks2_digest_assign(update->metadata, digest, "keyslots", *id))
		return error_memory(err);
	/* Before the derivation, which takes time, and before anything is written. */
	code = luks2_update_fits(update, err);
	if (code)
		return code;
	return write_area(update, &slot, request, err);
}

enum mortise_code luks2_keyslot_stage(struct luks2_update *update,
				      const struct luks2_keyslot_request *request, int *id,
				      struct mortise_error *err)
{
	int digest = luks2_digest_of_segment(update->metadata, 0);

	return luks2_keyslot_stage_for(update, request, digest, id, err);
}

static void remove_links(struct json_object *section, const char *id)
{
	json_object_object_foreach(section, key, object) {
		(void)key;
		luks2_json_array_remove(luks2_json_get(object, "keyslots", json_type_array), id);
	}
}

enum mortise_code luks2_keyslot_stage_removal(struct luks2_update *update, int id, bool token_links,
					      struct mortise_error *err)
{
	struct json_object *keyslots =
		luks2_json_get(update->metadata, "keyslots", json_type_object);
	struct json_object *keyslot = luks2_json_get_id(keyslots, id);
	struct json_object *area = luks2_json_get(keyslot, "area", json_type_object);
	struct luks2_freed *freed = &update->freed[update->freed_count];
	char text[12];

	if (!keyslot || id >= (int)MORTISE_KEYSLOTS_MAX ||
	    update->freed_count == MORTISE_KEYSLOTS_MAX ||
	    !luks2_json_decimal(area, "offset", &freed->offset) ||
	    !luks2_json_decimal(area, "size", &freed->size))
		return error_set(err, MORTISE_E_NO_KEYSLOT, 0, "Keyslot %d is not active.", id);
	update->freed_count++;
	snprintf(text, sizeof(text), "%d", id);
	remove_links(luks2_json_get(update->metadata, "digests", json_type_object), text);
	if (token_links)
		remove_links(luks2_json_get(update->metadata, "tokens", json_type_object), text);
	luks2_json_remove_id(keyslots, id);
	return MORTISE_OK;
}

bool luks2_keyslots_exchange(struct json_object *metadata, int a, int b)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);
	struct json_object *digests = luks2_json_get(metadata, "digests", json_type_object);
	struct json_object *first = json_object_get(luks2_json_get_id(keyslots, a));
	struct json_object *second = json_object_get(luks2_json_get_id(keyslots, b));
	const int owners[] = { luks2_digest_of_keyslot(metadata, a),
			       luks2_digest_of_keyslot(metadata, b) };
	const int ids[] = { a, b };

	for (int i = 0; i < 2; i++) {
		struct json_object *digest = luks2_json_get_id(digests, owners[i]);
		char text[12];

		snprintf(text, sizeof(text), "%d", ids[i]);
		luks2_json_array_remove(luks2_json_get(digest, "keyslots", json_type_array), text);
	}
	/* Each call takes one of the references. */
	return luks2_json_add_id(keyslots, a, second) & luks2_json_add_id(keyslots, b, first) &&
	       luks2_digest_assign(metadata, owners[0], "keyslots", b) &&
	       luks2_digest_assign(metadata, owners[1], "keyslots", a);
}
