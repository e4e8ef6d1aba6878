/* SPDX-License-Identifier: MIT */
/* Writing the metadata of a reencryption. */
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "luks2/digest.h"
#include "luks2/keyslot.h"
#include "luks2/layout.h"
#include "luks2/metadata.h"
#include "luks2/private.h"
#include "luks2/reencrypt_private.h"

#define EMPTY_AREA 4096u /* bytes: the unit of areas */

/* The digests of a segment; -1: none. */
struct owners {
	int digest[2];
};

static struct json_object *section(struct json_object *metadata, const char *name)
{
	return luks2_json_get(metadata, name, json_type_object);
}

/* No segments, and no digest with one. */
static bool clear_segments(struct json_object *metadata)
{
	struct json_object *digests = section(metadata, "digests");

	json_object_object_foreach(digests, id, digest) {
		(void)id;
		if (!luks2_json_add(digest, "segments", json_object_new_array()))
			return false;
	}
	return luks2_json_add(metadata, "segments", json_object_new_object());
}

static bool add_segment(struct json_object *metadata, struct json_object *segment, const char *flag,
			struct owners owners)
{
	struct json_object *segments = section(metadata, "segments");
	const int id = (int)json_object_object_length(segments);
	struct json_object *flags;

	if (!luks2_json_add_id(segments, id, segment))
		return false;
	if (flag) {
		flags = json_object_new_array();
		if (!luks2_json_add(segment, "flags", flags) ||
		    !luks2_json_append(flags, json_object_new_string(flag)))
			return false;
	}
	for (int i = 0; i < 2; i++)
		if (owners.digest[i] >= 0 && (!i || owners.digest[1] != owners.digest[0]) &&
		    !luks2_digest_assign(metadata, owners.digest[i], "segments", id))
			return false;
	return true;
}

/* A part of the data in one of the forms; length 0: to the end of the device. */
static bool add_part(struct json_object *metadata, const struct luks2_form *form, uint64_t start,
		     uint64_t length, const char *flag, struct owners owners)
{
	const struct luks2_segment part = {
		.offset = form->offset + start,
		.size = length,
		.iv_tweak = form->iv_tweak + start / 512,
		.cipher = form->cipher,
		.sector_size = form->sector_size,
	};

	return add_segment(metadata, luks2_segment_new(&part), flag, owners);
}

static bool add_form(struct json_object *metadata, const struct luks2_form *form, uint64_t start,
		     uint64_t length)
{
	return !length || add_part(metadata, form, start, length == UINT64_MAX ? 0 : length, NULL,
				   (struct owners){ { form->digest, -1 } });
}

/* Moves the backup segments behind the new regular ones. */
static bool add_backups(struct json_object *metadata, struct json_object *old,
			const struct luks2_reencryption *state)
{
	static const char *const flags[] = { "backup-previous", "backup-final",
					     "backup-moved-segment" };

	for (int i = 0; i < (state->moved_size ? 3 : 2); i++) {
		const struct luks2_form *form = i == 1 ? &state->after : &state->before;
		int id;
		struct json_object *segment = luks2_segment_flagged(old, flags[i], &id);

		if (!segment || !add_segment(metadata, json_object_get(segment), NULL,
					     (struct owners){ { form->digest, -1 } }))
			return false;
	}
	return true;
}

/* The data from start to end, of size bytes in all. Without a fixed size, the last part has none. */
static bool add_range(struct json_object *metadata, const struct luks2_reencryption *state,
		      const struct luks2_form *form, uint64_t start, uint64_t end, uint64_t size)
{
	return start >= end || add_form(metadata, form, start,
					end < size || state->fixed_size ? end - start : UINT64_MAX);
}

static bool add_busy(struct json_object *metadata, const struct luks2_reencryption *state,
		     const struct luks2_zone *zone)
{
	const struct owners owners = { { state->after.digest, state->mode == MORTISE_REENCRYPT
								      ? state->before.digest
								      : -1 } };

	return add_part(metadata, &state->after, zone->offset, zone->length, "in-reencryption",
			owners);
}

/* The data that was moved ahead, in its place before. */
static bool add_moved(struct json_object *metadata, const struct luks2_reencryption *state,
		      const char *flag)
{
	struct luks2_form form = state->before;

	form.offset = state->moved_offset;
	return !state->moved_size || add_part(metadata, &form, 0, state->moved_size, flag,
					      (struct owners){ { form.digest, -1 } });
}

/* What lies below the zone, the zone if it is being written, and what lies above it. */
static bool add_regular(struct json_object *metadata, const struct luks2_reencryption *state,
			const struct luks2_zone *zone, bool busy, uint64_t size)
{
	const struct luks2_form *low = state->backward ? &state->before : &state->after;
	const struct luks2_form *high = state->backward ? &state->after : &state->before;
	const uint64_t moved = state->moved_size;
	uint64_t low_end = zone->offset, high_start = zone->offset + zone->length;

	if (!busy && state->backward)
		high_start = zone->offset;
	else if (!busy)
		low_end = high_start;
	/* Data that is all done extends to the end of the device. */
	if (!busy && zone->offset < moved)
		return add_form(metadata, &state->after, 0, UINT64_MAX);
	if (!busy && !moved && (state->backward ? !high_start : low_end >= size))
		return add_form(metadata, &state->after, 0, UINT64_MAX);
	if (zone->offset < moved)
		return add_busy(metadata, state, zone) &&
		       add_range(metadata, state, &state->after, moved, size, size);
	return add_moved(metadata, state, NULL) &&
	       add_range(metadata, state, low, moved, low_end, size) &&
	       (!busy || add_busy(metadata, state, zone)) &&
	       add_range(metadata, state, high, high_start, size, size);
}

enum mortise_code luks2_reencryption_set(struct luks2_update *update,
					 const struct luks2_reencryption *state,
					 const struct luks2_zone *zone, bool busy, uint64_t size,
					 struct mortise_error *err)
{
	struct json_object *metadata = luks2_update_metadata(update);
	struct json_object *old = json_object_get(section(metadata, "segments"));
	const bool done = clear_segments(metadata) &&
			  add_regular(metadata, state, zone, busy, size) &&
			  add_backups(metadata, old, state);

	json_object_put(old);
	return done ? MORTISE_OK : error_memory(err);
}

bool luks2_reencrypt_set_requirement(struct json_object *metadata,
				     const struct luks2_reencryption *state)
{
	const bool to_start = state->mode == MORTISE_DECRYPT && state->moved_size;

	return luks2_requirement_set(metadata, to_start ? LUKS2_REQUIREMENT_REENCRYPT "-v3"
							: LUKS2_REQUIREMENT_REENCRYPT "-v2");
}

bool luks2_reencrypt_set_area(struct json_object *keyslot, const struct luks2_reencryption *state,
			      uint64_t offset, uint64_t size)
{
	struct json_object *area = json_object_new_object();

	return luks2_json_add(keyslot, "area", area) &&
	       luks2_json_add(area, "offset", luks2_json_new_decimal(offset)) &&
	       luks2_json_add(area, "size", luks2_json_new_decimal(size)) &&
	       luks2_json_add(area, "type", json_object_new_string(state->resilience)) &&
	       ((state->guard != LUKS2_GUARD_CHECKSUM &&
		 state->moved_guard != LUKS2_GUARD_CHECKSUM) ||
		(luks2_json_add(area, "hash", json_object_new_string(state->hash)) &&
		 luks2_json_add(area, "sector_size", json_object_new_int64(state->block_size)))) &&
	       (state->guard != LUKS2_GUARD_SHIFT ||
		luks2_json_add(area, "shift_size", luks2_json_new_decimal(state->shift)));
}

/* The area of a shift without other protection stays empty, but has to exist. */
static enum mortise_code find_area(struct luks2_update *update,
				   const struct luks2_reencryption *state, uint64_t *offset,
				   uint64_t *size, struct mortise_error *err)
{
	*size = EMPTY_AREA;
	if (state->guard == LUKS2_GUARD_SHIFT && state->moved_guard == LUKS2_GUARD_SHIFT)
		return luks2_layout_find_area(update->metadata, update->header->metadata, *size,
					      offset, err);
	return luks2_layout_largest_gap(update->metadata, update->header->metadata, offset, size,
					err);
}

static enum mortise_code add_keyslot(struct luks2_update *update,
				     const struct luks2_reencryption *state, int *id,
				     struct mortise_error *err)
{
	struct json_object *keyslots = section(update->metadata, "keyslots");
	struct json_object *keyslot;
	uint64_t offset, size;
	enum mortise_code code;

	for (*id = 0; luks2_json_get_id(keyslots, *id); ++*id)
		;
	if (*id >= (int)MORTISE_KEYSLOTS_MAX)
		return error_set(err, MORTISE_E_NO_SPACE, 0, "All key slots full.");
	code = find_area(update, state, &offset, &size, err);
	if (code)
		return code;
	keyslot = json_object_new_object();
	if (!luks2_json_add_id(keyslots, *id, keyslot) ||
	    !luks2_reencrypt_set_area(keyslot, state, offset, size) ||
	    !luks2_json_add(keyslot, "type", json_object_new_string("reencrypt")) ||
	    !luks2_json_add(keyslot, "key_size", json_object_new_int(1)) ||
	    !luks2_json_add(keyslot, "mode",
			    json_object_new_string(luks2_reencrypt_mode_name(state->mode))) ||
	    !luks2_json_add(keyslot, "direction",
			    json_object_new_string(state->backward ? "backward" : "forward")))
		return error_memory(err);
	return MORTISE_OK;
}

static bool add_backup(struct json_object *metadata, const struct luks2_form *form, uint64_t size,
		       const char *flag)
{
	return add_part(metadata, form, 0, size, flag, (struct owners){ { form->digest, -1 } });
}

/* The forms before and after, behind the regular segments of data of which nothing is done. */
static bool add_first_segments(struct json_object *metadata, const struct luks2_reencryption *state)
{
	/* Without a fixed size, any size does. */
	const uint64_t size = state->fixed_size ? state->fixed_size : UINT64_MAX;
	const struct luks2_zone none = { state->backward ? size : state->moved_size, 0 };

	return add_regular(metadata, state, &none, false, size) &&
	       add_backup(metadata, &state->before, state->old_size, "backup-previous") &&
	       add_backup(metadata, &state->after, 0, "backup-final") &&
	       add_moved(metadata, state, "backup-moved-segment");
}

/*
 * Later updates have two more segments, and larger numbers. Without room for these, the reencryption
 * could neither continue nor be undone.
 */
static enum mortise_code check_later_room(struct luks2_update *update,
					  const struct luks2_reencryption *state,
					  struct mortise_error *err)
{
	const char *cipher = state->after.cipher ? state->after.cipher : state->before.cipher;
	const int room = 3 * (200 + (int)strlen(cipher));
	char spare[1024];
	enum mortise_code code;

	snprintf(spare, sizeof(spare), "%*s", room, "");
	if (!luks2_json_add(update->metadata, "spare", json_object_new_string(spare)))
		return error_memory(err);
	code = luks2_update_fits(update, err);
	json_object_object_del(update->metadata, "spare");
	return code;
}

enum mortise_code luks2_reencryption_begin(struct luks2_update *update,
					   const struct luks2_reencryption *state,
					   const struct mortise_secret *old_key,
					   const struct mortise_secret *new_key,
					   struct mortise_error *err)
{
	struct json_object *metadata = luks2_update_metadata(update);
	enum mortise_code code = MORTISE_OK;
	int keyslot = -1;

	if (!clear_segments(metadata) || !add_first_segments(metadata, state) ||
	    !luks2_reencrypt_set_requirement(metadata, state))
		code = error_memory(err);
	if (!code)
		code = add_keyslot(update, state, &keyslot, err);
	if (!code)
		code = luks2_reencrypt_add_digest(update, keyslot, old_key, new_key, err);
	return code ? code : check_later_room(update, state, err);
}

static enum mortise_code remove_keyslots_of(struct luks2_update *update, int digest,
					    struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	for (int id = 0; !code && id < (int)MORTISE_KEYSLOTS_MAX; id++)
		if (luks2_digest_of_keyslot(update->metadata, id) == digest)
			code = luks2_keyslot_stage_removal(update, id, true, err);
	return code;
}

enum mortise_code luks2_reencryption_end(struct luks2_update *update,
					 const struct luks2_reencryption *state,
					 struct mortise_error *err)
{
	struct json_object *metadata = luks2_update_metadata(update);
	/* Data whose size the header fixed before keeps it. */
	const uint64_t size =
		state->mode != MORTISE_ENCRYPT && state->old_size ? state->old_size : UINT64_MAX;
	enum mortise_code code = MORTISE_OK;

	if (!clear_segments(metadata) || !add_form(metadata, &state->after, 0, size))
		return error_memory(err);
	json_object_object_del(section(metadata, "config"), "requirements");
	if (state->mode == MORTISE_REENCRYPT && state->before.digest != state->after.digest)
		code = remove_keyslots_of(update, state->before.digest, err);
	if (!code)
		code = luks2_keyslot_stage_removal(update, state->keyslot, true, err);
	return code;
}

static enum mortise_code check_room(const struct luks2_reencryption *state, uint64_t offset,
				    size_t size, struct mortise_error *err)
{
	if (offset <= state->area_size && size <= state->area_size - offset)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_NO_SPACE, 0,
			 "the area of keyslot %d is too small to protect the data", state->keyslot);
}

enum mortise_code luks2_reencryption_read_area(const struct mortise_luks2 *header,
					       const struct luks2_reencryption *state,
					       uint64_t offset, void *bytes, size_t size,
					       struct mortise_error *err)
{
	enum mortise_code code = check_room(state, offset, size, err);

	return code ? code
		    : luks2_device_read(header->device, bytes, size, state->area_offset + offset,
					err);
}

enum mortise_code luks2_reencryption_write_area(const struct mortise_luks2 *header,
						const struct luks2_reencryption *state,
						uint64_t offset, const void *bytes, size_t size,
						struct mortise_error *err)
{
	enum mortise_code code = check_room(state, offset, size, err);

	if (!code)
		code = luks2_device_writable(header->device, err);
	if (!code)
		code = luks2_device_write(header->device, bytes, size, state->area_offset + offset,
					  err);
	/* The device works while the next piece is made. A failure is that of the flush. */
	if (!code)
		(void)sync_file_range(header->device->fd, (off_t)(state->area_offset + offset),
				      (off_t)size, SYNC_FILE_RANGE_WRITE);
	return code;
}
