/* SPDX-License-Identifier: MIT */
#include "luks2/seal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "base/sized.h"
#include "keys/hash.h"
#include "luks2/canonical.h"
#include "luks2/policy.h"
#include "luks2/private.h"

#define PURPOSE	  "mortise seal 1"
#define MAC_SIZE  32u
#define PART_SIZE 8u /* bytes of a part's MAC, which only tells what has changed */

/* The parts of the header, and their names in messages. */
static const struct {
	const char *section; /* a member of the metadata; NULL: the UUID */
	const char *member;  /* of the section; NULL: all of it */
	const char *name;
} parts[] = {
	{ NULL, NULL, "UUID" },
	{ "segments", NULL, "segments" },
	{ "digests", NULL, "digests" },
	{ "keyslots", NULL, "keyslots" },
	{ "tokens", NULL, "tokens" },
	{ "config", "flags", "flags" },
	{ "config", "requirements", "requirements" },
	{ "config", LUKS2_RECORD, "record" },
};

#define PARTS (sizeof(parts) / sizeof(*parts))

struct macs {
	uint8_t all[MAC_SIZE];
	uint8_t part[PARTS][PART_SIZE];
};

struct json_object *luks2_record(struct json_object *metadata)
{
	return luks2_json_get(luks2_json_get(metadata, "config", json_type_object), LUKS2_RECORD,
			      json_type_object);
}

struct json_object *luks2_record_or_new(struct json_object *metadata)
{
	struct json_object *config = luks2_json_get(metadata, "config", json_type_object);
	struct json_object *record = luks2_record(metadata);

	if (record || !config)
		return record;
	record = json_object_new_object();
	return luks2_json_add(config, LUKS2_RECORD, record) ? record : NULL;
}

static struct json_object *get_seal(struct json_object *metadata)
{
	return luks2_json_get(luks2_record(metadata), "seal", json_type_object);
}

static enum mortise_code get_part_text(struct json_object *metadata, const char *uuid, size_t i,
				       char **text, struct mortise_error *err)
{
	struct json_object *value = NULL;

	if (!parts[i].section) {
		*text = strdup(uuid);
		return *text ? MORTISE_OK : error_memory(err);
	}
	json_object_object_get_ex(metadata, parts[i].section, &value);
	if (parts[i].member && (!json_object_is_type(value, json_type_object) ||
				!json_object_object_get_ex(value, parts[i].member, &value)))
		value = NULL;
	return luks2_canonical(value, get_seal(metadata), text, err);
}

/* The MAC of a named text. */
static enum mortise_code compute_mac(const uint8_t key[static MAC_SIZE], const char *name,
				     const char *uuid, const char *text,
				     uint8_t mac[static MAC_SIZE], struct mortise_error *err)
{
	/* A NUL, which occurs in none of them, separates them. */
	return keys_hmac_sha256((struct keys_bytes){ key, MAC_SIZE },
				(struct keys_bytes[]){ { name, strlen(name) + 1 },
						       { uuid, strlen(uuid) + 1 },
						       { text, strlen(text) } },
				3, mac, err);
}

static enum mortise_code compute_all(const uint8_t key[static MAC_SIZE],
				     struct json_object *metadata, const char *uuid,
				     struct macs *macs, struct mortise_error *err)
{
	char *text = NULL;
	enum mortise_code code = luks2_canonical(metadata, get_seal(metadata), &text, err);

	if (!code)
		code = compute_mac(key, "all", uuid, text, macs->all, err);
	free(text);
	return code;
}

static enum mortise_code compute_part(const uint8_t key[static MAC_SIZE],
				      struct json_object *metadata, const char *uuid, size_t i,
				      struct macs *macs, struct mortise_error *err)
{
	uint8_t mac[MAC_SIZE];
	char *text = NULL;
	enum mortise_code code = get_part_text(metadata, uuid, i, &text, err);

	if (!code)
		code = compute_mac(key, parts[i].name, "", text, mac, err);
	if (!code)
		memcpy(macs->part[i], mac, PART_SIZE);
	free(text);
	return code;
}

static enum mortise_code derive_key(const struct mortise_secret *volume_key,
				    uint8_t key[static MAC_SIZE], struct mortise_error *err)
{
	return keys_hkdf_sha256((struct keys_bytes){ mortise_secret_data(volume_key),
						     mortise_secret_size(volume_key) },
				PURPOSE, key, err);
}

/* Compares the header with its seal. *changed: bit i is set if part i has changed. */
static enum mortise_code compare(const struct mortise_luks2 *header, bool *valid, uint32_t *changed,
				 struct mortise_error *err)
{
	struct json_object *seal = get_seal(header->metadata);
	size_t all_size = MAC_SIZE, part_size = sizeof((struct macs){ 0 }.part);
	struct macs stored, now;
	uint8_t key[MAC_SIZE];
	enum mortise_code code;

	*valid = false;
	*changed = 0;
	/* A malformed seal does not match. */
	if (!luks2_json_base64(seal, "all", stored.all, &all_size) || all_size != MAC_SIZE)
		return MORTISE_OK;
	code = derive_key(header->volume_key, key, err);
	if (code)
		goto out;
	code = compute_all(key, header->metadata, header->binary.uuid, &now, err);
	if (code)
		goto out;
	*valid = secret_equal(stored.all, now.all, MAC_SIZE);
	if (*valid || !luks2_json_base64(seal, "parts", stored.part[0], &part_size) ||
	    part_size != sizeof(stored.part))
		goto out;
	for (size_t i = 0; !code && i < PARTS; i++) {
		code = compute_part(key, header->metadata, header->binary.uuid, i, &now, err);
		if (!code && !secret_equal(stored.part[i], now.part[i], PART_SIZE))
			*changed |= UINT32_C(1) << i;
	}
out:
	secret_wipe(key, sizeof(key));
	return code;
}

/* The names of the changed parts, "segments, tokens". */
static void list_changes(uint32_t changed, char *list, size_t room)
{
	size_t used = 0;

	*list = '\0';
	for (size_t i = 0; i < PARTS && used < room; i++)
		if (changed & UINT32_C(1) << i)
			used += (size_t)snprintf(list + used, room - used, "%s%s", used ? ", " : "",
						 parts[i].name);
}

enum mortise_code mortise_seal_check(const struct mortise_luks2 *header,
				     struct mortise_seal_info *info, struct mortise_error *err)
{
	struct json_object *record = luks2_record(header->metadata);
	const char *volume = luks2_json_text(record, "volume");
	struct mortise_seal_info filled = { .state = MORTISE_SEAL_NONE };
	enum mortise_code code;
	uint32_t changed;
	bool valid;

	if (get_seal(header->metadata)) {
		filled.state = MORTISE_SEAL_UNVERIFIED;
		snprintf(filled.volume, sizeof(filled.volume), "%.127s", volume ? volume : "");
		(void)luks2_json_decimal(record, "epoch", &filled.epoch);
	}
	if (filled.state != MORTISE_SEAL_NONE && header->volume_key) {
		code = compare(header, &valid, &changed, err);
		if (code)
			return code;
		filled.state = valid ? MORTISE_SEAL_VALID : MORTISE_SEAL_BROKEN;
		list_changes(changed, filled.changed, sizeof(filled.changed));
	}
	return sized_output(SIZED(mortise_seal_info), info, &filled, err);
}

enum mortise_code luks2_update_seal(struct luks2_update *update, const char *volume,
				    struct mortise_error *err)
{
	struct json_object *record;

	if (!update->header->volume_key)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot seal the header of %s without its volume key",
				 update->header->device->path);
	if (volume && strlen(volume) > LUKS2_VOLUME_ID_MAX)
		return error_set(err, MORTISE_E_USAGE, 0, "the volume id is longer than %u bytes",
				 LUKS2_VOLUME_ID_MAX);
	update->seal = true;
	record = luks2_record_or_new(update->metadata);
	if (!record)
		return error_memory(err);
	/* No TPM remembers this header yet (volume_record_set_tpm). */
	json_object_object_del(record, "tpm");
	if (!volume)
		return MORTISE_OK;
	if (!*volume)
		json_object_object_del(record, "volume");
	else if (!luks2_json_add(record, "volume", json_object_new_string(volume)))
		return error_memory(err);
	return MORTISE_OK;
}

static bool raise_epoch(struct json_object *record)
{
	uint64_t epoch = 0;

	(void)luks2_json_decimal(record, "epoch", &epoch);
	return luks2_json_add(record, "version", json_object_new_int(1)) &&
	       luks2_json_add(record, "epoch", luks2_json_new_decimal(epoch + 1));
}

static enum mortise_code compute_seal(struct luks2_update *update, struct macs *macs,
				      struct mortise_error *err)
{
	uint8_t key[MAC_SIZE];
	enum mortise_code code = derive_key(update->header->volume_key, key, err);

	if (!code)
		code = compute_all(key, update->metadata, update->binary.uuid, macs, err);
	for (size_t i = 0; !code && i < PARTS; i++)
		code = compute_part(key, update->metadata, update->binary.uuid, i, macs, err);
	secret_wipe(key, sizeof(key));
	return code;
}

static enum mortise_code seal(struct luks2_update *update, struct mortise_error *err)
{
	struct json_object *record = luks2_record_or_new(update->metadata);
	struct json_object *value;
	struct macs macs;
	enum mortise_code code;

	if (!record || !raise_epoch(record))
		return error_memory(err);
	json_object_object_del(record, "seal");
	code = compute_seal(update, &macs, err);
	if (code)
		return code;
	value = json_object_new_object();
	if (!luks2_json_add(record, "seal", value) ||
	    !luks2_json_add(value, "all", luks2_json_new_base64(macs.all, MAC_SIZE)) ||
	    !luks2_json_add(value, "parts", luks2_json_new_base64(macs.part[0], sizeof(macs.part))))
		return error_memory(err);
	return MORTISE_OK;
}

enum mortise_code luks2_seal_commit(struct luks2_update *update, struct mortise_error *err)
{
	struct mortise_seal_info before = { .struct_size = sizeof(before) };
	enum mortise_code code;

	if (!update->header->volume_key)
		return MORTISE_OK;
	code = mortise_seal_check(update->header, &before, err);
	if (code)
		return code;
	if (before.state == MORTISE_SEAL_BROKEN && !update->seal)
		return MORTISE_OK;
	code = seal(update, err);
	if (code || update->seal || before.state != MORTISE_SEAL_NONE)
		return code;
	/* A header whose JSON area has no room for a seal stays without one. */
	if (luks2_update_fits(update, NULL))
		json_object_object_del(luks2_json_get(update->metadata, "config", json_type_object),
				       LUKS2_RECORD);
	return MORTISE_OK;
}

enum mortise_code mortise_seal(struct mortise_luks2 *header, const char *volume,
			       struct mortise_error *err)
{
	struct luks2_update *update;
	enum mortise_code code = luks2_usable(header->metadata, err);

	if (code)
		return code;
	code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	code = luks2_update_seal(update, volume, err);
	if (!code)
		code = luks2_update_commit(&update, err);
	luks2_update_abort(&update);
	return code;
}
