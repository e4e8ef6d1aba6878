/* SPDX-License-Identifier: MIT */
/* Putting keyslots into an update, and taking them out. */
#include <stdio.h>
#include <string.h>

#include "keys/af.h"
#include "base/error.h"
#include "base/sized.h"
#include "keys/kdf.h"
#include "base/secret.h"
#include "luks2/area.h"
#include "luks2/derive.h"
#include "luks2/digest.h"
#include "luks2/keyslot.h"
#include "luks2/layout.h"

#define SALT_SIZE     32u
#define AREA_CIPHER   "aes-xts-plain64"
#define AREA_KEY_SIZE 64u
#define HASH_DEFAULT  "sha256"

/* What the area of a new keyslot is encrypted with. */
static const char *area_cipher(const struct mortise_luks2 *header,
			       const struct mortise_keyslot_new *what, uint32_t data_key_size,
			       uint32_t *key_size)
{
	struct json_object *segments =
		luks2_json_get(header->metadata, "segments", json_type_object);
	const char *data = luks2_json_text(luks2_json_get_id(segments, 0), "encryption");

	if (what->cipher) {
		*key_size = what->area_key_size;
		return what->cipher;
	}
	*key_size = AREA_KEY_SIZE;
	if (data && !strcmp(data, AREA_CIPHER) && luks2_cipher_fits(AREA_CIPHER, data_key_size))
		*key_size = data_key_size;
	return AREA_CIPHER;
}

enum mortise_code luks2_keyslot_cost(const struct mortise_luks2 *header,
				     const struct mortise_keyslot_new *what,
				     struct mortise_kdf *kdf, struct mortise_error *err)
{
	uint32_t key_size;

	(void)area_cipher(header, what, AREA_KEY_SIZE, &key_size);
	return keys_kdf_choose(what->kdf, key_size, kdf, err);
}

static enum mortise_code check_parameters(const char *cipher, uint32_t key_size, const char *hash,
					  struct mortise_error *err)
{
	if (luks2_cipher_is_null(cipher) || !strchr(cipher, '-') ||
	    !luks2_cipher_fits(cipher, key_size))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Keyslot encryption parameters can be set only for a cipher that "
				 "encrypts, with a key that fits it (%.60s, %u bits).",
				 cipher, key_size * 8);
	if (!keys_hash_size(hash))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Requested LUKS hash %.40s is not supported.", hash);
	return MORTISE_OK;
}

enum mortise_code mortise_keyslot_check(const struct mortise_keyslot_new *what,
					struct mortise_error *err)
{
	struct mortise_kdf_choice dry = { .struct_size = sizeof(dry) };
	struct mortise_keyslot_new wanted;
	struct mortise_kdf kdf;
	enum mortise_code code = sized_input(SIZED(mortise_keyslot_new), &wanted, what, err);

	if (!code && wanted.kdf)
		code = sized_input(SIZED(mortise_kdf_choice), &dry, wanted.kdf, err);
	if (!code)
		code = check_parameters(wanted.cipher ? wanted.cipher : AREA_CIPHER,
					wanted.cipher ? wanted.area_key_size : AREA_KEY_SIZE,
					wanted.hash ? wanted.hash : HASH_DEFAULT, err);
	/* A forced cost is checked and not measured; one that is to be measured has bounds. */
	if (!dry.forced_time)
		dry.forced_time = dry.type == MORTISE_KDF_PBKDF2 ? KEYS_PBKDF2_TIME_MIN
								 : KEYS_ARGON2_TIME_MIN;
	return code ? code : keys_kdf_choose(&dry, AREA_KEY_SIZE, &kdf, err);
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

/* The object as cryptsetup writes it: the same members in the same order. */
struct recipe {
	uint32_t key_size;
	const struct mortise_kdf *kdf;
	uint8_t salt[SALT_SIZE];
	const char *hash;
	struct luks2_area area;
	uint64_t area_size; /* bytes reserved, area.size are used */
};

static bool fill_kdf(struct json_object *kdf, const struct recipe *recipe)
{
	bool good = luks2_json_add(kdf, "type",
				   json_object_new_string(mortise_kdf_name(recipe->kdf->type)));

	if (recipe->kdf->type == MORTISE_KDF_PBKDF2)
		good = good &&
		       luks2_json_add(kdf, "hash", json_object_new_string(recipe->kdf->hash)) &&
		       luks2_json_add(kdf, "iterations", json_object_new_int64(recipe->kdf->time));
	else
		good = good &&
		       luks2_json_add(kdf, "time", json_object_new_int64(recipe->kdf->time)) &&
		       luks2_json_add(kdf, "memory",
				      json_object_new_int64(recipe->kdf->memory_kib)) &&
		       luks2_json_add(kdf, "cpus", json_object_new_int64(recipe->kdf->lanes));
	return good && luks2_json_add(kdf, "salt", luks2_json_new_base64(recipe->salt, SALT_SIZE));
}

static bool fill_af(struct json_object *af, const struct recipe *recipe)
{
	return luks2_json_add(af, "type", json_object_new_string("luks1")) &&
	       luks2_json_add(af, "stripes", json_object_new_int64(KEYS_AF_STRIPES)) &&
	       luks2_json_add(af, "hash", json_object_new_string(recipe->hash));
}

static bool fill_area(struct json_object *area, const struct recipe *recipe)
{
	return luks2_json_add(area, "type", json_object_new_string("raw")) &&
	       luks2_json_add(area, "offset", luks2_json_new_decimal(recipe->area.offset)) &&
	       luks2_json_add(area, "size", luks2_json_new_decimal(recipe->area_size)) &&
	       luks2_json_add(area, "encryption", json_object_new_string(recipe->area.cipher)) &&
	       luks2_json_add(area, "key_size",
			      json_object_new_int64((int64_t)recipe->area.key_size));
}

static bool fill_part(struct json_object *keyslot, const char *key,
		      bool (*fill)(struct json_object *, const struct recipe *),
		      const struct recipe *recipe)
{
	struct json_object *part = json_object_new_object();

	return luks2_json_add(keyslot, key, part) && fill(part, recipe);
}

static struct json_object *keyslot_object(const struct recipe *recipe)
{
	struct json_object *keyslot = json_object_new_object();

	if (keyslot && luks2_json_add(keyslot, "type", json_object_new_string("luks2")) &&
	    luks2_json_add(keyslot, "key_size", json_object_new_int64(recipe->key_size)) &&
	    fill_part(keyslot, "af", fill_af, recipe) &&
	    fill_part(keyslot, "area", fill_area, recipe) &&
	    fill_part(keyslot, "kdf", fill_kdf, recipe))
		return keyslot;
	json_object_put(keyslot);
	return NULL;
}

/* Derives the area key, splits the key and writes the area. */
static enum mortise_code write_area(const struct luks2_update *update, struct recipe *recipe,
				    const struct luks2_keyslot_stage *stage,
				    struct mortise_error *err)
{
	const struct luks2_derivation how = { "the new keyslot",
					      recipe->kdf,
					      { recipe->salt, SALT_SIZE } };
	struct mortise_secret *area_key = NULL, *split = NULL;
	size_t key_size = mortise_secret_size(stage->key);
	enum mortise_code code;

	code = mortise_secret_new(recipe->area.key_size, &area_key, err);
	if (!code)
		code = luks2_derive(update->header, &how, stage->passphrase, area_key, err);
	if (!code)
		code = mortise_secret_new(recipe->area.size, &split, err);
	if (!code)
		code = keys_af_split(mortise_secret_data(stage->key), key_size, KEYS_AF_STRIPES,
				     recipe->hash, mortise_secret_data(split), err);
	if (!code) {
		recipe->area.key = mortise_secret_data(area_key);
		code = luks2_area_write(update->header, &recipe->area, mortise_secret_data(split),
					err);
		recipe->area.key = NULL;
	}
	mortise_secret_free(&area_key);
	mortise_secret_free(&split);
	return code;
}

enum mortise_code luks2_keyslot_stage(struct luks2_update *update,
				      const struct luks2_keyslot_stage *stage, int *id,
				      struct mortise_error *err)
{
	struct json_object *keyslots =
		luks2_json_get(update->metadata, "keyslots", json_type_object);
	const struct mortise_keyslot_new *what = stage->what;
	struct recipe recipe = {
		.key_size = (uint32_t)mortise_secret_size(stage->key),
		.kdf = stage->kdf,
		.hash = what->hash ? what->hash : HASH_DEFAULT,
	};
	enum mortise_code code = choose_id(keyslots, id, err);
	struct json_object *object;
	uint32_t area_key_size;

	if (code)
		return code;
	recipe.area.cipher = area_cipher(update->header, what, recipe.key_size, &area_key_size);
	recipe.area.key_size = area_key_size;
	code = check_parameters(recipe.area.cipher, area_key_size, recipe.hash, err);
	if (code)
		return code;
	recipe.area_size = luks2_area_room(recipe.key_size);
	recipe.area.size = ((size_t)recipe.key_size * KEYS_AF_STRIPES + 511) / 512 * 512;
	code = luks2_layout_find_area(update->metadata, update->header->metadata, recipe.area_size,
				      &recipe.area.offset, err);
	if (!code)
		code = random_bytes(recipe.salt, sizeof(recipe.salt), err);
	if (code)
		return code;
	object = keyslot_object(&recipe);
	if (!luks2_json_add_id(keyslots, *id, object) ||
	    !luks2_digest_assign(update->metadata, stage->digest, "keyslots", *id))
		return error_memory(err);
	/* Said before a key is derived and an area written for nothing. */
	code = luks2_update_fits(update, err);
	if (!code)
		code = write_area(update, &recipe, stage, err);
	return code;
}

static void remove_links(struct json_object *section, const char *id)
{
	json_object_object_foreach(section, key, object) {
		(void)key;
		luks2_json_array_remove(luks2_json_get(object, "keyslots", json_type_array), id);
	}
}

enum mortise_code luks2_keyslot_unstage(struct luks2_update *update, int id, bool token_links,
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
