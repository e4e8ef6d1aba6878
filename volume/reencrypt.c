/* SPDX-License-Identifier: MIT */
/* Continuing a reencryption up to its end. */
#include <stdlib.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/events.h"
#include "base/secret.h"
#include "base/sized.h"
#include "luks2/area.h"
#include "luks2/digest.h"
#include "luks2/keyslot.h"
#include "luks2/seal.h"
#include "volume/header_place.h"
#include "volume/online.h"
#include "volume/reencrypt.h"

#define PROGRESS "re-encrypting"

enum mortise_code reencrypt_open_keys(struct continuation *run,
				      const struct mortise_secret *passphrase, int keyslot,
				      int *opened, struct mortise_error *err)
{
	const struct luks2_reencryption *state = &run->state;
	const int before = state->before.digest, after = state->after.digest;
	struct json_object *metadata = luks2_header_metadata(run->header);
	const int own = keyslot == MORTISE_ANY ? -1 : luks2_digest_of_keyslot(metadata, keyslot);
	enum mortise_code code = MORTISE_OK;

	/* A given keyslot opens one of the keys; any keyslot may open the other one. */
	if (before >= 0)
		code = luks2_keyslot_open_digest(run->header, before,
						 own == before ? keyslot : MORTISE_ANY, passphrase,
						 &run->old_key, opened, err);
	if (!code && after >= 0 && after != before)
		code = luks2_keyslot_open_digest(run->header, after,
						 own == after ? keyslot : MORTISE_ANY, passphrase,
						 &run->new_key, opened, err);
	if (!code && !run->unprotected)
		code = luks2_reencryption_verify(run->header, state, run->old_key, run->new_key,
						 err);
	/* Until the end, the key that the header had first seals it. */
	if (!code)
		code = luks2_header_set_volume_key(run->header,
						   run->old_key ? run->old_key : run->new_key, err);
	if (!code && run->old_key && run->new_key)
		code = luks2_header_set_next_key(run->header, run->new_key, err);
	return code;
}

const struct mortise_secret *reencrypt_key_after(const struct continuation *run)
{
	return run->new_key || !run->state.after.cipher ? run->new_key : run->old_key;
}

enum mortise_code reencrypt_lock(struct continuation *run, struct mortise_error *err)
{
	enum mortise_code code =
		luks2_reencrypt_lock(luks2_header_device(run->header),
				     luks2_header_uuid(run->header), &run->lock_fd, err);

	if (!code)
		code = luks2_header_read_again(run->header, err);
	if (!code)
		code = luks2_reencryption_get(luks2_header_metadata(run->header), &run->state, err);
	return code ? code : header_place_complete(run->header, err);
}

static enum mortise_code wipe(const struct continuation *run, const struct luks2_device *device,
			      uint64_t from, uint64_t to, struct mortise_error *err)
{
	return from < to ? luks2_area_wipe(device, from, to - from, run->events, err) : MORTISE_OK;
}

/* Data that has moved leaves its old form where the new form does not reach: random bytes instead. */
static enum mortise_code wipe_rest(const struct continuation *run, struct mortise_error *err)
{
	const struct luks2_reencryption *state = &run->state;
	const uint64_t keyslots_end = luks2_keyslots_end(luks2_header_metadata(run->header));
	struct luks2_device *device;
	uint64_t end;
	enum mortise_code code;

	if (!state->moved_size)
		return MORTISE_OK;
	code = luks2_device_open(luks2_header_data_path(run->header), false, &device, err);
	if (code)
		return code;
	code = luks2_device_writable(device, err);
	end = state->old_size ? state->before.offset + state->old_size : device->size;
	if (!code && state->mode == MORTISE_DECRYPT)
		code = wipe(run, device, end - state->shift, end, err);
	else if (!code)
		code = wipe(run, device, keyslots_end, state->after.offset, err);
	/* If the data is smaller than the shift, a copy of the header is behind it. */
	if (!code && state->mode == MORTISE_ENCRYPT)
		code = wipe(run, device, state->moved_offset, state->moved_offset + state->shift,
			    err);
	luks2_device_close(device);
	return code;
}

/* The new key seals the header if the old seal was valid. */
static enum mortise_code write_end(struct continuation *run, struct mortise_error *err)
{
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };
	const struct mortise_secret *after = reencrypt_key_after(run);
	struct luks2_update *update;
	enum mortise_code code = mortise_seal_check(run->header, &seal, err);

	if (!code && after)
		code = luks2_header_set_volume_key(run->header, after, err);
	if (code)
		return code;
	code = luks2_update_begin(run->header, &update, err);
	if (code)
		return code;
	code = luks2_reencryption_end(update, &run->state, err);
	if (!code && seal.state == MORTISE_SEAL_VALID)
		code = luks2_update_seal(update, NULL, err);
	/* The strings of the state stay valid. */
	run->last = json_object_get(luks2_header_metadata(run->header));
	if (!code)
		code = luks2_update_commit(&update, err);
	luks2_update_abort(&update);
	run->ended = !code;
	return code;
}

enum mortise_code reencrypt_end(struct continuation *run, struct mortise_error *err)
{
	enum mortise_code code = wipe_rest(run, err);

	return code || run->ended ? code : write_end(run, err);
}

/*
 * With the last zone, everything ends in one update. cryptsetup 2.6.1 takes a header whose data is all
 * done, but whose reencryption has not ended, for one of which nothing is done. Data that was moved
 * ahead is still plain then, and must not be forgotten before it is wiped.
 */
static bool is_last(const struct continuation *run, const struct luks2_zone *zone)
{
	const struct luks2_reencryption *state = &run->state;
	const uint64_t size = hotzone_data_size(run->hotzone);

	return luks2_reencryption_done(state, size) + zone->length >= size &&
	       !(state->mode == MORTISE_ENCRYPT && state->moved_size);
}

static enum mortise_code commit(struct continuation *run, const struct luks2_zone *zone, bool busy,
				struct mortise_error *err)
{
	struct luks2_update *update;
	enum mortise_code code;

	if (!busy && is_last(run, zone)) {
		code = write_end(run, err);
		run->state.finished = run->ended;
		run->state.interrupted &= !run->ended;
		return code;
	}
	code = luks2_update_begin(run->header, &update, err);
	if (code)
		return code;
	code = luks2_reencryption_set(update, &run->state, zone, busy,
				      hotzone_data_size(run->hotzone), err);
	if (!code)
		code = luks2_update_commit(&update, err);
	luks2_update_abort(&update);
	if (!code)
		code = luks2_reencryption_get(luks2_header_metadata(run->header), &run->state, err);
	return code;
}

enum mortise_code reencrypt_recover(struct continuation *run, struct mortise_error *err)
{
	const struct luks2_zone zone = run->state.zone;
	enum mortise_code code;

	if (!run->state.interrupted)
		return MORTISE_OK;
	code = hotzone_recover(run->hotzone, &zone, err);
	return code ? code : commit(run, &zone, false, err);
}

/* Does the header on disk say that the zone is being written? */
static bool is_marked(struct continuation *run)
{
	return luks2_header_read_again(run->header, NULL) ||
	       luks2_reencryption_get(luks2_header_metadata(run->header), &run->state, NULL) ||
	       run->state.interrupted;
}

/* Reads the zone that follows this one once it is done. */
static void read_ahead(const struct continuation *run, const struct luks2_zone *zone,
		       uint64_t largest)
{
	const uint64_t size = hotzone_data_size(run->hotzone);
	struct luks2_reencryption after = run->state;
	struct luks2_zone next;

	if (zone->offset < after.moved_size)
		return;
	after.whole = false;
	after.interrupted = false;
	after.border = zone->offset + (after.backward ? 0 : zone->length);
	if (luks2_reencryption_next(&after, size, largest, &next))
		hotzone_read_ahead(run->hotzone, &next);
}

/* Waits until a zone, begun at began_ms, has taken its time at the limit. Returns false if canceled. */
static bool keep_rate(const struct continuation *run, uint64_t length, uint64_t began_ms)
{
	const uint64_t due = run->rate ? length * 1000 / run->rate : 0;
	const uint64_t taken = clock_now_ms() - began_ms;

	return due <= taken || events_sleep_ms(run->events, due - taken);
}

static enum mortise_code convert_zone(struct continuation *run, const struct luks2_zone *zone,
				      uint64_t largest, struct mortise_error *err)
{
	enum mortise_code code = run->online ? online_hold(run->online, zone, err) : MORTISE_OK;
	bool torn = false;

	if (!code)
		code = hotzone_protect(run->hotzone, zone, err);
	/* A mapping in use may still write to the next zone. */
	if (!code && !run->online)
		read_ahead(run, zone, largest);
	if (!code)
		code = hotzone_flush_protection(run->hotzone, zone, err);
	/* Without protection there is no state to recover. */
	if (!code && luks2_guard_of(&run->state, zone) != LUKS2_GUARD_NONE) {
		code = commit(run, zone, true, err);
		torn = code && run->online && is_marked(run);
	}
	if (!code) {
		torn = true;
		code = hotzone_convert(run->hotzone, zone, err);
	}
	if (!code)
		code = commit(run, zone, false, err);
	return run->online ? online_release(run->online, torn, code, err) : code;
}

static enum mortise_code convert_all(struct continuation *run, struct mortise_error *err)
{
	const uint64_t size = hotzone_data_size(run->hotzone);
	const uint64_t largest = hotzone_largest(run->hotzone, run->limit);
	struct luks2_zone zone, last = { 0 };
	enum mortise_code code = reencrypt_recover(run, err);
	uint64_t began = 0;

	if (!code && run->online)
		code = online_begin(run->online, err);
	while (!code && luks2_reencryption_next(&run->state, size, largest, &zone)) {
		if (!keep_rate(run, last.length, began) ||
		    !events_progress(run->events, NULL, PROGRESS,
				     luks2_reencryption_done(&run->state, size), size))
			code = events_cancel_error(err);
		if (!code) {
			began = clock_now_ms();
			last = zone;
			code = convert_zone(run, &zone, largest, err);
		}
	}
	if (run->online)
		code = online_finish(run->online, code, err);
	if (!code)
		code = reencrypt_end(run, err);
	if (!code)
		(void)events_progress(run->events, NULL, PROGRESS, size, size);
	return code;
}

void reencrypt_close(struct continuation *run)
{
	online_close(run->online);
	hotzone_close(run->hotzone);
	mortise_secret_free(&run->old_key);
	mortise_secret_free(&run->new_key);
	json_object_put(run->last);
	run->last = NULL;
	if (run->lock_fd >= 0)
		close(run->lock_fd);
	run->lock_fd = -1;
}

static enum mortise_code open_keys(struct continuation *run,
				   const struct mortise_secret *passphrase, int keyslot,
				   struct mortise_error *err)
{
	const struct mortise_secret *known = luks2_header_volume_key(run->header);

	if (passphrase)
		return reencrypt_open_keys(run, passphrase, keyslot, NULL, err);
	if (!known)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot re-encrypt without the passphrase of a keyslot");
	return reencrypt_take_keys(run, known, err);
}

static enum mortise_code choose_size(struct continuation *run,
				     const struct mortise_reencrypt_run *wanted,
				     struct mortise_error *err)
{
	uint64_t size = wanted->device_size;

	if (!size && wanted->mapped_only && run->online)
		size = online_part(run->online);
	return reencrypt_choose_size(&run->state, size, err);
}

enum mortise_code mortise_reencrypt_continue(struct mortise_luks2 *header,
					     const struct mortise_secret *passphrase,
					     const struct mortise_reencrypt_run *how,
					     struct mortise_error *err)
{
	const struct mortise_events own = *luks2_header_events(header);
	struct continuation run = { .header = header, .lock_fd = -1 };
	struct mortise_reencrypt_run wanted;
	bool again = false;
	enum mortise_code code;

	code = sized_input(SIZED(mortise_reencrypt_run), &wanted, how, err);
	if (!code)
		code = reencrypt_lock(&run, err);
	if (code == MORTISE_E_USAGE && run.lock_fd >= 0 && wanted.active_name &&
	    !mortise_reencrypt_is_left(header, wanted.active_name, NULL)) {
		code = online_complete(&run, &wanted, passphrase, err);
		reencrypt_close(&run);
		return code;
	}
	if (!code)
		code = open_keys(&run, passphrase, wanted.keyslot, err);
	if (!code && wanted.active_name)
		code = online_open(&run, wanted.active_name, &run.online, err);
	if (!code)
		code = choose_size(&run, &wanted, err);
	if (!code)
		code = hotzone_open(header, &run.state, run.old_key, reencrypt_key_after(&run),
				    wanted.active_name, &run.hotzone, err);
	if (!code)
		code = reencrypt_change_guard(&run, &wanted, &again, err);
	if (!code && again) {
		hotzone_close(run.hotzone);
		run.hotzone = NULL;
		code = choose_size(&run, &wanted, err);
		if (!code)
			code = hotzone_open(header, &run.state, run.old_key,
					    reencrypt_key_after(&run), wanted.active_name,
					    &run.hotzone, err);
	}
	run.limit = wanted.hotzone_size;
	run.rate = wanted.rate;
	/* Short bursts, between which the device is free. */
	if (run.rate && (!run.limit || run.limit > run.rate / 4))
		run.limit = run.rate / 4 + 1;
	run.events = wanted.events ? wanted.events : &own;
	/* Only between two zones: an update that is canceled would leave a zone half done. */
	luks2_header_set_events(header, NULL);
	if (!code)
		code = convert_all(&run, err);
	luks2_header_set_events(header, &own);
	reencrypt_close(&run);
	return code;
}

enum mortise_code mortise_reencrypt_info(const struct mortise_luks2 *header,
					 struct mortise_reencrypt_info *info,
					 struct mortise_error *err)
{
	struct mortise_reencrypt_info filled = { 0 };
	struct luks2_reencryption state;
	struct luks2_device *device;
	uint64_t offset;
	struct json_object *metadata = luks2_header_metadata(header);
	enum mortise_code code = luks2_reencryption_get_unprotected(metadata, &state, err);

	filled.unprotected = !code;
	if (code == MORTISE_E_USAGE)
		code = luks2_reencryption_get(metadata, &state, err);
	if (code)
		return code;
	filled.total = state.fixed_size;
	if (!filled.total) {
		code = luks2_device_open(luks2_header_data_path(header), false, &device, err);
		if (code)
			return code;
		offset = state.before.offset > state.after.offset ? state.before.offset
								  : state.after.offset;
		if (device->size > offset)
			filled.total = device->size - offset;
		luks2_device_close(device);
	}
	filled.mode = state.mode;
	filled.resilience = state.resilience;
	filled.resilience_hash = state.hash ? state.hash : "";
	filled.interrupted = state.interrupted;
	filled.done = luks2_reencryption_done(&state, filled.total);
	return sized_output(SIZED(mortise_reencrypt_info), info, &filled, err);
}
