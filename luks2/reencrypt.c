/* SPDX-License-Identifier: MIT */
/* Reading the metadata of a reencryption, and the digest over it. */
#include "luks2/reencrypt.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "luks2/digest.h"
#include "luks2/metadata.h"
#include "luks2/reencrypt_private.h"

#define VERSION 2u /* of the requirement: with a digest over the metadata */

/* In the order of their enums. */
static const char *const mode_names[] = { "reencrypt", "encrypt", "decrypt", NULL };
static const char *const guard_names[] = { "none", "checksum", "journal", NULL };

static int index_of(const char *name, const char *const *names)
{
	for (int i = 0; name && names[i]; i++)
		if (!strcmp(name, names[i]))
			return i;
	return -1;
}

const char *luks2_reencrypt_mode_name(enum mortise_reencrypt_mode mode)
{
	return mode_names[mode];
}

const char *luks2_guard_name(enum luks2_guard guard)
{
	return guard_names[guard];
}

bool luks2_guard_parse(const char *name, enum luks2_guard *guard)
{
	const int index = index_of(name, guard_names);

	*guard = (enum luks2_guard)index;
	return index >= 0;
}

struct json_object *luks2_reencrypt_keyslot(struct json_object *metadata, int *id)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);

	for (*id = 0; *id < (int)MORTISE_KEYSLOTS_MAX; ++*id) {
		struct json_object *keyslot = luks2_json_get_id(keyslots, *id);
		const char *type = luks2_json_text(keyslot, "type");

		if (type && !strcmp(type, "reencrypt"))
			return keyslot;
	}
	return NULL;
}

struct json_object *luks2_segment_flagged(struct json_object *segments, const char *flag, int *id)
{
	struct json_object *segment;

	for (*id = 0; (segment = luks2_json_get_id(segments, *id)); ++*id)
		if (luks2_segment_has_flag(segment, flag))
			return segment;
	return NULL;
}

static struct json_object *find_backup(struct json_object *metadata, const char *flag, int *id)
{
	return luks2_segment_flagged(luks2_json_get(metadata, "segments", json_type_object), flag,
				     id);
}

static bool read_form(struct json_object *metadata, const char *flag, struct luks2_form *form)
{
	int id;
	struct json_object *segment = find_backup(metadata, flag, &id);
	const char *type = luks2_json_text(segment, "type");
	uint64_t sector_size = 512;

	*form = (struct luks2_form){ .digest = -1 };
	if (!type || !luks2_json_decimal(segment, "offset", &form->offset))
		return false;
	if (!strcmp(type, "crypt")) {
		form->digest = luks2_digest_of_segment(metadata, id);
		form->cipher = luks2_json_text(segment, "encryption");
		if (form->digest < 0 || !form->cipher ||
		    !luks2_json_decimal(segment, "iv_tweak", &form->iv_tweak) ||
		    !luks2_json_integer(segment, "sector_size", 4096, &sector_size) ||
		    sector_size < 512 || (sector_size & (sector_size - 1)) ||
		    luks2_json_get(segment, "integrity", json_type_object))
			return false;
	} else if (strcmp(type, "linear")) {
		return false;
	}
	form->sector_size = (uint32_t)sector_size;
	return true;
}

static enum mortise_code check_version(struct json_object *metadata, struct mortise_error *err)
{
	const char *requirement = luks2_requirement(metadata, 0);
	unsigned version = 1;

	if (luks2_requirement(metadata, 1) || luks2_online_reencrypt_count(metadata) != 1)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "Unmet LUKS2 requirements detected. (%.60s)", requirement);
	(void)sscanf(requirement, LUKS2_REQUIREMENT_REENCRYPT "-v%u", &version);
	if (version != VERSION)
		return error_set(
			err, MORTISE_E_UNSUPPORTED, 0,
			"cannot continue a reencryption of kind %.40s; continue it with the "
			"program that began it",
			requirement);
	return MORTISE_OK;
}

static enum mortise_code corrupt(int keyslot, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_CORRUPT, 0,
			 "the reencryption of keyslot %d has invalid members", keyslot);
}

/* The unit of all zones: the larger sector, or the block of a checksum. */
static bool read_block_size(struct json_object *area, struct luks2_reencryption *state)
{
	const uint32_t before = state->before.sector_size, after = state->after.sector_size;
	uint64_t size = before > after ? before : after;

	state->block_size = (uint32_t)size;
	if (state->guard != LUKS2_GUARD_CHECKSUM)
		return true;
	state->hash = luks2_json_text(area, "hash");
	if (!state->hash || !luks2_json_integer(area, "sector_size", LUKS2_BLOCK_MAX, &size) ||
	    size < state->block_size || (size & (size - 1)))
		return false;
	state->block_size = (uint32_t)size;
	return true;
}

static enum mortise_code read_keyslot(struct json_object *keyslot, struct luks2_reencryption *state,
				      struct mortise_error *err)
{
	struct json_object *area = luks2_json_get(keyslot, "area", json_type_object);
	const char *direction = luks2_json_text(keyslot, "direction");
	const char *type = luks2_json_text(area, "type");
	const int mode = index_of(luks2_json_text(keyslot, "mode"), mode_names);

	if (!luks2_guard_parse(type, &state->guard))
		return error_set(
			err, MORTISE_E_UNSUPPORTED, 0,
			"cannot continue a reencryption with resilience %.40s; continue it "
			"with the program that began it",
			type ? type : "(none)");
	state->mode = (enum mortise_reencrypt_mode)mode;
	state->backward = direction && !strcmp(direction, "backward");
	if (mode < 0 || !read_block_size(area, state) ||
	    !luks2_json_decimal(area, "offset", &state->area_offset) ||
	    !luks2_json_decimal(area, "size", &state->area_size))
		return corrupt(state->keyslot, err);
	return MORTISE_OK;
}

struct part {
	uint64_t offset; /* bytes on the device */
	uint64_t size;	 /* bytes, 0: dynamic */
	bool busy;
	bool done; /* in the form after the reencryption */
};

/* At most three regular segments: done, busy, to do. */
static unsigned read_parts(struct json_object *metadata, const struct luks2_reencryption *state,
			   struct part parts[static 3])
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	struct json_object *segment;
	unsigned count = 0;

	for (int id = 0; (segment = luks2_json_get_id(segments, id)); id++) {
		const char *cipher = luks2_json_text(segment, "encryption");
		struct part part = { 0 };
		uint64_t sector_size = 512;

		if (luks2_segment_is_backup(segment))
			continue;
		if (count == 3 || !luks2_json_decimal(segment, "offset", &part.offset))
			return 0;
		(void)luks2_json_decimal(segment, "size", &part.size);
		(void)luks2_json_integer(segment, "sector_size", 4096, &sector_size);
		part.busy = luks2_segment_has_flag(segment, "in-reencryption");
		part.done = luks2_digest_of_segment(metadata, id) == state->after.digest &&
			    !cipher == !state->after.cipher &&
			    (!cipher || (!strcmp(cipher, state->after.cipher) &&
					 sector_size == state->after.sector_size));
		parts[count++] = part;
	}
	return count;
}

/* How far the reencryption is, from the regular segments. */
static bool read_progress(struct json_object *metadata, struct luks2_reencryption *state)
{
	const bool backward = state->backward;
	struct part parts[3];
	const unsigned count = read_parts(metadata, state, parts);
	uint64_t start = 0, size = 0;
	bool dynamic = false;
	unsigned busy = 0;

	for (unsigned i = 0; i < count; i++) {
		if (parts[i].offset != state->after.offset + start ||
		    (!parts[i].size && i != count - 1))
			return false;
		if (parts[i].busy) {
			busy++;
			state->interrupted = true;
			state->zone = (struct luks2_zone){ start, parts[i].size };
		} else if (i == 0 && count > 1) {
			state->border = parts[i].size;
		}
		dynamic |= !parts[i].size;
		size = start += parts[i].size;
	}
	if (!count || busy > 1 || (count == 3 && !parts[1].busy) || (busy && !state->zone.length))
		return false;
	state->fixed_size = dynamic ? 0 : size;
	state->whole = count == 1 && !busy && !parts[0].done;
	state->finished = count == 1 && !busy && parts[0].done;
	return busy || count == 1 || (parts[0].done == !backward && parts[1].done == backward);
}

enum mortise_code luks2_reencryption_get(struct json_object *metadata,
					 struct luks2_reencryption *state,
					 struct mortise_error *err)
{
	struct json_object *keyslot;
	enum mortise_code code;

	*state = (struct luks2_reencryption){ 0 };
	keyslot = luks2_reencrypt_keyslot(metadata, &state->keyslot);
	if (!keyslot)
		return error_set(err, MORTISE_E_USAGE, 0, "Device is not in reencryption.");
	code = check_version(metadata, err);
	if (code)
		return code;
	if (!read_form(metadata, "backup-previous", &state->before) ||
	    !read_form(metadata, "backup-final", &state->after))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "cannot continue a reencryption with these segments");
	code = read_keyslot(keyslot, state, err);
	if (code)
		return code;
	if (state->before.offset != state->after.offset ||
	    !state->before.cipher != (state->mode == MORTISE_ENCRYPT) ||
	    !state->after.cipher != (state->mode == MORTISE_DECRYPT) ||
	    !read_progress(metadata, state))
		return corrupt(state->keyslot, err);
	return MORTISE_OK;
}

/* --- the digest over the metadata --- */

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
	struct json_object *segment = find_backup(metadata, flag, &id);
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
		{ "type", FIELD_TEXT }, { "offset", FIELD_64 },	     { "size", FIELD_64 },
		{ "hash", FIELD_TEXT }, { "sector_size", FIELD_32 },
	};
	int id;
	struct json_object *keyslot = luks2_reencrypt_keyslot(metadata, &id);
	struct json_object *area = luks2_json_get(keyslot, "area", json_type_object);
	const char *type = luks2_json_text(area, "type");

	return type && append_fields(record, keyslot, keyslot_fields, 2) &&
	       append_fields(record, area, area_fields,
			     strcmp(type, guard_names[LUKS2_GUARD_CHECKSUM]) ? 3 : 5);
}

static bool append_all(struct record *record, struct json_object *metadata,
		       const struct mortise_secret *old_key, const struct mortise_secret *new_key)
{
	static const uint8_t prefix[] = { 0x76, 0x30 + VERSION };

	append(record, prefix, sizeof(prefix));
	if (old_key)
		append(record, mortise_secret_data(old_key), mortise_secret_size(old_key));
	if (new_key)
		append(record, mortise_secret_data(new_key), mortise_secret_size(new_key));
	return append_keyslot(record, metadata) &&
	       append_segment(record, metadata, "backup-previous") &&
	       append_segment(record, metadata, "backup-final");
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
