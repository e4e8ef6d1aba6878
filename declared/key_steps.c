/* SPDX-License-Identifier: MIT */
/* Executing the steps that change a keyslot. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/events.h"
#include "declared/steps.h"
#include "keys/kdf.h"
#include "luks2/keyslot.h"
#include "volume/record.h"

/* The passphrases of KMS, TPM and recovery keys are random and need no stretching. */
static bool needs_full_cost(const struct config_key *key)
{
	return key && (key->kind == CONFIG_KEY_STATIC || key->kind == CONFIG_KEY_NODE_ID);
}

enum mortise_code volume_choose_cost(struct volume_work *work, const struct config_key *key,
				     struct mortise_kdf *kdf, struct mortise_error *err)
{
	struct volume_run *run = work->run;
	enum mortise_code code = MORTISE_OK;

	if (!needs_full_cost(key)) {
		*kdf = volume_least_cost;
		return MORTISE_OK;
	}
	pthread_mutex_lock(&run->cost_lock);
	if (run->cost_known)
		goto out;
	/* Take all memory: other derivations at the same time would falsify the measurement. */
	(void)volume_budget_take(&run->budget, run->budget.total);
	if (events_canceled(&run->events))
		code = events_cancel_error(err);
	else
		code = keys_kdf_choose(run->options->cost, 64, &run->events, &run->cost, err);
	volume_budget_give_back(&run->budget, run->budget.total);
	run->cost_known = !code;
out:
	*kdf = run->cost;
	pthread_mutex_unlock(&run->cost_lock);
	return code;
}

/* Bytes of JSON. */
static uint64_t text_size(struct json_object *value)
{
	const char *text = value ? luks2_json_plain(value) : NULL;

	return text ? strlen(text) : 0;
}

/*
 * The default of 16 KiB, which is Talos's, has room for 32 keyslots, but not for their tokens: that
 * of a tpm key takes 700 bytes, its PCR values up to 1300. A header never grows, and keys are added
 * later.
 */
uint64_t volume_metadata_size(const struct volume_plan *plan)
{
	enum { SIZE_LEAST = 64 << 10, SIZE_MOST = 4 << 20, OTHERS = 4096, KEYSLOT = 512 };
	uint64_t need = OTHERS, size = SIZE_LEAST;

	for (size_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].made.passphrase)
			need += KEYSLOT + text_size(plan->steps[i].made.token) +
				text_size(plan->steps[i].made.pcr_values);
	/* Twice the need: the keys may be replaced by larger ones. */
	while (size < 2 * need + 4096 && size < SIZE_MOST)
		size *= 2;
	return size;
}

static enum mortise_code no_token(int keyslot, struct mortise_error *err)
{
	return error_set(
		err, MORTISE_E_NO_SPACE, 0,
		"no token is free for keyslot %d; to remove one, run `mortise token remove`",
		keyslot);
}

/* Stores the token and the record of a keyslot in the update. */
static enum mortise_code stage_token(struct volume_work *work, struct luks2_update *update,
				     const struct volume_step *step,
				     const struct mortise_secret *volume_key,
				     struct mortise_error *err)
{
	const struct volume_key *made = &step->made;
	const struct volume_fingerprint_keys keys = { work->plan->volume, made->passphrase,
						      volume_key };
	struct json_object *metadata = luks2_update_metadata(update);
	uint8_t fingerprint[VOLUME_FINGERPRINT_SIZE];
	int id = step->keyslot;
	enum mortise_code code;
	bool stored = true;

	if (made->token)
		stored = volume_token_put(metadata, id, json_object_get(made->token));
	else
		volume_token_drop(metadata, id);
	if (step->recovery)
		return stored ? MORTISE_OK : no_token(id, err);
	code = volume_key_fingerprint(work->run, step->key, metadata, &keys, fingerprint, err);
	if (code && code != MORTISE_E_WAIT)
		return code;
	stored = stored && (code || volume_record_set_key(metadata, id, fingerprint));
	if (stored && made->pcr_values)
		stored = volume_record_set_pcr_values(metadata, id,
						      json_object_get(made->pcr_values));
	return stored ? MORTISE_OK : no_token(id, err);
}

enum mortise_code volume_stage_key(struct volume_work *work, struct luks2_update *update,
				   const struct volume_step *step,
				   const struct mortise_secret *volume_key,
				   struct mortise_error *err)
{
	const struct mortise_keyslot_new what = { .struct_size = sizeof(what),
						  .keyslot = step->keyslot };
	int id = step->keyslot;
	struct mortise_kdf kdf;
	const struct luks2_keyslot_request request = {
		.what = &what,
		.kdf = &kdf,
		.passphrase = step->made.passphrase,
		.key = volume_key,
	};
	enum mortise_code code = volume_choose_cost(work, step->key, &kdf, err);

	if (code)
		return code;
	code = luks2_keyslot_stage(update, &request, &id, err);
	return code ? code : stage_token(work, update, step, volume_key, err);
}

enum mortise_code volume_reload_header(struct volume_plan *plan, struct mortise_error *err)
{
	const struct mortise_location location =
		volume_plan_location(plan, false, luks2_header_events(plan->header));
	struct mortise_luks2 *now = NULL;
	enum mortise_code code;

	if (!luks2_header_is_readonly(plan->header))
		return MORTISE_OK;
	code = mortise_luks2_load(&location, &now, err);
	if (code)
		return code;
	if (!luks2_header_equal(now, plan->header)) {
		mortise_luks2_free(&now);
		return error_set(err, MORTISE_E_CHANGED, 0,
				 "the header of %s has changed since the plan was made; run the "
				 "command again",
				 plan->device);
	}
	luks2_header_inherit(now, plan->header);
	mortise_luks2_free(&plan->header);
	plan->header = now;
	return MORTISE_OK;
}

/* Puts the change of a key step into the update. */
static enum mortise_code stage_key_step(struct volume_work *work, struct luks2_update *update,
					const struct volume_step *step, struct mortise_error *err)
{
	struct json_object *metadata = luks2_update_metadata(update);
	enum mortise_code code;

	if (step->kind == MORTISE_STEP_KEY_RECORD) {
		if (volume_record_set_key(metadata, step->keyslot, step->fingerprint))
			return MORTISE_OK;
		return error_memory(err);
	}
	if (step->kind == MORTISE_STEP_KEY_REPLACE || step->kind == MORTISE_STEP_KEY_REMOVE) {
		/* The removal takes the keyslot out of the lists of tokens. */
		volume_token_drop(metadata, step->keyslot);
		code = luks2_keyslot_stage_removal(update, step->keyslot, true, err);
		if (code)
			return code;
		volume_record_forget_key(metadata, step->keyslot);
	}
	if (step->kind == MORTISE_STEP_KEY_REMOVE)
		return MORTISE_OK;
	return volume_stage_key(work, update, step, volume_plan_key(work->plan), err);
}

static enum mortise_code change_keyslot(struct volume_work *work, const struct volume_step *step,
					struct mortise_error *err)
{
	struct luks2_update *update = NULL;
	struct mortise_kdf cost;
	enum mortise_code code;

	code = volume_reload_header(work->plan, err);
	if (code)
		return code;
	/* Measure the cost, which can take seconds, before the update takes its lock. */
	if (step->kind == MORTISE_STEP_KEY_ADD || step->kind == MORTISE_STEP_KEY_REPLACE) {
		code = volume_choose_cost(work, step->key, &cost, err);
		if (code)
			return code;
	}
	code = luks2_update_begin(work->plan->header, &update, err);
	if (code)
		return code;
	code = stage_key_step(work, update, step, err);
	if (!code)
		code = luks2_update_commit(&update, err);
	luks2_update_abort(&update);
	return code;
}

enum mortise_code volume_do_key_step(struct volume_work *work, const struct volume_step *step,
				     struct mortise_error *err)
{
	static const char *const verbs[] = {
		[MORTISE_STEP_KEY_ADD] = "add",
		[MORTISE_STEP_KEY_REPLACE] = "replace",
		[MORTISE_STEP_KEY_REMOVE] = "remove",
		[MORTISE_STEP_KEY_RECORD] = "record",
	};
	enum mortise_code code;

	/* The key could not be made. */
	if (step->why.code) {
		if (err)
			*err = step->why;
		return step->why.code;
	}
	/* A format has written its keys already, in one commit. */
	if (volume_plan_formats(work->plan))
		return MORTISE_OK;
	code = change_keyslot(work, step, err);
	if (code && step->key)
		error_prefix(err, "cannot %s keyslot %d (%s)", verbs[step->kind], step->keyslot,
			     config_key_kind_name(step->key->kind));
	else if (code)
		error_prefix(err, "cannot %s keyslot %d", verbs[step->kind], step->keyslot);
	return code;
}
