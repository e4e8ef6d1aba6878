/* SPDX-License-Identifier: MIT */
/* Reading the metadata of a reencryption. */
#include "luks2/reencrypt.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "luks2/metadata.h"
#include "luks2/reencrypt_private.h"

#define PARTS_MAX 4u /* moved ahead, done, busy, to do */

/* In the order of their enum. */
static const char *const mode_names[] = { "reencrypt", "encrypt", "decrypt" };

const char *luks2_reencrypt_mode_name(enum mortise_reencrypt_mode mode)
{
	return mode_names[mode];
}

static bool parse_mode(const char *name, enum mortise_reencrypt_mode *mode)
{
	for (int i = 0; name && i < 3; i++) {
		*mode = (enum mortise_reencrypt_mode)i;
		if (!strcmp(name, mode_names[i]))
			return true;
	}
	return false;
}

bool luks2_resilience_parse(const char *name, struct luks2_reencryption *state)
{
	static const struct {
		const char *name;
		enum luks2_guard guard, moved;
	} modes[] = {
		{ "none", LUKS2_GUARD_NONE, LUKS2_GUARD_NONE },
		{ "checksum", LUKS2_GUARD_CHECKSUM, LUKS2_GUARD_NONE },
		{ "journal", LUKS2_GUARD_JOURNAL, LUKS2_GUARD_NONE },
		{ "datashift", LUKS2_GUARD_SHIFT, LUKS2_GUARD_SHIFT },
		{ "datashift-checksum", LUKS2_GUARD_SHIFT, LUKS2_GUARD_CHECKSUM },
		{ "datashift-journal", LUKS2_GUARD_SHIFT, LUKS2_GUARD_JOURNAL },
	};

	for (unsigned i = 0; name && i < sizeof(modes) / sizeof(*modes); i++) {
		if (strcmp(name, modes[i].name) != 0)
			continue;
		state->resilience = modes[i].name;
		state->guard = modes[i].guard;
		state->moved_guard = modes[i].moved;
		return true;
	}
	return false;
}

uint64_t luks2_place_before(const struct luks2_reencryption *state, uint64_t position)
{
	return (position < state->moved_size ? state->moved_offset : state->before.offset) +
	       position;
}

uint64_t luks2_place_after(const struct luks2_reencryption *state, uint64_t position)
{
	return state->after.offset + position;
}

enum luks2_guard luks2_guard_of(const struct luks2_reencryption *state,
				const struct luks2_zone *zone)
{
	return zone->offset < state->moved_size ? state->moved_guard : state->guard;
}

/* What was moved ahead is done last; the rest is done from one end to the other. */
uint64_t luks2_reencryption_done(const struct luks2_reencryption *state, uint64_t size)
{
	const struct luks2_zone *zone = &state->zone;
	uint64_t border = state->whole && state->backward ? size : state->border;

	if (state->finished)
		return size;
	/* A device that has shrunk has less than was done. */
	if (border > size || (state->interrupted && zone->offset < state->moved_size))
		return size - state->moved_size;
	if (state->interrupted)
		border = state->backward ? zone->offset + zone->length : zone->offset;
	return state->backward ? size - border : border - state->moved_size;
}

bool luks2_reencryption_next(const struct luks2_reencryption *state, uint64_t size,
			     uint64_t largest, struct luks2_zone *zone)
{
	const uint64_t rest = size - state->moved_size;
	const uint64_t done = luks2_reencryption_done(state, size);
	const uint64_t left = done < rest ? rest - done : 0;

	if (!left) {
		*zone = (struct luks2_zone){ 0, done < size ? state->moved_size : 0 };
		return zone->length > 0;
	}
	zone->length = left < largest ? left : largest;
	zone->offset = state->backward ? state->moved_size + left - zone->length : size - left;
	return true;
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

static bool read_form_of(struct json_object *metadata, struct json_object *segment, int id,
			 struct luks2_form *form)
{
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

/* *size (bytes): 0 if dynamic. */
static bool read_form(struct json_object *metadata, const char *flag, struct luks2_form *form,
		      uint64_t *size)
{
	int id;
	struct json_object *segment = find_backup(metadata, flag, &id);

	*size = 0;
	(void)luks2_json_decimal(segment, "size", size);
	return read_form_of(metadata, segment, id, form);
}

/* Is it the form, from the byte start of the data? With digest -1, any digest is right. */
static bool form_matches(const struct luks2_form *segment, const struct luks2_form *form,
			 uint64_t start, int digest)
{
	return !segment->cipher == !form->cipher &&
	       (!segment->cipher || (!strcmp(segment->cipher, form->cipher) &&
				     segment->sector_size == form->sector_size &&
				     segment->iv_tweak == form->iv_tweak + start / 512 &&
				     (digest < 0 || segment->digest == digest)));
}

/* The data moved ahead: part of the data before. */
static bool read_moved(struct json_object *metadata, struct luks2_reencryption *state)
{
	static const char flag[] = "backup-moved-segment";
	struct luks2_form form;
	int id;

	if (!find_backup(metadata, flag, &id))
		return true;
	if (!read_form(metadata, flag, &form, &state->moved_size) ||
	    !form_matches(&form, &state->before, 0, state->before.digest))
		return false;
	state->moved_offset = form.offset;
	return state->moved_size > 0;
}

unsigned luks2_reencrypt_version(struct json_object *metadata)
{
	const char *requirement = luks2_requirement(metadata, 0);
	unsigned version = 1;

	if (requirement)
		(void)sscanf(requirement, LUKS2_REQUIREMENT_REENCRYPT "-v%u", &version);
	return version;
}

/* Version 2 has a digest over the metadata, version 3 also moves the data to the start. */
static enum mortise_code check_version(struct json_object *metadata, int keyslot, bool protected,
				       struct mortise_error *err)
{
	const char *requirement = luks2_requirement(metadata, 0);
	const unsigned version = luks2_reencrypt_version(metadata);

	if (!requirement)
		return error_set(err, MORTISE_E_POLICY, 0, "Reencryption metadata is invalid.");
	if (luks2_requirement(metadata, 1) || luks2_online_reencrypt_count(metadata) != 1)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "Unmet LUKS2 requirements detected. (%.60s)", requirement);
	if (version < 1 || version > 3)
		return error_set(
			err, MORTISE_E_UNSUPPORTED, 0,
			"cannot continue a reencryption of kind %.40s; continue it with the "
			"program that began it",
			requirement);
	if (protected == (version > 1 && luks2_digest_of_keyslot(metadata, keyslot) >= 0))
		return MORTISE_OK;
	return protected ? error_set(err, MORTISE_E_POLICY, 0,
				     "Unprotected LUKS2 reencryption metadata detected. Run repair "
				     "first.")
			 : error_set(err, MORTISE_E_USAGE, 0,
				     "The metadata of the reencryption is protected.");
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
	if (state->guard != LUKS2_GUARD_CHECKSUM && state->moved_guard != LUKS2_GUARD_CHECKSUM)
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

	if (!luks2_resilience_parse(type, state))
		return error_set(
			err, MORTISE_E_UNSUPPORTED, 0,
			"cannot continue a reencryption with resilience %.40s; continue it "
			"with the program that began it",
			type ? type : "(none)");
	state->backward = direction && !strcmp(direction, "backward");
	if (!parse_mode(luks2_json_text(keyslot, "mode"), &state->mode) ||
	    !read_block_size(area, state) ||
	    !luks2_json_decimal(area, "offset", &state->area_offset) ||
	    !luks2_json_decimal(area, "size", &state->area_size) ||
	    (state->guard == LUKS2_GUARD_SHIFT &&
	     !luks2_json_decimal(area, "shift_size", &state->shift)))
		return corrupt(state->keyslot, err);
	return MORTISE_OK;
}

enum part_state {
	PART_TO_DO,
	PART_BUSY,
	PART_DONE,
};

struct part {
	uint64_t start; /* bytes from the start of the data */
	uint64_t size;	/* bytes, 0: dynamic */
	enum part_state state;
};

/* The place and form of a regular segment tell its state. */
static bool read_part(struct json_object *metadata, const struct luks2_reencryption *state, int id,
		      struct json_object *segment, struct part *part)
{
	struct luks2_form form;

	part->size = 0;
	(void)luks2_json_decimal(segment, "size", &part->size);
	if (!read_form_of(metadata, segment, id, &form))
		return false;
	part->state = PART_BUSY;
	if (luks2_segment_has_flag(segment, "in-reencryption"))
		return part->size && form.offset == luks2_place_after(state, part->start) &&
		       form_matches(&form, &state->after, part->start, -1);
	part->state = PART_DONE;
	if (form_matches(&form, &state->after, part->start, state->after.digest))
		return form.offset == luks2_place_after(state, part->start);
	part->state = PART_TO_DO;
	return form.offset == luks2_place_before(state, part->start) &&
	       form_matches(&form, &state->before, part->start, state->before.digest);
}

/* 0: the segments are no reencryption. *size: of all parts, 0: dynamic. */
static unsigned read_parts(struct json_object *metadata, const struct luks2_reencryption *state,
			   struct part parts[static PARTS_MAX], uint64_t *size)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	struct json_object *segment;
	uint64_t start = 0;
	unsigned count = 0;

	*size = 0;
	for (int id = 0; (segment = luks2_json_get_id(segments, id)); id++) {
		if (luks2_segment_is_backup(segment))
			break;
		if (count == PARTS_MAX || (count && !parts[count - 1].size))
			return 0;
		parts[count].start = start;
		if (!read_part(metadata, state, id, segment, &parts[count]))
			return 0;
		start += parts[count++].size;
	}
	if (count && parts[count - 1].size)
		*size = start;
	return count;
}

/* The parts behind what was moved ahead, each of which may be missing. */
static bool read_rest(const struct part *parts, unsigned count, struct luks2_reencryption *state)
{
	static const enum part_state orders[2][3] = {
		{ PART_DONE, PART_BUSY, PART_TO_DO },
		{ PART_TO_DO, PART_BUSY, PART_DONE },
	};
	const struct part *found[3] = { NULL };
	const struct part *done, *busy;
	unsigned at = 0;

	for (unsigned i = 0; i < 3; i++)
		if (at < count && parts[at].state == orders[state->backward][i])
			found[parts[at].state] = &parts[at], at++;
	done = found[PART_DONE];
	busy = found[PART_BUSY];
	state->whole = !done && !busy;
	state->border = state->moved_size;
	if (done)
		state->border = done->start + (state->backward ? 0 : done->size);
	else if (busy && state->backward)
		state->border = busy->start + busy->size;
	if (busy) {
		state->interrupted = true;
		state->zone = (struct luks2_zone){ busy->start, busy->size };
	}
	return at == count;
}

/* How far the reencryption is, from the regular segments. */
static bool read_progress(struct json_object *metadata, struct luks2_reencryption *state)
{
	struct part parts[PARTS_MAX];
	const unsigned count = read_parts(metadata, state, parts, &state->fixed_size);

	if (!count)
		return false;
	state->finished = count == 1 && parts[0].state == PART_DONE;
	if (state->finished || !state->moved_size)
		return read_rest(parts, count, state);
	if (parts[0].size != state->moved_size)
		return false;
	if (parts[0].state == PART_TO_DO) {
		if (!read_rest(parts + 1, count - 1, state))
			return false;
		/* Without size, it extends to the end of the device. */
		if (!state->backward && count == 2 && parts[1].state == PART_DONE && !parts[1].size)
			state->border = UINT64_MAX;
		return true;
	}
	state->interrupted = true;
	state->zone = (struct luks2_zone){ 0, state->moved_size };
	return parts[0].state == PART_BUSY &&
	       (count == 1 || (count == 2 && parts[1].state == PART_DONE));
}

/*
 * Data that moves towards the end of the device, to make room for the header. No zone overwrites
 * data that is read later.
 */
static bool check_encryption(const struct luks2_reencryption *state)
{
	const uint64_t after = state->after.offset, size = state->old_size;

	return state->backward && state->moved_guard == LUKS2_GUARD_SHIFT && size &&
	       after - state->before.offset == state->shift && size <= UINT64_MAX - after &&
	       state->moved_offset >= after + size &&
	       state->moved_offset <= UINT64_MAX - state->moved_size &&
	       (state->moved_size == state->shift || state->moved_size == size) &&
	       (state->finished || state->fixed_size == size);
}

/* Data that moves to the start, over the header. What was moved ahead is there already. */
static bool check_decryption(const struct luks2_reencryption *state)
{
	return !state->backward && state->moved_guard != LUKS2_GUARD_SHIFT &&
	       state->before.offset - state->after.offset == state->shift &&
	       state->moved_offset == state->after.offset;
}

static bool check_shift(const struct luks2_reencryption *state)
{
	if (state->guard != LUKS2_GUARD_SHIFT)
		return !state->moved_size && state->before.offset == state->after.offset;
	if (!state->moved_size || state->moved_size > state->shift ||
	    state->shift % state->block_size || state->moved_size % state->block_size)
		return false;
	return state->mode == MORTISE_ENCRYPT
		       ? check_encryption(state)
		       : state->mode == MORTISE_DECRYPT && check_decryption(state);
}

static enum mortise_code get(struct json_object *metadata, bool protected,
			     struct luks2_reencryption *state, struct mortise_error *err)
{
	struct json_object *keyslot;
	enum mortise_code code;
	uint64_t dynamic;

	*state = (struct luks2_reencryption){ 0 };
	keyslot = luks2_reencrypt_keyslot(metadata, &state->keyslot);
	if (!keyslot)
		return error_set(err, MORTISE_E_USAGE, 0, "Device is not in reencryption.");
	code = check_version(metadata, state->keyslot, protected, err);
	if (code)
		return code;
	if (!read_form(metadata, "backup-previous", &state->before, &state->old_size) ||
	    !read_form(metadata, "backup-final", &state->after, &dynamic))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "cannot continue a reencryption with these segments");
	code = read_keyslot(keyslot, state, err);
	if (code)
		return code;
	if (!read_moved(metadata, state) ||
	    !state->before.cipher != (state->mode == MORTISE_ENCRYPT) ||
	    !state->after.cipher != (state->mode == MORTISE_DECRYPT) ||
	    !read_progress(metadata, state) || !check_shift(state))
		return corrupt(state->keyslot, err);
	return MORTISE_OK;
}

enum mortise_code luks2_reencryption_get(struct json_object *metadata,
					 struct luks2_reencryption *state,
					 struct mortise_error *err)
{
	return get(metadata, true, state, err);
}

enum mortise_code luks2_reencryption_get_unprotected(struct json_object *metadata,
						     struct luks2_reencryption *state,
						     struct mortise_error *err)
{
	return get(metadata, false, state, err);
}
