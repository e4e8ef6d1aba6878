/* SPDX-License-Identifier: MIT */
/* The rules of the format: segments. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "luks2/validate.h"

#define SECTOR 512u

struct extent {
	uint64_t offset;
	uint64_t size; /* UINT64_MAX: dynamic */
};

static bool segment_has_flag(struct json_object *segment, const char *prefix)
{
	struct json_object *flags = luks2_json_get(segment, "flags", json_type_array);
	size_t length = flags ? json_object_array_length(flags) : 0;

	for (size_t i = 0; i < length; i++) {
		const char *flag = json_object_get_string(json_object_array_get_idx(flags, i));

		if (flag && !strncmp(flag, prefix, strlen(prefix)))
			return true;
	}
	return false;
}

bool luks2_segment_is_backup(struct json_object *segment)
{
	return segment_has_flag(segment, "backup-");
}

uint64_t luks2_first_data_offset(struct json_object *metadata)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	uint64_t lowest = UINT64_MAX, offset;

	if (!segments)
		return 0;
	json_object_object_foreach(segments, key, segment) {
		(void)key;
		if (!luks2_segment_is_backup(segment) &&
		    luks2_json_decimal(segment, "offset", &offset) && offset < lowest)
			lowest = offset;
	}
	return lowest == UINT64_MAX ? 0 : lowest;
}

static bool extent_of(struct json_object *segment, struct extent *extent)
{
	const char *size = luks2_json_text(segment, "size");

	if (!luks2_json_decimal(segment, "offset", &extent->offset) || !size)
		return false;
	extent->size = UINT64_MAX;
	return !strcmp(size, "dynamic") ||
	       (luks2_json_decimal(segment, "size", &extent->size) && extent->size);
}

static bool bound_to_digest(struct json_object *metadata, const char *id)
{
	struct json_object *digests = luks2_json_get(metadata, "digests", json_type_object);

	json_object_object_foreach(digests, key, digest) {
		(void)key;
		if (luks2_json_array_has(luks2_json_get(digest, "segments", json_type_array), id))
			return true;
	}
	return false;
}

static enum mortise_code validate_crypt(struct json_object *metadata, const char *id,
					struct json_object *segment, struct mortise_error *err)
{
	struct json_object *integrity;
	uint64_t iv_tweak, sector_size, size;

	if (!luks2_json_decimal(segment, "iv_tweak", &iv_tweak))
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s: bad iv_tweak", id);
	if (!luks2_json_text(segment, "encryption"))
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s: no encryption", id);
	if (!luks2_json_integer(segment, "sector_size", UINT32_MAX, &sector_size) || !sector_size ||
	    sector_size % SECTOR)
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s: bad sector_size", id);
	if (json_object_object_get_ex(segment, "integrity", &integrity) &&
	    (!luks2_json_text(integrity, "type") ||
	     !luks2_json_text(integrity, "journal_encryption") ||
	     !luks2_json_text(integrity, "journal_integrity")))
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s: bad integrity", id);
	if (luks2_json_decimal(segment, "size", &size) && size % sector_size)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "segment %.20s: size is no multiple of its sector_size", id);
	if (!bound_to_digest(metadata, id))
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s: in no digest", id);
	return MORTISE_OK;
}

static enum mortise_code validate_opal(const char *id, struct json_object *segment,
				       struct mortise_error *err)
{
	uint64_t number, key_size, opal_size, size;

	if (!luks2_json_integer(segment, "opal_segment_number", UINT32_MAX, &number) ||
	    !luks2_json_integer(segment, "opal_key_size", UINT32_MAX, &key_size) ||
	    !luks2_json_decimal(segment, "opal_segment_size", &opal_size) ||
	    !luks2_json_decimal(segment, "size", &size) || size > opal_size)
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s: bad OPAL members", id);
	return MORTISE_OK;
}

static enum mortise_code validate_one(struct json_object *metadata, const char *id,
				      struct json_object *segment, struct mortise_error *err)
{
	const char *type = luks2_json_text(segment, "type");
	struct json_object *flags;
	struct extent extent;

	if (!luks2_json_digits(id))
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "segment \"%.20s\": its key is no number", id);
	if (!type)
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s has no type", id);
	if (!extent_of(segment, &extent))
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s: bad offset or size",
				 id);
	if (extent.offset % SECTOR || (extent.size != UINT64_MAX && extent.size % SECTOR))
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "segment %.20s: offset or size is no multiple of 512", id);
	if (json_object_object_get_ex(segment, "flags", &flags)) {
		bool good = json_object_is_type(flags, json_type_array);

		for (size_t i = 0; good && i < json_object_array_length(flags); i++)
			good = json_object_is_type(json_object_array_get_idx(flags, i),
						   json_type_string);
		if (!good)
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "segment %.20s: flags is no array of strings", id);
	}
	if (!strcmp(type, "crypt"))
		return validate_crypt(metadata, id, segment, err);
	if (!strncmp(type, "hw-opal", 7)) {
		enum mortise_code code = validate_opal(id, segment, err);

		if (code || strcmp(type, "hw-opal-crypt"))
			return code;
		return validate_crypt(metadata, id, segment, err);
	}
	return MORTISE_OK;
}

/* Ids run 0..n-1 without a gap, backup segments behind the regular ones. */
static enum mortise_code validate_order(struct json_object *segments, int count, int *regular,
					struct mortise_error *err)
{
	*regular = 0;
	for (int i = 0; i < count; i++) {
		struct json_object *segment = luks2_json_get_id(segments, i);

		if (!segment)
			return error_set(err, MORTISE_E_CORRUPT, 0, "there is no segment %d", i);
		if (luks2_segment_is_backup(segment))
			continue;
		if (*regular < i)
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "segment %d stands behind a backup segment", i);
		*regular = i + 1;
	}
	if (!*regular)
		return error_set(err, MORTISE_E_CORRUPT, 0, "there is no regular segment");
	return MORTISE_OK;
}

static int by_offset(const void *left, const void *right)
{
	const struct extent *a = left, *b = right;

	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Only the last may be dynamic; none overlaps another. One alone may be of any size. */
static enum mortise_code validate_extents(struct json_object *segments, int regular,
					  struct mortise_error *err)
{
	struct extent *extent = calloc(regular > 0 ? (size_t)regular : 1, sizeof(*extent));
	enum mortise_code code = MORTISE_OK;

	if (!extent)
		return error_memory(err);
	for (int i = 0; !code && i < regular; i++) {
		if (!extent_of(luks2_json_get_id(segments, i), &extent[i]) ||
		    (extent[i].size == UINT64_MAX && i != regular - 1))
			code = error_set(err, MORTISE_E_CORRUPT, 0,
					 "segment %d is dynamic but not the last", i);
		else if (regular > 1 && extent[i].size != UINT64_MAX &&
			 extent[i].offset > UINT64_MAX - extent[i].size)
			code = error_set(err, MORTISE_E_CORRUPT, 0, "segment %d ends beyond 2^64",
					 i);
	}
	if (!code)
		qsort(extent, (size_t)regular, sizeof(*extent), by_offset);
	for (int i = 1; !code && i < regular; i++)
		if (extent[i - 1].size > extent[i].offset - extent[i - 1].offset)
			code = error_set(err, MORTISE_E_CORRUPT, 0,
					 "segments overlap at byte %" PRIu64, extent[i].offset);
	free(extent);
	return code;
}

static bool same_member(struct json_object *a, struct json_object *b, const char *key)
{
	struct json_object *left = NULL, *right = NULL;

	json_object_object_get_ex(a, key, &left);
	json_object_object_get_ex(b, key, &right);
	return json_object_equal(left, right);
}

static bool same_kind(struct json_object *a, struct json_object *b)
{
	return same_member(a, b, "type") && same_member(a, b, "encryption") &&
	       same_member(a, b, "sector_size");
}

/* While reencrypting, every regular segment is of the old kind or of the new. */
static enum mortise_code validate_reencryption(struct json_object *metadata, int count, int regular,
					       struct mortise_error *err)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	struct json_object *previous = NULL, *final = NULL;
	const char *name;
	bool online = false;

	for (unsigned i = 0; (name = luks2_requirement(metadata, i)); i++)
		online |= luks2_requirement_is_online_reencrypt(name);
	if (!online)
		return MORTISE_OK;
	for (int i = regular; i < count; i++) {
		struct json_object *segment = luks2_json_get_id(segments, i);

		if (segment_has_flag(segment, "backup-final"))
			final = segment;
		else if (segment_has_flag(segment, "backup-previous"))
			previous = segment;
	}
	if (!final || !previous)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "reencryption is under way but a backup segment is missing");
	for (int i = 0; i < regular; i++) {
		struct json_object *segment = luks2_json_get_id(segments, i);

		if (!same_kind(segment, final) &&
		    (segment_has_flag(segment, "in-reencryption") || !same_kind(segment, previous)))
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "segment %d is neither of the old nor of the new kind", i);
	}
	return MORTISE_OK;
}

enum mortise_code luks2_validate_segments(struct json_object *metadata, struct mortise_error *err)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	int count = segments ? json_object_object_length(segments) : 0, regular;
	enum mortise_code code;

	if (count < 1)
		return error_set(err, MORTISE_E_CORRUPT, 0, "there are no segments");
	json_object_object_foreach(segments, id, segment) {
		code = validate_one(metadata, id, segment, err);
		if (code)
			return code;
	}
	code = validate_order(segments, count, &regular, err);
	if (!code)
		code = validate_extents(segments, regular, err);
	if (!code)
		code = validate_reencryption(metadata, count, regular, err);
	return code;
}
