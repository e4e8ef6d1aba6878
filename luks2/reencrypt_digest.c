/* SPDX-License-Identifier: MIT */
/* The digest over the metadata of a reencryption. */
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "luks2/digest.h"
#include "luks2/metadata.h"
#include "luks2/private.h"
#include "luks2/reencrypt_private.h"

enum field_type {
	FIELD_TEXT,
	FIELD_64, /* a decimal string, as 64 bits, or the text "dynamic" */
	FIELD_32, /* an integer, as 32 bits */
};

struct field {
	const char *name;
	enum field_type type;
};

/* Text that grows; without room it only counts. */
struct record {
	uint8_t *data; /* NULL: count */
	size_t size;
};

static void append(struct record *record, const void *bytes, size_t size)
{
	if (record->data)
		memcpy(record->data + record->size, bytes, size);
	record->size += size;
}

static void append_number(struct record *record, uint64_t value, unsigned size)
{
	uint8_t bytes[8];

	for (unsigned i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * (size - 1 - i)));
	append(record, bytes, size);
}

static bool append_field(struct record *record, struct json_object *object,
			 const struct field *field)
{
	const char *text = luks2_json_text(object, field->name);
	uint64_t value;

	if (field->type == FIELD_32) {
		if (!luks2_json_integer(object, field->name, UINT32_MAX, &value))
			return false;
		append_number(record, value, 4);
	} else if (!text) {
		return false;
	} else if (field->type == FIELD_TEXT || !strcmp(text, "dynamic")) {
		append(record, text, strlen(text));
	} else {
		if (!luks2_json_decimal(object, field->name, &value))
			return false;
		append_number(record, value, 8);
	}
	return true;
}

static bool append_fields(struct record *record, struct json_object *object,
			  const struct field *fields, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!append_field(record, object, &fields[i]))
			return false;
	return true;
}

static bool append_segment(struct record *record, struct json_object *metadata, const char *flag)
{
	static const struct field fields[] = {
		{ "type", FIELD_TEXT },	  { "offset", FIELD_64 },	{ "size", FIELD_64 },
		{ "iv_tweak", FIELD_64 }, { "encryption", FIELD_TEXT }, { "sector_size", FIELD_32 },
	};
	int id;
	struct json_object *segment = luks2_segment_flagged(
		luks2_json_get(metadata, "segments", json_type_object), flag, &id);
	const char *type = luks2_json_text(segment, "type");

	return type && append_fields(record, segment, fields, strcmp(type, "crypt") ? 3 : 6);
}

static bool append_keyslot(struct record *record, struct json_object *metadata)
{
	static const struct field keyslot_fields[] = {
		{ "mode", FIELD_TEXT },
		{ "direction", FIELD_TEXT },
	};
	static const struct field area_fields[] = {
		{ "type", FIELD_TEXT },
		{ "offset", FIELD_64 },
		{ "size", FIELD_64 },
	};
	static const struct field checksum_fields[] = {
		{ "hash", FIELD_TEXT },
		{ "sector_size", FIELD_32 },
	};
	static const struct field shift_field = { "shift_size", FIELD_64 };
	int id;
	struct json_object *keyslot = luks2_reencrypt_keyslot(metadata, &id);
	struct json_object *area = luks2_json_get(keyslot, "area", json_type_object);
	const char *type = luks2_json_text(area, "type");

	return type && append_fields(record, keyslot, keyslot_fields, 2) &&
	       append_fields(record, area, area_fields, 3) &&
	       (!strstr(type, "checksum") || append_fields(record, area, checksum_fields, 2)) &&
	       (strncmp(type, "datashift", 9) != 0 || append_field(record, area, &shift_field));
}

/* Only a reencryption that has moved data ahead has the third backup segment. */
static bool append_moved(struct record *record, struct json_object *metadata)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	int id;

	return !luks2_segment_flagged(segments, "backup-moved-segment", &id) ||
	       append_segment(record, metadata, "backup-moved-segment");
}

static bool append_all(struct record *record, struct json_object *metadata,
		       const struct mortise_secret *old_key, const struct mortise_secret *new_key)
{
	const uint8_t prefix[] = { 0x76, (uint8_t)(0x30 + luks2_reencrypt_version(metadata)) };

	append(record, prefix, sizeof(prefix));
	if (old_key)
		append(record, mortise_secret_data(old_key), mortise_secret_size(old_key));
	if (new_key)
		append(record, mortise_secret_data(new_key), mortise_secret_size(new_key));
	return append_keyslot(record, metadata) &&
	       append_segment(record, metadata, "backup-previous") &&
	       append_segment(record, metadata, "backup-final") && append_moved(record, metadata);
}

enum mortise_code luks2_reencrypt_record(struct json_object *metadata,
					 const struct mortise_secret *old_key,
					 const struct mortise_secret *new_key,
					 struct mortise_secret **out, struct mortise_error *err)
{
	struct record record = { 0 };
	enum mortise_code code;

	if (!append_all(&record, metadata, old_key, new_key))
		return error_set(err, MORTISE_E_POLICY, 0, "Reencryption metadata is invalid.");
	code = mortise_secret_new(record.size, out, err);
	if (code)
		return code;
	record = (struct record){ .data = mortise_secret_writable(*out) };
	(void)append_all(&record, metadata, old_key, new_key);
	return MORTISE_OK;
}

enum mortise_code luks2_reencryption_verify(const struct mortise_luks2 *header,
					    const struct luks2_reencryption *state,
					    const struct mortise_secret *old_key,
					    const struct mortise_secret *new_key,
					    struct mortise_error *err)
{
	struct json_object *metadata = luks2_header_metadata(header);
	const int digest = luks2_digest_of_keyslot(metadata, state->keyslot);
	struct mortise_secret *record = NULL;
	enum mortise_code code = MORTISE_E_KEY;

	if (digest >= 0) {
		code = luks2_reencrypt_record(metadata, old_key, new_key, &record, err);
		if (!code)
			code = luks2_digest_verify(header, digest, record, err);
		mortise_secret_free(&record);
	}
	if (code == MORTISE_E_KEY)
		code = error_set(err, MORTISE_E_POLICY, 0, "Reencryption metadata is invalid.");
	return code;
}

enum mortise_code luks2_reencrypt_add_digest(struct luks2_update *update, int keyslot,
					     const struct mortise_secret *old_key,
					     const struct mortise_secret *new_key,
					     struct mortise_error *err)
{
	struct json_object *metadata = luks2_update_metadata(update);
	struct mortise_secret *record = NULL;
	int digest = -1;
	enum mortise_code code = luks2_reencrypt_record(metadata, old_key, new_key, &record, err);

	/* The record contains a random key, which needs no stretching. */
	if (!code)
		code = luks2_digest_add(metadata, "sha256", LUKS2_DIGEST_ITERATIONS_MIN, record,
					luks2_header_events(update->header), &digest, err);
	mortise_secret_free(&record);
	if (!code && !luks2_digest_assign(metadata, digest, "keyslots", keyslot))
		code = error_memory(err);
	return code;
}

enum mortise_code luks2_reencryption_protect(struct luks2_update *update,
					     const struct luks2_reencryption *state,
					     const struct mortise_secret *old_key,
					     const struct mortise_secret *new_key,
					     struct mortise_error *err)
{
	struct json_object *metadata = luks2_update_metadata(update);
	const int digest = luks2_digest_of_keyslot(metadata, state->keyslot);
	int keyslot;

	if (digest >= 0 && (digest == state->before.digest || digest == state->after.digest))
		return error_set(err, MORTISE_E_POLICY, 0, "Reencryption metadata is invalid.");
	if (digest >= 0)
		luks2_json_remove_id(luks2_json_get(metadata, "digests", json_type_object), digest);
	if (!luks2_reencrypt_set_requirement(metadata, state) ||
	    !luks2_reencrypt_set_area(luks2_reencrypt_keyslot(metadata, &keyslot), state,
				      state->area_offset, state->area_size))
		return error_memory(err);
	return luks2_reencrypt_add_digest(update, state->keyslot, old_key, new_key, err);
}
