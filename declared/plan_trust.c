/* SPDX-License-Identifier: MIT */
/* What a plan believes of a header. Anyone who can write the disk can write the header. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "declared/plan.h"
#include "luks2/integrity.h"
#include "luks2/policy.h"

/* The header has other contents than those declared. */
static enum mortise_code add_mismatch(struct volume_plan *plan, const char *found,
				      const char *declared, struct mortise_error *err)
{
	return VOLUME_PLAN_ADD(
		plan, err, MORTISE_STEP_REFUSE, -1,
		"the header of %s uses %s, but the configuration declares %s; it may "
		"have been tampered with; to accept it, declare what it uses",
		plan->device, found, declared);
}

static enum mortise_code check_key_size(struct volume_plan *plan, struct mortise_error *err)
{
	struct json_object *metadata = luks2_header_metadata(plan->header);
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);
	const struct mortise_format format = volume_format_of(plan->volume);
	char found[64], declared[64];
	enum mortise_code code;
	uint32_t expected;

	code = mortise_format_key_size(&format, &expected, err);
	if (code)
		return code;
	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		uint64_t size = 0;

		if (!luks2_keyslot_opens_data(metadata, id))
			continue;
		if (luks2_json_integer(luks2_json_get_id(keyslots, id), "key_size", UINT32_MAX,
				       &size) &&
		    size == expected)
			continue;
		snprintf(found, sizeof(found), "a volume key of %llu bits in keyslot %d",
			 (unsigned long long)size * 8, id);
		snprintf(declared, sizeof(declared), "%u bits", expected * 8);
		return add_mismatch(plan, found, declared, err);
	}
	return MORTISE_OK;
}

static enum mortise_code check_integrity(struct volume_plan *plan,
					 const struct luks2_integrity *integrity,
					 struct mortise_error *err)
{
	const char *name = plan->volume->integrity;
	struct luks2_integrity expected = { .type = NULL };
	char found[112] = "no integrity", key[48] = "";
	enum mortise_code code;

	if (name) {
		code = luks2_integrity_find(name, plan->volume->cipher, 0, &expected, err);
		if (code)
			return code;
	}
	/* The types are those of one table. */
	if (integrity->type == expected.type && !integrity->own_key_size && !integrity->inline_tags)
		return MORTISE_OK;
	if (integrity->own_key_size)
		snprintf(key, sizeof(key), " with a key of %u bits", integrity->key_size * 8);
	if (integrity->type)
		snprintf(found, sizeof(found), "%sintegrity %.40s%s",
			 integrity->inline_tags ? "inline " : "", integrity->type, key);
	return add_mismatch(plan, found, name ? name : "none", err);
}

/* An undeclared sector size is one that a format would choose; none of these weakens the data. */
static bool is_sector_size_good(const struct volume_plan *plan, uint32_t size)
{
	if (plan->volume->block_size)
		return size == plan->volume->block_size;
	return size == 512 || size == 4096 ||
	       size == luks2_header_device(plan->header)->physical_block;
}

static enum mortise_code check_sector_size(struct volume_plan *plan, uint32_t size,
					   struct mortise_error *err)
{
	char found[64], declared[64] = "no size, which means 512 or 4096";

	if (is_sector_size_good(plan, size))
		return MORTISE_OK;
	snprintf(found, sizeof(found), "sectors of %u bytes", size);
	if (plan->volume->block_size)
		snprintf(declared, sizeof(declared), "%u", plan->volume->block_size);
	return add_mismatch(plan, found, declared, err);
}

const char *volume_find_misplacement(const struct volume_plan *plan,
				     const struct luks2_segment *segment)
{
	struct json_object *metadata = luks2_header_metadata(plan->header);
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);

	if (json_object_object_length(segments) != 1)
		return "it has more than one segment";
	if (*plan->header_file ? segment->offset != 0
			       : segment->offset < luks2_keyslots_end(metadata))
		return "its data does not begin behind the header";
	if (segment->iv_tweak)
		return "its sector numbers do not start at 0";
	return NULL;
}

enum mortise_code volume_plan_check_cipher(struct volume_plan *plan, struct mortise_error *err)
{
	struct luks2_segment segment;
	struct mortise_error why;
	const char *misplaced;
	enum mortise_code code;

	misplaced = luks2_segment_get(luks2_header_metadata(plan->header), &segment, &why)
			    ? why.text
			    : volume_find_misplacement(plan, &segment);
	if (misplaced)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1,
				       "the header of %s is not that of a declared volume: %s; "
				       "restore it from a backup",
				       plan->device, misplaced);
	if (strcmp(segment.cipher, plan->volume->cipher)) {
		char found[MORTISE_CIPHER_MAX + 16];

		snprintf(found, sizeof(found), "cipher %.*s", (int)MORTISE_CIPHER_MAX,
			 segment.cipher);
		return add_mismatch(plan, found, plan->volume->cipher, err);
	}
	code = check_integrity(plan, &segment.integrity, err);
	if (!code && !plan->failed)
		code = check_key_size(plan, err);
	if (code || plan->failed)
		return code;
	return check_sector_size(plan, segment.sector_size, err);
}
