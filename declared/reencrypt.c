/* SPDX-License-Identifier: MIT */
/* Replacing a volume key: beginning it in one commit, and continuing it up to its end. */
#include <stdio.h>

#include "base/error.h"
#include "declared/continue.h"
#include "declared/plan_known.h"
#include "declared/plan_reencrypt.h"
#include "luks2/keyslot.h"
#include "luks2/metadata.h"
#include "luks2/reencrypt.h"
#include "luks2/seal.h"
#include "volume/record.h"
#include "volume/reencrypt_begin.h"

/* Makes the keyslot of a declared key for the new volume key. The old one moves to a free id. */
static enum mortise_code stage_key(struct volume_work *work, struct luks2_update *update, size_t i,
				   int digest, const struct mortise_secret *volume_key,
				   struct mortise_error *err)
{
	const struct volume_plan *plan = work->plan;
	const struct config_key *key = &plan->volume->keys[i];
	const struct mortise_secret *passphrase = plan->attempts[i].passphrase;
	const struct mortise_keyslot_new what = { .struct_size = sizeof(what),
						  .keyslot = MORTISE_ANY };
	const struct volume_fingerprint_keys keys = { plan->volume, passphrase, volume_key };
	struct json_object *metadata = luks2_update_metadata(update);
	uint8_t fingerprint[VOLUME_FINGERPRINT_SIZE];
	struct mortise_kdf kdf;
	const struct luks2_keyslot_request request = { &what, &kdf, passphrase, volume_key };
	const int slot = (int)key->slot;
	int id = MORTISE_ANY;
	enum mortise_code code = volume_choose_cost(work, key, &kdf, err);

	if (!code)
		code = luks2_keyslot_stage_for(update, &request, digest, &id, err);
	if (code)
		return code;
	if (!luks2_keyslots_exchange(metadata, slot, id))
		return error_memory(err);
	code = volume_key_fingerprint(work->run, key, metadata, &keys, fingerprint, err);
	if (code)
		return code == MORTISE_E_WAIT ? MORTISE_OK : code;
	return volume_record_set_key(metadata, slot, fingerprint) ? MORTISE_OK : error_memory(err);
}

static enum mortise_code stage(void *context, struct luks2_update *update, int digest,
			       const struct mortise_secret *volume_key, struct mortise_error *err)
{
	struct volume_work *work = context;
	const struct volume_plan *plan = work->plan;
	struct json_object *metadata = luks2_update_metadata(update);
	const char *serial;
	enum mortise_code code = MORTISE_OK;

	for (size_t i = 0; !code && i < plan->volume->key_count; i++)
		if (luks2_keyslot_in_use(luks2_header_metadata(plan->header),
					 (int)plan->volume->keys[i].slot))
			code = stage_key(work, update, i, digest, volume_key, err);
	/* Before the order is dropped, which may say so, too. */
	if (!code && !volume_record_set_online(metadata, volume_is_online(work->run, plan)))
		code = error_memory(err);
	serial = volume_rotation_serial(work->run, plan, metadata);
	if (!code && serial && !volume_record_set_rotation(metadata, serial))
		code = error_memory(err);
	if (!code)
		code = luks2_header_set_next_key(plan->header, volume_key, err);
	return code ? code : volume_known_record_next(work->run, plan, volume_key, err);
}

const struct key_attempt *volume_find_attempt(const struct volume_plan *plan)
{
	for (size_t i = 0; i < plan->volume->key_count; i++)
		if ((int)plan->volume->keys[i].slot == plan->opened && plan->attempts[i].passphrase)
			return &plan->attempts[i];
	return NULL;
}

static enum mortise_code begin(struct volume_work *work, const struct mortise_secret *passphrase,
			       struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	const struct mortise_reencrypt_keyslot opened = { plan->opened, passphrase };
	struct reencrypt_beginning beginning = {
		.what = { .mode = MORTISE_REENCRYPT,
			  .cipher = plan->volume->cipher,
			  .key_size = plan->volume->key_size,
			  .sector_size = plan->volume->block_size,
			  .keyslots = &opened,
			  .keyslot_count = 1,
			  .active_name = plan->active ? plan->mapping : NULL },
		.stage = stage,
		.context = work,
	};
	struct mortise_kdf cost;
	enum mortise_code code = MORTISE_OK;

	/* While plain data was encrypted, the mapping was smaller than the data is now. */
	if (plan->active)
		code = mortise_resize(plan->header, plan->mapping, volume_plan_key(plan), 0, err);
	/* Measure the cost, which can take seconds, before the update takes its lock. */
	for (size_t i = 0; !code && i < plan->volume->key_count; i++)
		code = volume_choose_cost(work, &plan->volume->keys[i], &cost, err);
	if (!code)
		code = reencrypt_stage(plan->header, &beginning, err);
	if (!code)
		code = luks2_update_commit(&beginning.update, err);
	reencrypt_beginning_clear(&beginning);
	return code;
}

enum mortise_code volume_know_keys(struct volume_plan *plan, struct mortise_error *err)
{
	const struct key_attempt *attempt = volume_find_attempt(plan);
	struct luks2_reencryption state;
	enum mortise_code code =
		luks2_reencryption_get(luks2_header_metadata(plan->header), &state, err);

	if (code || (volume_plan_key(plan) &&
		     (luks2_header_next_key(plan->header) || state.before.digest < 0)))
		return code;
	if (!attempt)
		return error_set(err, MORTISE_E_KEY, 0,
				 "cannot rotate volume key of %s without a declared key",
				 plan->device);
	return mortise_reencrypt_unlock(plan->header, attempt->passphrase, MORTISE_ANY, NULL, NULL,
					err);
}

enum mortise_code volume_record_next(struct volume_run *run, const struct volume_plan *plan,
				     struct mortise_error *err)
{
	const struct mortise_secret *next = luks2_header_next_key(plan->header);

	return volume_known_record_next(run, plan, next ? next : volume_plan_key(plan), err);
}

/* The progress names the volume. */
static bool name_volume(void *context, const struct mortise_event *event)
{
	const struct volume_work *work = context;
	const struct mortise_events *events = &work->run->events;
	struct mortise_event named = *event;

	if (event->type == MORTISE_EVENT_PROGRESS)
		named.volume = work->plan->volume->name;
	return !events->call || events->call(events->context, &named);
}

enum mortise_code volume_reencrypt_all(struct volume_work *work, struct mortise_error *err)
{
	const struct mortise_events events = { .call = name_volume, .context = work };
	const struct mortise_reencrypt_run how = { .struct_size = sizeof(how),
						   .keyslot = MORTISE_ANY,
						   .events = &events };

	return mortise_reencrypt_continue(work->plan->header, NULL, &how, err);
}

static enum mortise_code order(const struct volume_work *work, struct mortise_error *err)
{
	struct luks2_update *update = NULL;
	enum mortise_code code = luks2_update_begin(work->plan->header, &update, err);

	if (code)
		return code;
	code = volume_record_order_rotation(luks2_update_metadata(update),
					    work->plan->volume->rotate_key) &&
			       volume_record_set_online(luks2_update_metadata(update),
							work->plan->volume->online)
		       ? luks2_update_commit(&update, err)
		       : error_memory(err);
	luks2_update_abort(&update);
	return code;
}

static enum mortise_code begin_or_continue(struct volume_work *work, struct mortise_error *err)
{
	const struct key_attempt *attempt = volume_find_attempt(work->plan);
	enum mortise_code code;

	if (volume_in_reencryption(work->plan)) {
		code = volume_know_keys(work->plan, err);
		return code ? code : volume_record_next(work->run, work->plan, err);
	}
	if (!attempt)
		return error_set(err, MORTISE_E_KEY, 0,
				 "cannot rotate volume key of %s without a declared key",
				 work->plan->device);
	return begin(work, attempt->passphrase, err);
}

enum mortise_code volume_do_reencrypt(struct volume_work *work, const struct volume_step *step,
				      struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	/* Another process may be continuing, so that the header changes. */
	const bool shared = plan->active && volume_in_reencryption(plan);
	struct luks2_reencryption state;
	const char *verb = "rotate volume key of", *done = "volume key rotated";
	enum mortise_code code = shared ? MORTISE_OK : volume_reload_header(plan, err);

	if (code)
		return code;
	if (step->later)
		return order(work, err);
	if (!luks2_reencryption_get(luks2_header_metadata(plan->header), &state, err) &&
	    state.mode == MORTISE_ENCRYPT) {
		verb = "encrypt in place";
		done = "encrypted in place";
	}
	code = begin_or_continue(work, err);
	if (!code && step->online) {
		volume_continue_later(plan);
		done = "left to `mortise continue`";
	} else if (!code) {
		code = volume_reencrypt_all(work, err);
	}
	if (!code)
		snprintf(work->result->text, sizeof(work->result->text), "%s", done);
	else
		error_prefix(err, "cannot %s %s", verb, plan->device);
	/* The volume is open, and the next boot continues. */
	return shared ? MORTISE_OK : code;
}
