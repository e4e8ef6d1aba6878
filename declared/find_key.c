/* SPDX-License-Identifier: MIT */
/* Finding the key that opens a volume: the declared ones in turn, and when all fail a person. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/events.h"
#include "luks2/metadata.h"
#include "declared/plan.h"

#define RECOVERY_TRIES 3u

void volume_patience_begin(struct volume_patience *patience, const struct volume_run *run)
{
	*patience = (struct volume_patience){ .end_ms = clock_now_ms() + run->options->wait_ms };
}

bool volume_patience_pause(struct volume_patience *patience, const struct volume_run *run)
{
	uint64_t now = clock_now_ms(), pause = keys_backoff_ms(patience->attempt++);

	if (now >= patience->end_ms)
		return false;
	/* The last try is at the end of the time, not after it. */
	if (pause > patience->end_ms - now)
		pause = patience->end_ms - now;
	return events_sleep_ms(&run->events, pause);
}

enum mortise_code volume_ask(struct volume_run *run, struct volume_plan *plan, size_t i)
{
	struct key_attempt *attempt = &plan->attempts[i];

	if (attempt->passphrase)
		return MORTISE_OK;
	if (attempt->asked && attempt->why.code != MORTISE_E_UNREACHABLE)
		return attempt->why.code;
	attempt->asked = true;
	memset(&attempt->why, 0, sizeof(attempt->why));
	return volume_key_get(run, plan->volume, &plan->volume->keys[i],
			      luks2_header_metadata(plan->header), &attempt->passphrase,
			      &attempt->why);
}

enum mortise_code volume_try_key(struct volume_run *run, struct volume_plan *plan, size_t i)
{
	struct key_attempt *attempt = &plan->attempts[i];
	enum mortise_code code;

	if (attempt->tried)
		return attempt->why.code;
	code = volume_ask(run, plan, i);
	if (code)
		return code;
	code = volume_try_keyslot(plan->header, (int)plan->volume->keys[i].slot,
				  attempt->passphrase, &attempt->cut, &attempt->why);
	if (!code)
		memset(&attempt->why, 0, sizeof(attempt->why));
	/* A lack of memory may pass; the answer of a keyslot does not change. */
	attempt->tried = !code || code == MORTISE_E_KEY;
	return code;
}

/* Each on its own slot only. */
static bool key_opens(struct volume_run *run, struct volume_plan *plan, size_t i)
{
	if (volume_try_key(run, plan, i))
		return false;
	plan->opened = (int)plan->volume->keys[i].slot;
	plan->proven = true;
	return true;
}

/* This key may open the volume once STATE is mounted. */
static bool waits_for_state(const struct volume_run *run, const struct key_attempt *attempt)
{
	return attempt->why.code == MORTISE_E_WAIT && run->state_may_come;
}

/*
 * Lowest slot first. A source that was too busy or not to be reached is asked again only after
 * every other key was tried, and with pauses: a whole fleet may have booted at this moment.
 */
static enum mortise_code try_declared(struct volume_run *run, struct volume_plan *plan,
				      struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;
	struct volume_patience patience;
	bool first = true, again;

	volume_patience_begin(&patience, run);
	do {
		again = false;
		for (size_t i = 0; i < volume->key_count; i++) {
			struct key_attempt *attempt = &plan->attempts[i];

			if (!first && attempt->why.code != MORTISE_E_UNREACHABLE)
				continue;
			if (key_opens(run, plan, i))
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
	} while (again && volume_patience_pause(&patience, run));
	return MORTISE_OK;
}

/* *typed stays NULL: no answer. */
static enum mortise_code prompt(struct volume_run *run, const struct volume_plan *plan,
				unsigned left, struct mortise_secret **typed,
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

static enum mortise_code try_recovery(struct volume_run *run, struct volume_plan *plan,
				      struct mortise_error *err)
{
	struct mortise_error ignored;

	if (!run->options->recovery || !volume_token_recovery_keyslots(plan->header))
		return MORTISE_OK;
	for (unsigned left = RECOVERY_TRIES; left > 0 && !plan->recovered; left--) {
		struct mortise_secret *typed = NULL;
		enum mortise_code code = prompt(run, plan, left - 1, &typed, err);

		if (code || !typed)
			return code;
		plan->recovered =
			!mortise_recovery_open(plan->header, typed, NULL, &plan->opened, &ignored);
		mortise_secret_free(&typed);
	}
	return MORTISE_OK;
}

/* Why a declared key does not open, as the end of "keyslot 1 (kms): ". */
static const char *reason(const struct config_key *key, const struct key_attempt *attempt)
{
	if (attempt->why.code == MORTISE_E_KEY && key->lock_to_state)
		return "does not open, and is locked to STATE: was STATE wiped or replaced?";
	if (attempt->why.code == MORTISE_E_KEY)
		return "does not open";
	if (attempt->why.code == MORTISE_E_NO_KEYSLOT)
		return "is not on the device";
	return attempt->why.text;
}

/* Is it the source that fails, and not a key that is wrong? */
static bool source_fails(const struct key_attempt *attempt)
{
	return attempt->why.code == MORTISE_E_UNREACHABLE ||
	       attempt->why.code == MORTISE_E_SOURCE || attempt->why.code == MORTISE_E_STALE;
}

/* It is open: a KMS that is down now, or a TPM whose door was closed, changes nothing. */
static enum mortise_code stays_open(struct volume_plan *plan, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	for (size_t i = 0; !code && i < plan->volume->key_count; i++) {
		const struct config_key *key = &plan->volume->keys[i];

		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_KEY_FAIL, (int)key->slot,
				       "keyslot %u (%s) not checked: %.400s", key->slot,
				       config_key_kind_name(key->kind),
				       reason(key, &plan->attempts[i]));
	}
	return code;
}

/* Could the key that is asked for simply be the one that was declared before? */
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

/* " now: keep slot 0 as it was until the next run": a rotation takes two. */
static void rotation_words(const struct volume_plan *plan, char *words, size_t room)
{
	const char *before = " now: keep slot ";
	size_t used = 0;

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX && used < room; id++) {
		if (!luks2_keyslot_opens_data(luks2_header_metadata(plan->header), id) ||
		    (volume_token_recovery_keyslots(plan->header) & UINT32_C(1) << id))
			continue;
		used += (size_t)snprintf(words + used, room - used, "%s%d", before, id);
		before = " or ";
	}
	if (used && used < room)
		snprintf(words + used, room - used, " as it was until the next run");
}

static enum mortise_code no_key(struct volume_run *run, struct volume_plan *plan,
				struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;
	bool waits = false, source = false;
	char reasons[300] = "", words[128] = "";
	size_t used = 0;

	for (size_t i = 0; i < volume->key_count; i++) {
		const struct config_key *key = &volume->keys[i];
		int written;

		waits |= plan->attempts[i].why.code == MORTISE_E_WAIT ||
			 plan->attempts[i].why.code == MORTISE_E_UNREACHABLE;
		source |= source_fails(&plan->attempts[i]);
		written = snprintf(reasons + used, sizeof(reasons) - used, "%skeyslot %u (%s): %s",
				   used ? "; " : "", key->slot, config_key_kind_name(key->kind),
				   reason(key, &plan->attempts[i]));
		used += written > 0 ? (size_t)written : 0;
		if (used >= sizeof(reasons))
			used = sizeof(reasons) - 1;
	}
	if (plan->active && source)
		return stays_open(plan, err);
	if (volume_token_recovery_keyslots(plan->header) && !run->options->recovery &&
	    used < sizeof(reasons) - 1)
		snprintf(reasons + used, sizeof(reasons) - used,
			 "; it has a recovery key: mortise up --recovery");
	plan->no_key = !waits;
	plan->keys_replaced = plan->no_key && may_have_changed(plan);
	if (plan->keys_replaced)
		rotation_words(plan, words, sizeof(words));
	return VOLUME_PLAN_ADD(plan, err, waits ? MORTISE_STEP_WAIT : MORTISE_STEP_FAIL, -1,
			       "no declared key opens %s%s%s %s", plan->device, words,
			       *words ? ";" : ":", reasons);
}

/* Known from a plan of a moment ago. Is it known that a declared key opens the volume? */
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
		return MORTISE_OK;
	}
	code = try_declared(run, plan, err);
	if (!code && plan->opened < 0 && !plan->failed)
		code = try_recovery(run, plan, err);
	if (!code && events_canceled(&run->events))
		code = events_cancel_error(err);
	if (!code && plan->opened < 0 && !plan->failed)
		code = no_key(run, plan, err);
	return code;
}
