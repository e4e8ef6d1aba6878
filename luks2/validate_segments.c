/* SPDX-License-Identifier: MIT */
/* The rules of the format: segments. */
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "luks2/metadata.h"
#include "luks2/validate.h"

#define SECTOR 512u

struct extent {
	uint64_t offset;
	uint64_t size; /* UINT64_MAX: dynamic */
};

static bool read_extent(struct json_object *segment, struct extent *extent)
{
	const char *size = luks2_json_text(segment, "size");

	if (!luks2_json_decimal(segment, "offset", &extent->offset) || !size)
		return false;
	extent->size = UINT64_MAX;
	return !strcmp(size, "dynamic") ||
	       (luks2_json_decimal(segment, "size", &extent->size) && extent->size);
}

static bool is_in_digest(struct json_object *metadata, const char *id)
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
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s: invalid iv_tweak", id);
	if (!luks2_json_text(segment, "encryption"))
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s has no encryption", id);
	if (!luks2_json_integer(segment, "sector_size", UINT32_MAX, &sector_size) || !sector_size ||
	    sector_size % SECTOR)
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s: invalid sector_size",
				 id);
	if (json_object_object_get_ex(segment, "integrity", &integrity) &&
	    (!luks2_json_text(integrity, "type") ||
	     !luks2_json_text(integrity, "journal_encryption") ||
	     !luks2_json_text(integrity, "journal_integrity")))
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s: invalid integrity", id);
	if (luks2_json_decimal(segment, "size", &size) && size % sector_size)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "segment %.20s: size is not a multiple of its sector_size", id);
	if (!is_in_digest(metadata, id))
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s is in no digest", id);
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
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s: invalid OPAL members",
				 id);
	return MORTISE_OK;
}

static enum mortise_code validate_segment(struct json_object *metadata, const char *id,
					  struct json_object *segment, struct mortise_error *err)
{
	const char *type = luks2_json_text(segment, "type");
	struct json_object *flags;
	struct extent extent;

	if (!luks2_json_digits(id))
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "segment \"%.20s\": its key is not a number", id);
	if (!type)
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s has no type", id);
	if (!read_extent(segment, &extent))
		return error_set(err, MORTISE_E_CORRUPT, 0, "segment %.20s: invalid offset or size",
				 id);
	if (extent.offset % SECTOR || (extent.size != UINT64_MAX && extent.size % SECTOR))
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "segment %.20s: offset or size is not a multiple of 512", id);
	if (json_object_object_get_ex(segment, "flags", &flags)) {
		bool good = json_object_is_type(flags, json_type_array);

		for (size_t i = 0; good && i < json_object_array_length(flags); i++)
			good = json_object_is_type(json_object_array_get_idx(flags, i),
						   json_type_string);
		if (!good)
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "segment %.20s: flags is not an array of strings", id);
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

/* Ids are 0..n-1 without a gap. Backup segments follow the regular ones. */
static enum mortise_code validate_order(struct json_object *segments, int count, int *regular,
					struct mortise_error *err)
{
	*regular = 0;
	for (int i = 0; i < count; i++) {
		struct json_object *segment = luks2_json_get_id(segments, i);

		if (!segment)
			return error_set(err, MORTISE_E_CORRUPT, 0, "segment %d is missing", i);
		if (luks2_segment_is_backup(segment))
			continue;
		if (*regular < i)
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "segment %d follows a backup segment", i);
		*regular = i + 1;
	}
	if (!*regular)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "the only segments are backup segments");
	return MORTISE_OK;
}

static int compare_offsets(const void *left, const void *right)
{
	const struct extent *a = left, *b = right;

	return a->offset < b->offset ? -1 : a->offset > b->offset;
}

/* Only the last segment may be dynamic. None overlaps another. A single one may have any size. */
static enum mortise_code validate_extents(struct json_object *segments, int regular,
					  struct mortise_error *err)
{
	struct extent *extent = calloc(regular > 0 ? (size_t)regular : 1, sizeof(*extent));
	enum mortise_code code = MORTISE_OK;

	if (!extent)
		return error_memory(err);
	for (int i = 0; i < regular; i++) {
		if (!read_extent(luks2_json_get_id(segments, i), &extent[i]) ||
		    (extent[i].size == UINT64_MAX && i != regular - 1)) {
			code = error_set(err, MORTISE_E_CORRUPT, 0,
					 "segment %d is dynamic but not the last", i);
			goto out;
		}
		if (regular > 1 && extent[i].size != UINT64_MAX &&
		    extent[i].offset > UINT64_MAX - extent[i].size) {
			code = error_set(err, MORTISE_E_CORRUPT, 0, "segment %d ends beyond 2^64",
					 i);
			goto out;
		}
	}
	qsort(extent, (size_t)regular, sizeof(*extent), compare_offsets);
	for (int i = 1; !code && i < regular; i++)
		if (extent[i - 1].size > extent[i].offset - extent[i - 1].offset)
			code = error_set(err, MORTISE_E_CORRUPT, 0,
					 "segments overlap at byte %" PRIu64, extent[i].offset);
out:
	free(extent);
	return code;
}

static bool is_member_equal(struct json_object *a, struct json_object *b, const char *key)
{
	struct json_object *left = NULL, *right = NULL;

	json_object_object_get_ex(a, key, &left);
	json_object_object_get_ex(b, key, &right);
	return json_object_equal(left, right);
}

static bool is_same_kind(struct json_object *a, struct json_object *b)
{
	return is_member_equal(a, b, "type") && is_member_equal(a, b, "encryption") &&
	       is_member_equal(a, b, "sector_size");
}

/* During a reencryption each regular segment is like the previous or the final backup segment. */
static enum mortise_code validate_reencryption(struct json_object *metadata, int count, int regular,
					       struct mortise_error *err)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	struct json_object *previous = NULL, *final = NULL;

	if (!luks2_online_reencrypt_count(metadata))
		return MORTISE_OK;
	for (int i = regular; i < count; i++) {
		struct json_object *segment = luks2_json_get_id(segments, i);

		if (luks2_segment_has_flag(segment, "backup-final"))
			final = segment;
		else if (luks2_segment_has_flag(segment, "backup-previous"))
			previous = segment;
	}
	if (!final || !previous)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "a backup segment of the reencryption is missing");
	for (int i = 0; i < regular; i++) {
		struct json_object *segment = luks2_json_get_id(segments, i);

		if (!is_same_kind(segment, final) &&
		    (luks2_segment_has_flag(segment, "in-reencryption") ||
		     !is_same_kind(segment, previous)))
			return error_set(err, MORTISE_E_CORRUPT, 0,
					 "segment %d matches neither backup segment", i);
	}
	return MORTISE_OK;
}

enum mortise_code luks2_validate_segments(struct json_object *metadata, struct mortise_error *err)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	int count = segments ? json_object_object_length(segments) : 0, regular;
	enum mortise_code code;

	if (count < 1)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "the segments object is empty or missing");
	json_object_object_foreach(segments, id, segment) {
		code = validate_segment(metadata, id, segment, err);
		if (code)
			return code;
	}
	code = validate_order(segments, count, &regular, err);
	if (code)
		return code;
	code = validate_extents(segments, regular, err);
	if (code)
		return code;
	return validate_reencryption(metadata, count, regular, err);
}
