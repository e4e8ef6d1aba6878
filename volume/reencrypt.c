/* SPDX-License-Identifier: MIT */
/* Beginning a reencryption, and continuing it up to its end. */
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"
#include "base/secret.h"
#include "base/sized.h"
#include "keys/hash.h"
#include "luks2/digest.h"
#include "luks2/keyslot.h"
#include "luks2/policy.h"
#include "luks2/seal.h"
#include "luks2/token.h"
#include "volume/hotzone.h"
#include "volume/reencrypt.h"

#define PROGRESS "re-encrypting"

/* --- beginning --- */

/* What the caller wants, with the defaults filled in from the header. */
struct beginning {
	struct mortise_reencrypt_new what;
	struct luks2_segment now;
	const struct mortise_secret
		*old_key; /* of the keyslots; also the key after with keep_key */
	struct mortise_secret *opened, *random;
	struct luks2_reencryption_new next;
	struct mortise_kdf kdf;
	struct mortise_keyslot_new keyslot;
	const struct volume_reencrypt_stage *stage; /* NULL: none */
};

static enum mortise_code fill_defaults(struct beginning *beginning, struct mortise_error *err)
{
	struct mortise_reencrypt_new *what = &beginning->what;
	const char *resilience = what->resilience ? what->resilience : "checksum";
	struct luks2_reencryption_new *next = &beginning->next;

	if (!luks2_guard_parse(resilience, &next->guard))
		return error_set(err, MORTISE_E_USAGE, 0, "Unsupported resilience mode %.40s",
				 resilience);
	next->hash = what->resilience_hash ? what->resilience_hash : "sha256";
	if (next->guard == LUKS2_GUARD_CHECKSUM && !keys_hash_size(next->hash))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Hash algorithm %.40s not supported.", next->hash);
	next->mode = what->mode;
	next->cipher = what->cipher ? what->cipher : beginning->now.cipher;
	next->sector_size = what->sector_size ? what->sector_size : beginning->now.sector_size;
	next->fixed_size = what->device_size;
	if (next->sector_size < 512 || next->sector_size > 4096 ||
	    (next->sector_size & (next->sector_size - 1)))
		return error_set(err, MORTISE_E_USAGE, 0, "Unsupported encryption sector size.");
	if (what->mode == MORTISE_REENCRYPT && what->keep_key &&
	    next->sector_size == beginning->now.sector_size &&
	    !strcmp(next->cipher, beginning->now.cipher))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "No data segment parameters changed. Reencryption aborted.");
	if (beginning->now.integrity.type)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Reencryption of device with integrity profile is not supported.");
	if (what->mode != MORTISE_REENCRYPT && beginning->now.offset)
		return error_set(
			err, MORTISE_E_UNSUPPORTED, 0,
			"LUKS2 %s is supported with detached header device only (with data "
			"offset set to 0).",
			what->mode == MORTISE_ENCRYPT ? "encryption" : "decryption");
	return MORTISE_OK;
}

/* Opens the keyslots that get new ones; all hold the volume key. */
static enum mortise_code open_old_key(struct mortise_luks2 *header, struct beginning *beginning,
				      struct mortise_error *err)
{
	const struct mortise_reencrypt_new *what = &beginning->what;

	if (!what->keyslot_count)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot re-encrypt without the passphrase of a keyslot");
	for (size_t i = 0; i < what->keyslot_count; i++) {
		const struct mortise_key_search search = { .struct_size = sizeof(search),
							   .keyslot = what->keyslots[i].keyslot };
		enum mortise_code code;

		mortise_secret_free(&beginning->opened);
		code = mortise_keyslot_open(header, &search, what->keyslots[i].passphrase,
					    &beginning->opened, NULL, err);
		if (code)
			return code;
	}
	beginning->old_key = beginning->opened;
	return MORTISE_OK;
}

/* The key after: NULL if it is the same one. */
static enum mortise_code choose_new_key(const struct mortise_luks2 *header,
					struct beginning *beginning, struct mortise_error *err)
{
	const struct mortise_reencrypt_new *what = &beginning->what;
	const uint32_t old_size = (uint32_t)mortise_secret_size(beginning->old_key);
	const uint32_t size = what->key_size ? what->key_size : old_size;
	struct luks2_reencryption_new *next = &beginning->next;
	enum mortise_code code = MORTISE_OK;

	next->old_key = what->mode == MORTISE_ENCRYPT ? NULL : beginning->old_key;
	next->new_key = what->mode == MORTISE_ENCRYPT ? beginning->old_key : NULL;
	if (what->mode != MORTISE_REENCRYPT || what->keep_key)
		return luks2_header_check_cipher(header, "the new data", next->cipher, old_size,
						 err);
	code = luks2_header_check_cipher(header, "the new data", next->cipher, size, err);
	if (code)
		return code;
	if (what->volume_key && mortise_secret_size(what->volume_key) != size)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "the new volume key has %zu bytes, the cipher needs %u",
				 mortise_secret_size(what->volume_key), size);
	if (!what->volume_key)
		code = secret_random(size, &beginning->random, err);
	next->new_key = what->volume_key ? what->volume_key : beginning->random;
	if (!code && mortise_secret_equal(next->new_key, beginning->old_key))
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "the new volume key is the present one; keep the key instead");
	return code;
}

/* A keyslot for the new key under each given passphrase, with the tokens of the old one. */
static enum mortise_code stage_keyslots(struct luks2_update *update, struct beginning *beginning,
					struct mortise_error *err)
{
	const struct mortise_reencrypt_new *what = &beginning->what;
	struct json_object *metadata = luks2_update_metadata(update);
	enum mortise_code code;

	code = luks2_digest_add(metadata, "sha256", LUKS2_DIGEST_ITERATIONS_MIN,
				beginning->next.new_key, NULL, &beginning->next.digest, err);
	if (!code && beginning->stage)
		return beginning->stage->call(beginning->stage->context, update,
					      beginning->next.digest, beginning->next.new_key, err);
	for (size_t i = 0; !code && i < what->keyslot_count; i++) {
		const struct luks2_keyslot_request request = {
			.what = &beginning->keyslot,
			.kdf = &beginning->kdf,
			.passphrase = what->keyslots[i].passphrase,
			.key = beginning->next.new_key,
		};
		int id = MORTISE_ANY;

		code = luks2_keyslot_stage_for(update, &request, beginning->next.digest, &id, err);
		if (!code && !luks2_tokens_link(metadata, what->keyslots[i].keyslot, id))
			code = error_memory(err);
	}
	return code;
}

/* The unit of zones: no block of the device is written in part. */
static enum mortise_code choose_block_size(const struct mortise_luks2 *header,
					   struct beginning *beginning, struct mortise_error *err)
{
	struct luks2_reencryption_new *next = &beginning->next;
	struct luks2_device *data;
	enum mortise_code code =
		luks2_device_open(luks2_header_data_path(header), false, &data, err);

	if (code)
		return code;
	next->block_size = data->logical_block;
	if (next->block_size < next->sector_size)
		next->block_size = next->sector_size;
	if (next->block_size < beginning->now.sector_size)
		next->block_size = beginning->now.sector_size;
	code = luks2_device_unused(data, err);
	luks2_device_close(data);
	return code;
}

/*
 * A reencryption that has begun cannot be undone. So what would stop its first zone, such as a cipher
 * that the crypto library does not have, is found before it begins.
 */
static enum mortise_code rehearse(const struct mortise_luks2 *header,
				  const struct beginning *beginning, struct mortise_error *err)
{
	const struct luks2_reencryption_new *next = &beginning->next;
	const struct luks2_segment *now = &beginning->now;
	const bool plain = next->mode == MORTISE_ENCRYPT;
	const struct luks2_reencryption state = {
		.guard = next->guard,
		.hash = next->hash,
		.block_size = next->block_size,
		.before = { .offset = now->offset,
			    .iv_tweak = now->iv_tweak,
			    .cipher = plain ? NULL : now->cipher,
			    .sector_size = now->sector_size },
		.after = { .offset = now->offset,
			   .iv_tweak = now->iv_tweak,
			   .cipher = next->mode == MORTISE_DECRYPT ? NULL : next->cipher,
			   .sector_size = next->sector_size },
		.fixed_size = next->fixed_size ? next->fixed_size : now->size,
	};
	struct hotzone *hotzone;
	enum mortise_code code =
		hotzone_open(header, &state, next->old_key,
			     next->new_key ? next->new_key : next->old_key, &hotzone, err);

	if (!code)
		hotzone_close(hotzone);
	return code;
}

static enum mortise_code prepare(struct mortise_luks2 *header, struct beginning *beginning,
				 struct mortise_error *err)
{
	struct mortise_reencrypt_new *what = &beginning->what;
	struct json_object *metadata = luks2_header_metadata(header);
	enum mortise_code code = luks2_usable(metadata, err);

	if (!code)
		code = luks2_segment_get(metadata, &beginning->now, err);
	if (!code)
		code = fill_defaults(beginning, err);
	if (!code)
		code = choose_block_size(header, beginning, err);
	if (!code)
		code = open_old_key(header, beginning, err);
	if (!code)
		code = choose_new_key(header, beginning, err);
	if (!code)
		code = rehearse(header, beginning, err);
	if (code)
		return code;
	beginning->next.old_digest = what->mode == MORTISE_ENCRYPT ? -1 : beginning->now.digest;
	beginning->next.digest = what->mode == MORTISE_DECRYPT ? -1 : beginning->now.digest;
	beginning->keyslot.keyslot = MORTISE_ANY;
	if (!beginning->next.new_key || what->mode != MORTISE_REENCRYPT)
		return MORTISE_OK;
	if (what->keyslot)
		code = sized_input(SIZED_SINCE(mortise_keyslot_new, allow_cipher),
				   &beginning->keyslot, what->keyslot, err);
	return code ? code : luks2_keyslot_cost(header, &beginning->keyslot, &beginning->kdf, err);
}

enum mortise_code mortise_reencrypt_begin(struct mortise_luks2 *header,
					  const struct mortise_reencrypt_new *what,
					  struct mortise_error *err)
{
	return volume_reencrypt_begin(header, what, NULL, err);
}

enum mortise_code volume_reencrypt_begin(struct mortise_luks2 *header,
					 const struct mortise_reencrypt_new *what,
					 const struct volume_reencrypt_stage *stage,
					 struct mortise_error *err)
{
	struct beginning beginning = { .stage = stage };
	struct luks2_update *update = NULL;
	enum mortise_code code;

	code = sized_input(SIZED(mortise_reencrypt_new), &beginning.what, what, err);
	if (!code)
		code = prepare(header, &beginning, err);
	if (!code)
		code = luks2_update_begin(header, &update, err);
	if (code)
		goto out;
	if (beginning.what.mode == MORTISE_REENCRYPT && beginning.next.new_key)
		code = stage_keyslots(update, &beginning, err);
	if (!code)
		code = luks2_reencryption_begin(update, &beginning.next, err);
	if (!code)
		code = luks2_update_commit(&update, err);
out:
	luks2_update_abort(&update);
	mortise_secret_free(&beginning.random);
	mortise_secret_free(&beginning.opened);
	return code;
}

/* --- continuing --- */

struct continuation {
	struct mortise_luks2 *header;
	struct luks2_reencryption state;
	struct mortise_secret *old_key, *new_key; /* NULL: not encrypted; new_key: the same */
	struct hotzone *hotzone;
	uint64_t limit; /* bytes of a zone, 0: the default */
	const struct mortise_events *events;
	int lock_fd;
};

static uint64_t done_bytes(const struct luks2_reencryption *state, uint64_t size)
{
	uint64_t border = state->border;

	if (state->finished)
		return size;
	if (state->whole)
		return 0;
	if (state->interrupted)
		border = state->backward ? state->zone.offset + state->zone.length
					 : state->zone.offset;
	return state->backward ? size - border : border;
}

/* The next zone. False: everything is done. */
static bool next_zone(const struct continuation *run, struct luks2_zone *zone)
{
	const struct luks2_reencryption *state = &run->state;
	const uint64_t size = hotzone_data_size(run->hotzone);
	const uint64_t largest = hotzone_largest(run->hotzone, run->limit);
	const uint64_t left = size - done_bytes(state, size);

	zone->length = left < largest ? left : largest;
	zone->offset = state->backward ? left - zone->length : size - left;
	return zone->length > 0;
}

static enum mortise_code open_keys(struct continuation *run,
				   const struct mortise_secret *passphrase, int keyslot,
				   struct mortise_error *err)
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
						 &run->old_key, NULL, err);
	if (!code && after >= 0 && after != before)
		code = luks2_keyslot_open_digest(run->header, after,
						 own == after ? keyslot : MORTISE_ANY, passphrase,
						 &run->new_key, NULL, err);
	if (!code)
		code = luks2_reencryption_verify(run->header, state, run->old_key, run->new_key,
						 err);
	/* Until the end, the key that the header had first seals it. */
	if (!code)
		code = luks2_header_set_volume_key(run->header,
						   run->old_key ? run->old_key : run->new_key, err);
	return code;
}

static const struct mortise_secret *key_after(const struct continuation *run)
{
	return run->new_key || !run->state.after.cipher ? run->new_key : run->old_key;
}

/* Another process may have continued since the header was read. */
static enum mortise_code lock(struct continuation *run, struct mortise_error *err)
{
	enum mortise_code code =
		luks2_reencrypt_lock(luks2_header_device(run->header),
				     luks2_header_uuid(run->header), &run->lock_fd, err);

	if (!code)
		code = luks2_header_read_again(run->header, err);
	if (!code)
		code = luks2_reencryption_get(luks2_header_metadata(run->header), &run->state, err);
	return code;
}

static enum mortise_code commit(struct continuation *run, const struct luks2_zone *zone, bool busy,
				struct mortise_error *err)
{
	struct luks2_update *update;
	enum mortise_code code = luks2_update_begin(run->header, &update, err);

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

/* The new key seals the header if the old seal was valid. */
static enum mortise_code end(struct continuation *run, struct mortise_error *err)
{
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };
	const struct mortise_secret *after = key_after(run);
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
	if (!code)
		code = luks2_update_commit(&update, err);
	luks2_update_abort(&update);
	return code;
}

static enum mortise_code convert_all(struct continuation *run, struct mortise_error *err)
{
	const uint64_t size = hotzone_data_size(run->hotzone);
	struct luks2_zone zone;
	enum mortise_code code = MORTISE_OK;

	if (run->state.interrupted) {
		zone = run->state.zone;
		code = hotzone_recover(run->hotzone, &zone, err);
		if (!code)
			code = commit(run, &zone, false, err);
	}
	while (!code && next_zone(run, &zone)) {
		if (!events_progress(run->events, NULL, PROGRESS, done_bytes(&run->state, size),
				     size))
			return events_cancel_error(err);
		code = hotzone_protect(run->hotzone, &zone, err);
		/* Without protection there is no state to recover. */
		if (!code && run->state.guard != LUKS2_GUARD_NONE)
			code = commit(run, &zone, true, err);
		if (!code)
			code = hotzone_convert(run->hotzone, &zone, err);
		if (!code)
			code = commit(run, &zone, false, err);
	}
	if (!code)
		code = end(run, err);
	if (!code)
		(void)events_progress(run->events, NULL, PROGRESS, size, size);
	return code;
}

enum mortise_code mortise_reencrypt_continue(struct mortise_luks2 *header,
					     const struct mortise_secret *passphrase,
					     const struct mortise_reencrypt_run *how,
					     struct mortise_error *err)
{
	struct continuation run = { .header = header, .lock_fd = -1 };
	struct mortise_reencrypt_run wanted;
	enum mortise_code code;

	code = sized_input(SIZED(mortise_reencrypt_run), &wanted, how, err);
	if (!code)
		code = lock(&run, err);
	if (!code)
		code = open_keys(&run, passphrase, wanted.keyslot, err);
	if (!code)
		code = hotzone_open(header, &run.state, run.old_key, key_after(&run), &run.hotzone,
				    err);
	run.limit = wanted.hotzone_size;
	run.events = wanted.events ? wanted.events : luks2_header_events(header);
	if (!code)
		code = convert_all(&run, err);
	hotzone_close(run.hotzone);
	mortise_secret_free(&run.old_key);
	mortise_secret_free(&run.new_key);
	if (run.lock_fd >= 0)
		close(run.lock_fd);
	return code;
}

enum mortise_code mortise_reencrypt_info(const struct mortise_luks2 *header,
					 struct mortise_reencrypt_info *info,
					 struct mortise_error *err)
{
	struct mortise_reencrypt_info filled = { 0 };
	struct luks2_reencryption state;
	struct luks2_device *device;
	enum mortise_code code = luks2_reencryption_get(luks2_header_metadata(header), &state, err);

	if (code)
		return code;
	filled.total = state.fixed_size;
	if (!filled.total) {
		code = luks2_device_open(luks2_header_data_path(header), false, &device, err);
		if (code)
			return code;
		if (device->size > state.after.offset)
			filled.total = device->size - state.after.offset;
		luks2_device_close(device);
	}
	filled.mode = state.mode;
	filled.resilience = luks2_guard_name(state.guard);
	filled.resilience_hash = state.hash ? state.hash : "";
	filled.interrupted = state.interrupted;
	filled.done = done_bytes(&state, filled.total);
	return sized_output(SIZED(mortise_reencrypt_info), info, &filled, err);
}
