/* SPDX-License-Identifier: MIT */
#include "volume/table.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "luks2/header.h"
#include "luks2/policy.h"

/* A segment of dynamic size ends with the last whole sector of the device. */
static enum mortise_code fit_part(const struct volume_table_source *source,
				  struct luks2_segment *segment, struct mortise_error *err)
{
	if (!segment->size && source->device_size > segment->offset)
		segment->size = (source->device_size - segment->offset) / segment->sector_size *
				segment->sector_size;
	if (segment->size && segment->size <= source->device_size &&
	    segment->offset <= source->device_size - segment->size)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_NO_SPACE, 0,
			 "Device %s is too small. (a segment begins at byte %" PRIu64
			 " and has %" PRIu64 " bytes, the device has %" PRIu64 ")",
			 luks2_header_data_path(source->header), segment->offset, segment->size,
			 source->device_size);
}

static enum mortise_code add_part(const struct volume_table_source *source,
				  struct luks2_segment *segment, struct volume_table *table,
				  struct mortise_error *err)
{
	const bool after = segment->digest != source->state->before.digest;
	const struct mortise_secret *key =
		after && source->new_key ? source->new_key : source->old_key;
	enum mortise_code code = fit_part(source, segment, err);

	if (!code && segment->cipher &&
	    (!key || (after && segment->digest != source->state->after.digest)))
		code = error_set(err, MORTISE_E_POLICY, 0,
				 "a segment belongs to neither key of the reencryption");
	if (!code && segment->cipher)
		code = luks2_header_check_segment(source->header, segment, mortise_secret_size(key),
						  err);
	if (code)
		return code;
	table->part[table->count] = (struct dm_crypt_target){
		.cipher = segment->cipher,
		.key = key,
		.key_description = source->no_keyring ? NULL : table->description[after],
		.device = source->device,
		.device_offset = segment->offset,
		.size = segment->size,
		.iv_offset = segment->iv_tweak,
		.sector_size = segment->sector_size,
		.flags = source->dm_flags,
	};
	if (table->count)
		table->part[table->count - 1].next = &table->part[table->count];
	table->count++;
	table->size += segment->size;
	return MORTISE_OK;
}

enum mortise_code volume_table_build(const struct volume_table_source *source,
				     struct volume_table *table, struct mortise_error *err)
{
	struct luks2_segment segments[LUKS2_PARTS_MAX];
	unsigned count;
	enum mortise_code code =
		luks2_parts_get(luks2_header_metadata(source->header), segments, &count, err);

	*table = (struct volume_table){ .count = 0 };
	snprintf(table->description[0], sizeof(table->description[0]), "cryptsetup:%s-d%d",
		 luks2_header_uuid(source->header), source->state->before.digest);
	snprintf(table->description[1], sizeof(table->description[1]), "cryptsetup:%s-d%d",
		 luks2_header_uuid(source->header), source->state->after.digest);
	for (unsigned i = 0; !code && i < count; i++)
		code = add_part(source, &segments[i], table, err);
	return code;
}

static void add_piece(struct volume_table *table, const struct dm_crypt_target *part)
{
	table->part[table->count] = *part;
	table->part[table->count].next = NULL;
	if (table->count)
		table->part[table->count - 1].next = &table->part[table->count];
	table->count++;
}

/* The bytes of a part from from to to, counted in the mapping. start: where the part begins. */
static void add_range(struct volume_table *table, const struct dm_crypt_target *part,
		      uint64_t start, uint64_t from, uint64_t to)
{
	struct dm_crypt_target piece = *part;

	if (from < start)
		from = start;
	if (to > start + part->size)
		to = start + part->size;
	if (from >= to)
		return;
	piece.device_offset += from - start;
	piece.iv_offset += (from - start) / 512;
	piece.size = to - from;
	add_piece(table, &piece);
}

void volume_table_cut(struct volume_table *table, const struct luks2_zone *zone, const char *path)
{
	const struct dm_crypt_target hole = { .device = path,
					      .device_offset = zone->offset,
					      .size = zone->length };
	struct dm_crypt_target parts[DM_TARGETS_MAX];
	const unsigned count = table->count;
	uint64_t start = 0;

	memcpy(parts, table->part, sizeof(parts));
	table->count = 0;
	for (unsigned i = 0; i < count; start += parts[i++].size) {
		add_range(table, &parts[i], start, 0, zone->offset);
		if (zone->offset >= start && zone->offset < start + parts[i].size)
			add_piece(table, &hole);
		add_range(table, &parts[i], start, zone->offset + zone->length, UINT64_MAX);
	}
}

void volume_table_trim(struct volume_table *table, uint64_t size)
{
	uint64_t start = 0;
	unsigned i = 0;

	if (size >= table->size)
		return;
	while (size - start > table->part[i].size)
		start += table->part[i++].size;
	table->part[i].size = size - start;
	table->part[i].next = NULL;
	table->count = i + 1;
	table->size = size;
}

static bool key_matches(const struct dm_crypt_target *part, const struct dm_crypt_table *live)
{
	if (live->key_in_keyring)
		return part->key_description &&
		       !strcmp(live->key_description, part->key_description);
	return live->key && mortise_secret_equal(live->key, part->key);
}

bool volume_table_matches(const struct volume_table *table, const struct dm_crypt_table *live,
			  size_t count, const char *path, dev_t device, dev_t helper)
{
	if (count != table->count)
		return false;
	for (size_t i = 0; i < count; i++) {
		const struct dm_crypt_target *part = &table->part[i];
		if (strcmp(live[i].cipher, part->cipher ? part->cipher : "") ||
		    live[i].size != part->size || live[i].device_offset != part->device_offset ||
		    live[i].device != (part->device == path ? device : helper))
			return false;
		if (part->cipher &&
		    (live[i].iv_offset != part->iv_offset ||
		     live[i].sector_size != part->sector_size || !key_matches(part, &live[i])))
			return false;
	}
	return true;
}
