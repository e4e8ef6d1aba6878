/* SPDX-License-Identifier: MIT */
/* What mortise remembers in the header: the token of type "mortise". */
#include "volume/record.h"

#include <stdio.h>
#include <string.h>

#include "keys/error.h"
#include "keys/hash.h"
#include "keys/secret.h"
#include "luks2/model.h"

#define TYPE "mortise"

static struct json_object *record(struct json_object *metadata)
{
	struct json_object *tokens = luks2_json_get(metadata, "tokens", json_type_object);

	json_object_object_foreach(tokens, id, token) {
		const char *type = luks2_json_text(token, "type");

		(void)id;
		if (type && !strcmp(type, TYPE))
			return token;
	}
	return NULL;
}

static bool is_declared_slot(const struct meta_volume *volume, int id)
{
	for (size_t i = 0; i < volume->key_count; i++)
		if (volume->keys[i].slot == (unsigned)id)
			return true;
	return false;
}

/* From the top: Talos takes the token of a slot's number for the token of that slot. */
static struct json_object *record_or_new(struct json_object *metadata,
					 const struct meta_volume *volume)
{
	struct json_object *tokens = luks2_json_get(metadata, "tokens", json_type_object);
	struct json_object *token = record(metadata);
	int id = (int)MORTISE_TOKENS_MAX - 1;

	if (token)
		return token;
	while (id >= 0 && (luks2_json_get_id(tokens, id) || is_declared_slot(volume, id)))
		id--;
	token = json_object_new_object();
	if (id < 0 || !token || !luks2_json_add(token, "type", json_object_new_string(TYPE)) ||
	    !luks2_json_add(token, "keyslots", json_object_new_array())) {
		json_object_put(token);
		return NULL;
	}
	return luks2_json_add_id(tokens, id, token) ? token : NULL;
}

const char *volume_record_mkfs(struct json_object *metadata)
{
	return luks2_json_text(record(metadata), "mkfs");
}

bool volume_record_set_mkfs(struct json_object *metadata, const struct meta_volume *volume,
			    const char *filesystem)
{
	struct json_object *token = record_or_new(metadata, volume);

	return token && luks2_json_add(token, "mkfs", json_object_new_string(filesystem));
}

void volume_record_mkfs_done(struct json_object *metadata)
{
	struct json_object *token = record(metadata);

	if (token)
		json_object_object_del(token, "mkfs");
}

enum mortise_code volume_fingerprint(struct json_object *metadata, int keyslot,
				     const struct mortise_secret *passphrase,
				     const struct mortise_secret *volume_key,
				     uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE],
				     struct mortise_error *err)
{
	static const char purpose[] = "mortise key in step";
	struct luks2_keyslot slot;
	uint8_t number, mac[32];
	enum mortise_code code = luks2_keyslot_get(metadata, keyslot, &slot, err);

	if (code)
		return code;
	number = (uint8_t)keyslot;
	code = keys_hmac_sha256(
		(struct keys_bytes){ mortise_secret_data(volume_key),
				     mortise_secret_size(volume_key) },
		(struct keys_bytes[]){
			{ purpose, sizeof(purpose) },
			{ &number, 1 },
			{ slot.salt, slot.salt_size },
			{ mortise_secret_data(passphrase), mortise_secret_size(passphrase) },
		},
		4, mac, err);
	if (!code)
		memcpy(fingerprint, mac, VOLUME_FINGERPRINT_SIZE);
	keys_wipe(mac, sizeof(mac));
	return code;
}

bool volume_record_matches(struct json_object *metadata, int keyslot,
			   const uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE])
{
	struct json_object *keys = luks2_json_get(record(metadata), "keys", json_type_object);
	uint8_t stored[VOLUME_FINGERPRINT_SIZE];
	size_t size = sizeof(stored);
	char id[12];

	snprintf(id, sizeof(id), "%d", keyslot);
	return luks2_json_base64(keys, id, stored, &size) && size == sizeof(stored) &&
	       keys_equal(stored, fingerprint, size);
}

bool volume_record_set_key(struct json_object *metadata, const struct meta_volume *volume,
			   int keyslot, const uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE])
{
	struct json_object *token = record_or_new(metadata, volume);
	struct json_object *keys = luks2_json_get(token, "keys", json_type_object);

	if (token && !keys) {
		keys = json_object_new_object();
		if (!luks2_json_add(token, "keys", keys))
			return false;
	}
	return token &&
	       luks2_json_add_id(keys, keyslot,
				 luks2_json_new_base64(fingerprint, VOLUME_FINGERPRINT_SIZE));
}

void volume_record_forget_key(struct json_object *metadata, int keyslot)
{
	struct json_object *keys = luks2_json_get(record(metadata), "keys", json_type_object);

	if (keys)
		luks2_json_remove_id(keys, keyslot);
}
