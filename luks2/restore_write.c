/* SPDX-License-Identifier: MIT */
/*
 * Writing a restored header. At each moment the header in force, the old one or the restored one,
 * has all its keyslot areas: areas of the old header that are in the way move first, the areas of
 * the backup follow, and the copies come last. docs/architecture.md names the exceptions.
 */
#include <stdlib.h>

#include "base/error.h"
#include "luks2/backup.h"
#include "luks2/layout.h"
#include "luks2/policy.h"
#include "luks2/restore.h"

static struct json_object *area_of(struct json_object *keyslot, struct luks2_range *range)
{
	struct json_object *area = luks2_json_get(keyslot, "area", json_type_object);
	uint64_t size = 0;

	range->from = 0;
	(void)luks2_json_decimal(area, "offset", &range->from);
	(void)luks2_json_decimal(area, "size", &size);
	range->to = range->from + size;
	return area;
}

/* Will the restored header overwrite this range with other bytes? */
static enum mortise_code is_in_the_way(const struct luks2_restore *restore,
				       struct luks2_range range, bool *conflict,
				       struct mortise_error *err)
{
	struct json_object *keyslots =
		luks2_json_get(restore->backup->metadata, "keyslots", json_type_object);
	struct luks2_range other;
	bool equal;

	*conflict = false;
	json_object_object_foreach(keyslots, id, keyslot) {
		enum mortise_code code;

		(void)id;
		area_of(keyslot, &other);
		if (other.to <= range.from || other.from >= range.to)
			continue;
		other.from = other.from > range.from ? other.from : range.from;
		other.to = other.to < range.to ? other.to : range.to;
		code = luks2_range_equal(restore->backup->device, restore->device, other, &equal,
					 err);
		if (code)
			return code;
		*conflict |= !equal;
	}
	return MORTISE_OK;
}

/*
 * The bytes of an area do not depend on its place: IVs count from its start. An area that cannot be
 * read is lost already.
 */
static enum mortise_code copy_area(const struct luks2_device *device, struct luks2_range range,
				   uint64_t offset, bool *readable, struct mortise_error *err)
{
	const size_t size = (size_t)(range.to - range.from);
	uint8_t *bytes = malloc(size);
	enum mortise_code code = bytes ? MORTISE_OK : error_memory(err);

	if (!code)
		*readable = !luks2_device_read(device, bytes, size, range.from, NULL);
	if (!code && *readable)
		code = luks2_device_write(device, bytes, size, offset, err);
	if (!code && *readable)
		code = luks2_device_flush(device, err);
	free(bytes);
	return code;
}

/* One update of the old header. *moved: false without a place that neither header uses. */
static enum mortise_code move_area(const struct luks2_restore *restore, const char *id,
				   struct luks2_range range, bool *moved, struct mortise_error *err)
{
	struct luks2_update *update = NULL;
	struct json_object *keyslot, *area;
	enum mortise_code code;
	uint64_t offset;

	*moved = false;
	code = luks2_update_begin(restore->now, &update, err);
	if (code)
		return code;
	if (luks2_layout_find_area(update->metadata, restore->backup->metadata,
				   range.to - range.from, &offset, NULL))
		goto out;
	code = copy_area(restore->device, range, offset, moved, err);
	if (code || !*moved)
		goto out;
	keyslot = luks2_json_get(luks2_json_get(update->metadata, "keyslots", json_type_object), id,
				 json_type_object);
	area = area_of(keyslot, &range);
	if (!luks2_json_add(area, "offset", luks2_json_new_decimal(offset)))
		code = error_memory(err);
	if (!code)
		code = luks2_update_commit(&update, err);
out:
	luks2_update_abort(&update);
	return code;
}

/*
 * Moves the areas of the old header that the restored one overwrites. Where that is impossible, a
 * cut leaves the old header in force with keyslots that no longer open, until the restore is
 * repeated.
 */
static enum mortise_code make_room(const struct luks2_restore *restore, struct mortise_error *err)
{
	struct json_object *keyslots;
	bool again = true, conflict = false;
	enum mortise_code code = MORTISE_OK;

	if (!restore->now || restore->differences & MORTISE_RESTORE_SIZE ||
	    restore->now->binary.copy_size != restore->backup->binary.copy_size ||
	    luks2_usable(restore->now->metadata, NULL))
		return MORTISE_OK;
	while (!code && again) {
		again = false;
		keyslots = luks2_json_get(restore->now->metadata, "keyslots", json_type_object);
		json_object_object_foreach(keyslots, id, keyslot) {
			struct luks2_range range;

			area_of(keyslot, &range);
			code = is_in_the_way(restore, range, &conflict, err);
			if (code)
				return code;
			if (!conflict)
				continue;
			/* The update replaces the metadata that this loop reads. */
			code = move_area(restore, id, range, &again, err);
			break;
		}
	}
	return code;
}

static enum mortise_code copy_range(const struct luks2_restore *restore, uint64_t from, uint64_t to,
				    struct mortise_error *err)
{
	return luks2_range_copy(restore->backup->device, restore->device,
				(struct luks2_range){ from, to }, err);
}

static enum mortise_code write_areas(const struct luks2_restore *restore, struct mortise_error *err)
{
	struct json_object *keyslots =
		luks2_json_get(restore->backup->metadata, "keyslots", json_type_object);
	enum mortise_code code = MORTISE_OK;
	struct luks2_range range;

	json_object_object_foreach(keyslots, id, keyslot) {
		(void)id;
		area_of(keyslot, &range);
		if (!code)
			code = copy_range(restore, range.from, range.to, err);
	}
	return code;
}

/* Both copies from the valid one of the backup, a copy that is bad on the device first. */
static enum mortise_code write_copies(const struct luks2_restore *restore,
				      struct mortise_error *err)
{
	struct mortise_luks2 target = *restore->backup;
	const struct luks2_update update = {
		.header = &target,
		.binary = restore->backup->binary,
		.metadata = restore->backup->metadata,
	};
	enum mortise_code code = luks2_update_fits(&update, err);

	target.device = restore->device;
	target.secondary_bad = restore->now && restore->now->secondary_bad;
	return code ? code : luks2_copies_write(&update, err);
}

enum mortise_code luks2_restore_write(const struct luks2_restore *restore,
				      struct mortise_error *err)
{
	const struct luks2_range all = { luks2_header_is_whole(restore->backup) ? 0
										: restore->copies,
					 restore->end };
	enum mortise_code code = make_room(restore, err);

	if (!code)
		code = write_areas(restore, err);
	if (!code)
		code = write_copies(restore, err);
	/* The space between the areas, and copies whose JSON text mortise would write otherwise. */
	if (!code)
		code = copy_range(restore, restore->copies, restore->end, err);
	if (!code && !all.from)
		code = copy_range(restore, restore->copies / 2, restore->copies, err);
	if (!code && !all.from)
		code = copy_range(restore, 0, restore->copies / 2, err);
	if (!code)
		code = luks2_range_verify(restore->backup->device, restore->device, all, err);
	return code;
}
