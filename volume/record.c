/* SPDX-License-Identifier: MIT */
/* The record in config.mortise: pending mkfs, and fingerprints of keyslots. */
#include "volume/record.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "keys/hash.h"
#include "base/secret.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "luks2/seal.h"
#include "volume/sealed.h"

#define OLD_TYPE "mortise" /* of the token that version 0.1 kept its record in */

/* Returns a member that is an object, and creates it if it is missing. */
static struct json_object *member_or_new(struct json_object *record, const char *key)
{
	struct json_object *member = luks2_json_get(record, key, json_type_object);

	if (!record || member)
		return member;
	member = json_object_new_object();
	return luks2_json_add(record, key, member) ? member : NULL;
}

const char *volume_record_mkfs(struct json_object *metadata)
{
	return luks2_json_text(luks2_record(metadata), "mkfs");
}

bool volume_record_set_mkfs(struct json_object *metadata, const char *filesystem)
{
	struct json_object *record = luks2_record_or_new(metadata);

	return record && luks2_json_add(record, "mkfs", json_object_new_string(filesystem));
}

void volume_record_mkfs_done(struct json_object *metadata)
{
	struct json_object *record = luks2_record(metadata);

	if (record)
		json_object_object_del(record, "mkfs");
}

const char *volume_record_rotation(struct json_object *metadata)
{
	return luks2_json_text(luks2_record(metadata), "rotated");
}

const char *volume_record_rotation_ordered(struct json_object *metadata)
{
	return luks2_json_text(luks2_record(metadata), "rotate");
}

bool volume_record_order_rotation(struct json_object *metadata, const char *serial)
{
	struct json_object *record = luks2_record_or_new(metadata);

	return record && luks2_json_add(record, "rotate", json_object_new_string(serial));
}

bool volume_record_online(struct json_object *metadata)
{
	return luks2_json_get(luks2_record(metadata), "online", json_type_boolean);
}

bool volume_record_set_online(struct json_object *metadata, bool online)
{
	struct json_object *record = luks2_record_or_new(metadata);

	if (record && !online)
		json_object_object_del(record, "online");
	return record &&
	       (!online || luks2_json_add(record, "online", json_object_new_boolean(true)));
}

bool volume_record_set_rotation(struct json_object *metadata, const char *serial)
{
	struct json_object *record = luks2_record_or_new(metadata);

	/* serial may be that of the order. */
	if (!record ||
	    (serial && !luks2_json_add(record, "rotated", json_object_new_string(serial))))
		return false;
	if (!serial)
		json_object_object_del(record, "rotated");
	json_object_object_del(record, "rotate");
	return true;
}

void volume_record_drop_old(struct json_object *metadata)
{
	struct json_object *tokens = luks2_tokens(metadata);

	for (int id = 0; id < (int)MORTISE_TOKENS_MAX; id++) {
		const char *type = luks2_json_text(luks2_token_get(metadata, id), "type");

		if (type && !strcmp(type, OLD_TYPE))
			luks2_json_remove_id(tokens, id);
	}
}

bool volume_record_tpm(struct json_object *metadata, uint8_t policy[static KEYS_TPM_DIGEST_SIZE])
{
	size_t size = KEYS_TPM_DIGEST_SIZE;

	/* A malformed policy matches no index. */
	memset(policy, 0, KEYS_TPM_DIGEST_SIZE);
	if (!json_object_object_get_ex(luks2_record(metadata), "tpm", NULL))
		return false;
	(void)luks2_json_base64(luks2_record(metadata), "tpm", policy, &size);
	return true;
}

bool volume_record_set_tpm(struct json_object *metadata,
			   const uint8_t policy[static KEYS_TPM_DIGEST_SIZE])
{
	return luks2_json_add(luks2_record(metadata), "tpm",
			      luks2_json_new_base64(policy, KEYS_TPM_DIGEST_SIZE));
}

bool volume_record_raise_epoch(struct json_object *metadata, uint64_t floor)
{
	struct json_object *record = luks2_record_or_new(metadata);
	uint64_t epoch = 0;

	(void)luks2_json_decimal(record, "epoch", &epoch);
	return epoch >= floor || luks2_json_add(record, "epoch", luks2_json_new_decimal(floor));
}

enum mortise_code volume_fingerprint(struct json_object *metadata,
				     const struct volume_origin *origin,
				     const struct mortise_secret *volume_key,
				     uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE],
				     struct mortise_error *err)
{
	static const char purpose[] = "mortise keyslot record";
	struct luks2_keyslot slot;
	uint8_t number, mac[32];
	enum mortise_code code = luks2_keyslot_get(metadata, origin->keyslot, &slot, err);

	if (code)
		return code;
	number = (uint8_t)(origin->keyslot | (origin->is_definition ? 0x80 : 0));
	code = keys_hmac_sha256(
		(struct keys_bytes){ mortise_secret_data(volume_key),
				     mortise_secret_size(volume_key) },
		(struct keys_bytes[]){
			{ purpose, sizeof(purpose) },
			{ &number, 1 },
			{ slot.salt, slot.salt_size },
			{ mortise_secret_data(origin->bytes), mortise_secret_size(origin->bytes) },
		},
		4, mac, err);
	if (!code)
		memcpy(fingerprint, mac, VOLUME_FINGERPRINT_SIZE);
	secret_wipe(mac, sizeof(mac));
	return code;
}

bool volume_record_matches(struct json_object *metadata, int keyslot,
			   const uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE])
{
	struct json_object *keys = luks2_json_get(luks2_record(metadata), "keys", json_type_object);
	uint8_t stored[VOLUME_FINGERPRINT_SIZE];
	size_t size = sizeof(stored);
	char id[12];

	snprintf(id, sizeof(id), "%d", keyslot);
	return luks2_json_base64(keys, id, stored, &size) && size == sizeof(stored) &&
	       secret_equal(stored, fingerprint, size);
}

bool volume_record_has_room(struct json_object *metadata, size_t count)
{
	/* "31":"16 bytes as base64"; the seal, and what an update may add, such as a longer epoch. */
	enum { FINGERPRINT = 32, SEAL = 320, MARGIN = 64 };
	const char *text = luks2_json_plain(metadata);
	const bool sealed = luks2_json_get(luks2_record(metadata), "seal", json_type_object);
	uint64_t room = 0;

	count += sealed ? 0 : SEAL / FINGERPRINT;
	return text &&
	       luks2_json_decimal(luks2_json_get(metadata, "config", json_type_object), "json_size",
				  &room) &&
	       strlen(text) + MARGIN + count * FINGERPRINT < room;
}

bool volume_record_set_key(struct json_object *metadata, int keyslot,
			   const uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE])
{
	struct json_object *keys = member_or_new(luks2_record_or_new(metadata), "keys");

	return keys &&
	       luks2_json_add_id(keys, keyslot,
				 luks2_json_new_base64(fingerprint, VOLUME_FINGERPRINT_SIZE));
}

struct json_object *volume_record_pcr_values_new(const struct keys_tpm_object *object)
{
	struct json_object *values = json_object_new_object();

	for (int pcr = 0; values && pcr < (int)MORTISE_PCRS; pcr++)
		if ((object->values_known & UINT32_C(1) << pcr) &&
		    !luks2_json_add_id(
			    values, pcr,
			    luks2_json_new_base64(object->pcr_values[pcr], KEYS_TPM_DIGEST_SIZE))) {
			json_object_put(values);
			return NULL;
		}
	return values;
}

bool volume_record_set_pcr_values(struct json_object *metadata, int keyslot,
				  struct json_object *values)
{
	struct json_object *pcrs = member_or_new(luks2_record_or_new(metadata), "pcrs");

	if (pcrs)
		return luks2_json_add_id(pcrs, keyslot, values);
	json_object_put(values);
	return false;
}

void volume_record_pcr_values(struct json_object *metadata, int keyslot,
			      struct keys_tpm_object *object)
{
	struct json_object *values = luks2_json_get_id(
		luks2_json_get(luks2_record(metadata), "pcrs", json_type_object), keyslot);

	object->values_known = 0;
	for (int pcr = 0; pcr < (int)MORTISE_PCRS; pcr++) {
		size_t size = KEYS_TPM_DIGEST_SIZE;
		char id[12];

		snprintf(id, sizeof(id), "%d", pcr);
		if (luks2_json_base64(values, id, object->pcr_values[pcr], &size) &&
		    size == KEYS_TPM_DIGEST_SIZE)
			object->values_known |= UINT32_C(1) << pcr;
	}
}

void volume_record_forget_key(struct json_object *metadata, int keyslot)
{
	static const char *const members[] = { "keys", "pcrs" };

	for (size_t i = 0; i < sizeof(members) / sizeof(*members); i++) {
		struct json_object *of_keyslots =
			luks2_json_get(luks2_record(metadata), members[i], json_type_object);

		if (of_keyslots)
			luks2_json_remove_id(of_keyslots, keyslot);
	}
}
