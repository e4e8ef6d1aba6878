/* SPDX-License-Identifier: MIT */
/* Reading and changing the header's public properties. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "luks2/luks1.h"
#include "luks2/metadata.h"
#include "luks2/policy.h"
#include "luks2/private.h"
#include "luks2/uuid.h"

static const char *text_or_empty(struct json_object *object, const char *key)
{
	const char *text = luks2_json_text(object, key);

	return text ? text : "";
}

static struct json_object *section(const struct mortise_luks2 *header, const char *name)
{
	return luks2_json_get(header->metadata, name, json_type_object);
}

static const char *array_text(struct json_object *array, unsigned i)
{
	if (!array || i >= json_object_array_length(array))
		return NULL;
	return json_object_get_string(json_object_array_get_idx(array, i));
}

enum mortise_code mortise_header_info(const struct mortise_luks2 *header,
				      struct mortise_header_info *info, struct mortise_error *err)
{
	struct json_object *config = section(header, "config");
	struct mortise_header_info filled = {
		.seqid = header->binary.seqid,
		.metadata_size = header->binary.copy_size,
		.uuid = header->binary.uuid,
		.label = header->binary.label,
		.subsystem = header->binary.subsystem,
		.detached = header->detached,
		.device = header->data_path,
		.header = header->device->path,
		.version = header->luks1 ? 1 : 2,
		.key_size = header->luks1 ? header->luks1->key_size : 0,
	};

	if (!luks2_json_decimal(config, "keyslots_size", &filled.keyslots_size))
		filled.keyslots_size = 0;
	return sized_output(SIZED_SINCE(mortise_header_info, version), info, &filled, err);
}

const char *mortise_header_flag(const struct mortise_luks2 *header, unsigned i)
{
	return array_text(luks2_json_get(section(header, "config"), "flags", json_type_array), i);
}

const char *mortise_header_requirement(const struct mortise_luks2 *header, unsigned i)
{
	return luks2_requirement(header->metadata, i);
}

enum mortise_code mortise_header_json(const struct mortise_luks2 *header, char **json,
				      struct mortise_error *err)
{
	const char *text;

	*json = NULL;
	if (header->luks1)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Dump operation is not supported for this device type.");
	text = json_object_to_json_string_ext(
		header->metadata, JSON_C_TO_STRING_PRETTY | JSON_C_TO_STRING_NOSLASHESCAPE);
	*json = text ? strdup(text) : NULL;
	if (!*json)
		return error_memory(err);
	return MORTISE_OK;
}

static void read_kdf(struct json_object *object, struct mortise_keyslot_info *info)
{
	struct json_object *kdf = luks2_json_get(object, "kdf", json_type_object);
	uint64_t time = 0, memory = 0, lanes = 0;

	info->kdf_type = text_or_empty(kdf, "type");
	info->salt.size = sizeof(info->salt.bytes);
	if (!luks2_json_base64(kdf, "salt", info->salt.bytes, &info->salt.size))
		info->salt.size = 0;
	if (!strcmp(info->kdf_type, "pbkdf2")) {
		info->kdf.type = MORTISE_KDF_PBKDF2;
		strncat(info->kdf.hash, text_or_empty(kdf, "hash"), MORTISE_HASH_MAX);
		(void)luks2_json_integer(kdf, "iterations", UINT32_MAX, &time);
	} else {
		info->kdf.type = !strcmp(info->kdf_type, "argon2i") ? MORTISE_KDF_ARGON2I
								    : MORTISE_KDF_ARGON2ID;
		(void)luks2_json_integer(kdf, "time", UINT32_MAX, &time);
		(void)luks2_json_integer(kdf, "memory", UINT32_MAX, &memory);
		(void)luks2_json_integer(kdf, "cpus", UINT32_MAX, &lanes);
	}
	info->kdf.time = (uint32_t)time;
	info->kdf.memory_kib = (uint32_t)memory;
	info->kdf.lanes = (uint32_t)lanes;
}

static void read_reencrypt(struct json_object *object, struct json_object *area,
			   struct mortise_keyslot_info *info)
{
	info->reencrypt_mode = text_or_empty(object, "mode");
	info->reencrypt_direction = text_or_empty(object, "direction");
	info->reencrypt_resilience = text_or_empty(area, "type");
	info->reencrypt_hash = text_or_empty(area, "hash");
	(void)luks2_json_integer(area, "sector_size", UINT32_MAX, &info->reencrypt_sector_size);
	(void)luks2_json_decimal(area, "shift_size", &info->reencrypt_shift_size);
}

enum mortise_code mortise_keyslot_info(const struct mortise_luks2 *header, int id,
				       struct mortise_keyslot_info *info, struct mortise_error *err)
{
	struct json_object *object = id < (int)MORTISE_KEYSLOTS_MAX
					     ? luks2_json_get_id(section(header, "keyslots"), id)
					     : NULL;
	struct json_object *area = luks2_json_get(object, "area", json_type_object);
	struct json_object *af = luks2_json_get(object, "af", json_type_object);
	struct json_object *stripes = luks2_json_get(af, "stripes", json_type_int);
	struct mortise_keyslot_info filled;
	uint64_t number;

	if (!object)
		return error_set(err, MORTISE_E_NO_KEYSLOT, 0, "Keyslot %d is not active.", id);
	filled = (struct mortise_keyslot_info){
		.type = luks2_json_text(object, "type"),
		.priority = MORTISE_PRIORITY_NORMAL,
		.cipher = text_or_empty(area, "encryption"),
		.af_stripes = stripes ? json_object_get_int64(stripes) : 0,
		.af_hash = text_or_empty(af, "hash"),
		.digest = luks2_digest_of_keyslot(header->metadata, id),
	};
	filled.unbound =
		!strcmp(filled.type, "luks2") && !luks2_keyslot_opens_data(header->metadata, id);
	if (luks2_json_integer(object, "key_size", UINT32_MAX, &number))
		filled.key_size = (uint32_t)number;
	if (luks2_json_integer(object, "priority", MORTISE_PRIORITY_PREFER, &number))
		filled.priority = (enum mortise_priority)number;
	if (luks2_json_integer(area, "key_size", UINT32_MAX, &number))
		filled.area_key_size = (uint32_t)number;
	(void)luks2_json_decimal(area, "offset", &filled.area_offset);
	(void)luks2_json_decimal(area, "size", &filled.area_size);
	read_kdf(object, &filled);
	read_reencrypt(object, area, &filled);
	return sized_output(SIZED(mortise_keyslot_info), info, &filled, err);
}

static struct json_object *find_segment(const struct mortise_luks2 *header, int id)
{
	return luks2_json_get_id(section(header, "segments"), id);
}

enum mortise_code mortise_segment_info(const struct mortise_luks2 *header, int id,
				       struct mortise_segment_info *info, struct mortise_error *err)
{
	struct json_object *object = find_segment(header, id);
	struct mortise_segment_info filled;
	uint64_t number;

	if (!object)
		return error_set(err, MORTISE_E_USAGE, 0, "segment %d does not exist", id);
	filled = (struct mortise_segment_info){
		.type = luks2_json_text(object, "type"),
		.cipher = text_or_empty(object, "encryption"),
		.integrity = text_or_empty(luks2_json_get(object, "integrity", json_type_object),
					   "type"),
	};
	(void)luks2_json_decimal(object, "offset", &filled.offset);
	(void)luks2_json_decimal(object, "iv_tweak", &filled.iv_tweak);
	filled.dynamic = !luks2_json_decimal(object, "size", &filled.size);
	if (luks2_json_integer(object, "sector_size", UINT32_MAX, &number))
		filled.sector_size = (uint32_t)number;
	return sized_output(SIZED(mortise_segment_info), info, &filled, err);
}

const char *mortise_segment_flag(const struct mortise_luks2 *header, int id, unsigned i)
{
	return array_text(luks2_json_get(find_segment(header, id), "flags", json_type_array), i);
}

enum mortise_code mortise_digest_info(const struct mortise_luks2 *header, int id,
				      struct mortise_digest_info *info, struct mortise_error *err)
{
	struct json_object *object = luks2_json_get_id(section(header, "digests"), id);
	struct mortise_digest_info filled;

	if (!object)
		return error_set(err, MORTISE_E_USAGE, 0, "digest %d does not exist", id);
	filled = (struct mortise_digest_info){
		.type = luks2_json_text(object, "type"),
		.hash = text_or_empty(object, "hash"),
	};
	(void)luks2_json_integer(object, "iterations", UINT32_MAX, &filled.iterations);
	filled.salt.size = sizeof(filled.salt.bytes);
	if (!luks2_json_base64(object, "salt", filled.salt.bytes, &filled.salt.size))
		filled.salt.size = 0;
	filled.digest_size = sizeof(filled.digest);
	if (!luks2_json_base64(object, "digest", filled.digest, &filled.digest_size))
		filled.digest_size = 0;
	return sized_output(SIZED(mortise_digest_info), info, &filled, err);
}

static enum mortise_code check_label(const char *text, const char *what, struct mortise_error *err)
{
	if (text && strlen(text) > MORTISE_LABEL_MAX)
		return error_set(err, MORTISE_E_USAGE, 0, "%s is too long (at most %u bytes).",
				 what, MORTISE_LABEL_MAX);
	return MORTISE_OK;
}

static void set_field(char *field, size_t size, const char *text)
{
	memset(field, 0, size);
	memcpy(field, text, strlen(text));
}

enum mortise_code mortise_header_set_label(struct mortise_luks2 *header, const char *label,
					   const char *subsystem, struct mortise_error *err)
{
	struct luks2_update *update;
	enum mortise_code code;

	code = check_label(label, "Label", err);
	if (code)
		return code;
	code = check_label(subsystem, "Subsystem", err);
	if (code)
		return code;
	code = luks2_usable(header->metadata, err);
	if (code)
		return code;
	code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	if (label)
		set_field(update->binary.label, sizeof(update->binary.label), label);
	if (subsystem)
		set_field(update->binary.subsystem, sizeof(update->binary.subsystem), subsystem);
	return luks2_update_commit(&update, err);
}

enum mortise_code mortise_header_set_uuid(struct mortise_luks2 *header, const char *uuid,
					  struct mortise_error *err)
{
	char checked[sizeof(header->binary.uuid)] = { 0 };
	struct luks2_update *update;
	enum mortise_code code;

	code = luks2_uuid_parse(uuid, checked, err);
	if (code)
		return code;
	code = luks2_usable(header->metadata, err);
	if (code)
		return code;
	code = luks2_update_begin(header, &update, err);
	if (code)
		return code;
	memcpy(update->binary.uuid, checked, sizeof(checked));
	return luks2_update_commit(&update, err);
}

enum mortise_code mortise_header_usable(const struct mortise_luks2 *header,
					struct mortise_error *err)
{
	return luks2_usable(header->metadata, err);
}
