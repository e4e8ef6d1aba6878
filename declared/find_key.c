/* SPDX-License-Identifier: MIT */
/* Finding a key that opens a volume: each declared key, then a recovery key from the user. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/events.h"
#include "luks2/metadata.h"
#include "declared/handover.h"
#include "declared/measure.h"
#include "declared/verified.h"

#define RECOVERY_TRIES 3u

/* May the UUID in META give a key that opens, where the machine's gave none? */
static bool may_use_meta(const struct volume_run *run, const struct config_key *key,
			 const struct key_attempt *attempt)
{
	return run->meta_uuid && volume_key_needs_node_uuid(key) && !attempt->by_meta_uuid &&
	       (attempt->why.code == MORTISE_E_KEY || attempt->why.code == MORTISE_E_SYSTEM ||
		attempt->why.code == MORTISE_E_POLICY || attempt->why.code == MORTISE_E_SOURCE);
}

static enum mortise_code request_by_meta(struct volume_run *run, const struct volume_plan *plan,
					 size_t i, struct mortise_secret **passphrase,
					 struct mortise_error *err)
{
	return volume_key_get_by_meta(run, plan->volume, &plan->volume->keys[i],
				      luks2_header_metadata(plan->header), passphrase, err);
}

enum mortise_code volume_request_key(struct volume_run *run, struct volume_plan *plan, size_t i)
{
	const struct config_key *key = &plan->volume->keys[i];
	struct key_attempt *attempt = &plan->attempts[i];
	struct mortise_error ignored;

	if (attempt->passphrase)
		return MORTISE_OK;
	if (attempt->requested && attempt->why.code != MORTISE_E_UNREACHABLE)
		return attempt->why.code;
	attempt->requested = true;
	memset(&attempt->why, 0, sizeof(attempt->why));
	if (volume_request_begin(run, plan, key, &attempt->why))
		return attempt->why.code;
	if (volume_key_get(run, plan->volume, key, luks2_header_metadata(plan->header),
			   &attempt->passphrase, &attempt->why) &&
	    may_use_meta(run, key, attempt) &&
	    !request_by_meta(run, plan, i, &attempt->passphrase, &ignored)) {
		attempt->by_meta_uuid = true;
		memset(&attempt->why, 0, sizeof(attempt->why));
	}
	volume_request_end(run, key, attempt->why.code, &attempt->why);
	return attempt->why.code;
}

/* Tries a passphrase on the keyslot of declared key i, within the time that its kind may take. */
static enum mortise_code try_passphrase(const struct volume_run *run, struct volume_plan *plan,
					size_t i, const struct mortise_secret *passphrase,
					bool *by_first_line, struct mortise_error *err)
{
	const struct config_key *key = &plan->volume->keys[i];
	enum mortise_code code;

	luks2_header_set_max_unlock(plan->header, volume_max_unlock(run, key));
	code = volume_try_keyslot(plan->header, (int)key->slot, passphrase, by_first_line, err);
	luks2_header_set_max_unlock(plan->header, volume_max_unlock(run, NULL));
	return code;
}

/* Tries the UUID in META. The key of the machine's UUID stays, unless this one opens. */
static enum mortise_code try_meta_uuid(struct volume_run *run, struct volume_plan *plan, size_t i)
{
	struct key_attempt *attempt = &plan->attempts[i];
	struct mortise_secret *passphrase = NULL;
	struct mortise_error why;
	enum mortise_code code = request_by_meta(run, plan, i, &passphrase, &why);
	bool first_line = false;

	if (!code)
		code = try_passphrase(run, plan, i, passphrase, &first_line, &why);
	if (code == MORTISE_E_CANCELED || code == MORTISE_E_MEMORY || code == MORTISE_E_UNREACHABLE)
		attempt->why = why;
	if (!code) {
		mortise_secret_free(&attempt->passphrase);
		attempt->passphrase = passphrase;
		attempt->by_meta_uuid = true;
		attempt->opened_by_first_line = first_line;
		memset(&attempt->why, 0, sizeof(attempt->why));
	} else {
		mortise_secret_free(&passphrase);
	}
	return attempt->why.code;
}

enum mortise_code volume_try_key(struct volume_run *run, struct volume_plan *plan, size_t i)
{
	const struct config_key *key = &plan->volume->keys[i];
	struct key_attempt *attempt = &plan->attempts[i];
	enum mortise_code code;

	if (attempt->tried)
		return attempt->why.code;
	code = volume_request_key(run, plan, i);
	if (code)
		return code;
	code = try_passphrase(run, plan, i, attempt->passphrase, &attempt->opened_by_first_line,
			      &attempt->why);
	if (!code)
		memset(&attempt->why, 0, sizeof(attempt->why));
	else if (may_use_meta(run, key, attempt))
		code = try_meta_uuid(run, plan, i);
	/* A lack of memory may be temporary, but a wrong key stays wrong. */
	attempt->tried = !code || code == MORTISE_E_KEY;
	return code;
}

/* A declared key is tried on its own keyslot only. */
static bool open_with_key(struct volume_run *run, struct volume_plan *plan, size_t i)
{
	if (volume_try_key(run, plan, i))
		return false;
	plan->opened = (int)plan->volume->keys[i].slot;
	plan->opened_by_meta = plan->attempts[i].by_meta_uuid;
	plan->proven = true;
	return true;
}

/* May this key open the volume once STATE is mounted? */
static bool waits_for_state(const struct volume_run *run, const struct key_attempt *attempt)
{
	return attempt->why.code == MORTISE_E_WAIT && run->state_may_come;
}

/*
 * Tries the keys in the order of their slots. Retries an unreachable source only after every other
 * key has failed, and with pauses, because a whole fleet may be booting at the same time.
 */
static enum mortise_code try_declared_keys(struct volume_run *run, struct volume_plan *plan,
					   struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;
	bool first = true, again;
	unsigned pauses = 0;

	do {
		again = false;
		for (size_t i = 0; i < volume->key_count; i++) {
			struct key_attempt *attempt = &plan->attempts[i];

			if (!first && attempt->why.code != MORTISE_E_UNREACHABLE)
				continue;
			if (open_with_key(run, plan, i))
				return MORTISE_OK;
			if (waits_for_state(run, attempt))
				return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_WAIT,
						       (int)volume->keys[i].slot,
						       "keyslot %u is %s", volume->keys[i].slot,
						       attempt->why.text);
			if (attempt->why.code == MORTISE_E_CANCELED)
				return events_cancel_error(err);
			again |= attempt->why.code == MORTISE_E_UNREACHABLE;
		}
		first = false;
	} while (again && volume_pause(run, plan, &pauses));
	return MORTISE_OK;
}

/* *typed stays NULL if the user declines. */
static enum mortise_code prompt_for_recovery_key(struct volume_run *run,
						 const struct volume_plan *plan, unsigned left,
						 struct mortise_secret **typed,
						 struct mortise_error *err)
{
	const struct mortise_event event = {
		.type = MORTISE_EVENT_PROMPT,
		.volume = plan->volume->name,
		.text = "",
		.device = plan->device,
		.tries_left = left,
		.answer = typed,
	};

	if (!run->events.call)
		return MORTISE_OK;
	if (run->events.call(run->events.context, &event))
		return MORTISE_OK;
	mortise_secret_free(typed);
	return events_cancel_error(err);
}

static enum mortise_code try_recovery_key(struct volume_run *run, struct volume_plan *plan,
					  struct mortise_error *err)
{
	struct mortise_error ignored;

	if (!run->options->recovery || !volume_token_recovery_keyslots(plan->header))
		return MORTISE_OK;
	for (unsigned left = RECOVERY_TRIES; left > 0 && !plan->recovered; left--) {
		struct mortise_secret *typed = NULL;
		enum mortise_code code = prompt_for_recovery_key(run, plan, left - 1, &typed, err);

		if (code || !typed)
			return code;
		plan->recovered =
			!mortise_recovery_open(plan->header, typed, NULL, &plan->opened, &ignored);
		mortise_secret_free(&typed);
	}
	return MORTISE_OK;
}

/* Why a declared key does not open the volume, to follow "keyslot 1 (kms): ". */
static const char *describe_failure(const struct config_key *key, const struct key_attempt *attempt)
{
	if (attempt->why.code == MORTISE_E_KEY && key->lock_to_state)
		return "wrong key; it is locked to STATE, which may have been wiped or replaced";
	if (attempt->why.code == MORTISE_E_KEY && key->kind == CONFIG_KEY_NODE_ID)
		return "wrong key; the UUID of this machine may have changed";
	if (attempt->why.code == MORTISE_E_KEY)
		return "wrong key";
	if (attempt->why.code == MORTISE_E_NO_KEYSLOT)
		return "no such keyslot";
	return attempt->why.text;
}

/* Did the source fail, as opposed to giving a wrong key? */
static bool is_source_failure(const struct key_attempt *attempt)
{
	return attempt->why.code == MORTISE_E_UNREACHABLE ||
	       attempt->why.code == MORTISE_E_SOURCE || attempt->why.code == MORTISE_E_STALE;
}

/*
 * The volume is open already. It stays open while a KMS is down or a PCR has been extended. STATE's
 * tpm key has opened it, and is not reported: it cannot be unsealed twice in a boot.
 */
static enum mortise_code add_unchecked_keys(const struct volume_run *run, struct volume_plan *plan,
					    struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	bool spent = false;

	for (size_t i = 0; !code && i < plan->volume->key_count; i++) {
		const struct config_key *key = &plan->volume->keys[i];

		if (volume_measure_spent(plan, key)) {
			plan->proven = spent = true;
			continue;
		}
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_KEY_FAIL, (int)key->slot,
				       "keyslot %u (%s) not checked: %.400s", key->slot,
				       config_key_kind_name(key->kind),
				       describe_failure(key, &plan->attempts[i]));
	}
	/* META may describe an earlier configuration. */
	return code || run->open_only ? code : volume_plan_kept_keys(plan, spent, err);
}

/* Could the configuration have replaced the key that opens the volume? */
static bool may_have_changed(const struct volume_plan *plan)
{
	for (size_t i = 0; i < plan->volume->key_count; i++) {
		enum mortise_code why = plan->attempts[i].why.code;

		if (why == MORTISE_E_NO_KEYSLOT ||
		    (why == MORTISE_E_KEY && !plan->volume->keys[i].lock_to_state))
			return true;
	}
	return false;
}

/* A KMS that does not answer fails for each of its keys. */
static const char *shorten_failure(const struct volume_plan *plan, size_t i)
{
	const struct key_attempt *attempt = &plan->attempts[i];

	if (i && attempt->why.code == MORTISE_E_UNREACHABLE &&
	    !strcmp(attempt->why.text, plan->attempts[i - 1].why.text))
		return "the same";
	return describe_failure(&plan->volume->keys[i], attempt);
}

/* "keyslot 0 (static): wrong key; keyslot 1 (kms): ..." */
static void list_failures(const struct volume_plan *plan, char *list, size_t room)
{
	const struct config_volume *volume = plan->volume;
	size_t used = 0;

	*list = '\0';
	for (size_t i = 0; i < volume->key_count && used < room; i++) {
		const struct config_key *key = &volume->keys[i];

		used += (size_t)snprintf(list + used, room - used, "%skeyslot %u (%s): %s",
					 used ? "; " : "", key->slot,
					 config_key_kind_name(key->kind), shorten_failure(plan, i));
	}
}

/* Keys are rotated in two runs: the first one needs the previous key of one of these keyslots. */
static void add_rotation_advice(const struct volume_plan *plan, char *advice, size_t room)
{
	const char *before = "; to change keys, keep the previous key of keyslot ";
	size_t used = 0;

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX && used < room; id++) {
		if (!luks2_keyslot_opens_data(luks2_header_metadata(plan->header), id) ||
		    (volume_token_recovery_keyslots(plan->header) & UINT32_C(1) << id))
			continue;
		used += (size_t)snprintf(advice + used, room - used, "%s%d", before, id);
		before = " or ";
	}
	if (used && used < room)
		snprintf(advice + used, room - used, " for one more run");
}

static enum mortise_code add_no_key_step(struct volume_run *run, struct volume_plan *plan,
					 struct mortise_error *err)
{
	bool waits = false, source_failed = false;
	char failures[300], rotation[128] = "";
	const char *recovery = "";

	for (size_t i = 0; i < plan->volume->key_count; i++) {
		const struct key_attempt *attempt = &plan->attempts[i];

		waits |= attempt->why.code == MORTISE_E_WAIT ||
			 attempt->why.code == MORTISE_E_UNREACHABLE;
		source_failed |= is_source_failure(attempt);
	}
	if (plan->active && source_failed)
		return add_unchecked_keys(run, plan, err);
	plan->no_key = !waits;
	plan->keys_replaced = plan->no_key && may_have_changed(plan);
	list_failures(plan, failures, sizeof(failures));
	if (plan->keys_replaced)
		add_rotation_advice(plan, rotation, sizeof(rotation));
	if (volume_token_recovery_keyslots(plan->header) && !run->options->recovery)
		recovery = "; to use the recovery key, run `mortise up --recovery`";
	return VOLUME_PLAN_ADD(plan, err, waits ? MORTISE_STEP_WAIT : MORTISE_STEP_FAIL, -1,
			       "no declared key opens %.100s: %s%s%s", plan->device, failures,
			       rotation, recovery);
}

/* The volume key is known from an earlier plan. Did a declared key give it? */
static bool opened_by_declared_key(const struct volume_plan *plan)
{
	for (size_t i = 0; i < plan->volume->key_count; i++)
		if (plan->attempts[i].tried && !plan->attempts[i].why.code)
			return true;
	return false;
}

enum mortise_code volume_find_key(struct volume_run *run, struct volume_plan *plan,
				  struct mortise_error *err)
{
	enum mortise_code code;

	if (volume_plan_key(plan)) {
		plan->proven = opened_by_declared_key(plan);
		/* Or its key was kept by a run of this boot that a declared key had opened. */
		if (plan->active && !plan->proven)
			volume_handover_take(plan);
		return MORTISE_OK;
	}
	if (plan->active)
		volume_handover_take(plan);
	if (volume_plan_key(plan))
		return MORTISE_OK;
	plan->verified = volume_verified(run, plan);
	if (plan->verified) {
		plan->proven = true;
		return MORTISE_OK;
	}
	code = try_declared_keys(run, plan, err);
	if (!code && plan->opened < 0 && !plan->failed)
		code = try_recovery_key(run, plan, err);
	if (!code && events_canceled(&run->events))
		code = events_cancel_error(err);
	if (!code && plan->opened < 0 && !plan->failed)
		code = add_no_key_step(run, plan, err);
	return code;
}
