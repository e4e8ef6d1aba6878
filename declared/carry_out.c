/* SPDX-License-Identifier: MIT */
/* Carrying out a plan: one step after another, keys that are taken away last, and what came of it. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "declared/declared.h"
#include "declared/steps.h"

void volume_opening_clear(struct volume_opening *opening)
{
	free(opening->failed_syncs);
	free(opening->notices);
	*opening = (struct volume_opening){ .keyslot = -1 };
}

void volume_opening_add(char **text, const char *sentence)
{
	size_t used = *text ? strlen(*text) : 0;
	char *grown = realloc(*text, used + strlen(sentence) + 2);

	if (!grown)
		return;
	*text = grown;
	snprintf(grown + used, strlen(sentence) + 2, "%s%s", used ? "\n" : "", sentence);
}

static bool is_key_step(enum mortise_step_kind kind)
{
	return kind == MORTISE_STEP_KEY_ADD || kind == MORTISE_STEP_KEY_REPLACE ||
	       kind == MORTISE_STEP_KEY_REMOVE || kind == MORTISE_STEP_KEY_RECORD ||
	       kind == MORTISE_STEP_KEY_FAIL;
}

/* How far a volume has come when a step fails. */
static enum mortise_phase phase_of(const struct volume_plan *plan, const struct mortise_error *why)
{
	if (why->code == MORTISE_E_WAIT)
		return MORTISE_PHASE_WAITING;
	return *plan->device ? MORTISE_PHASE_FAILED : MORTISE_PHASE_MISSING;
}

static void tell(struct volume_run *run, const struct mortise_step *step, bool done,
		 const struct mortise_error *err)
{
	if (!run->watch || !run->watch->call)
		return;
	pthread_mutex_lock(&run->watch_lock);
	run->watch->call(run->watch->context, step, done, err);
	pthread_mutex_unlock(&run->watch_lock);
}

/* What a person should know of a key step that has been done. */
static void note(const struct volume_step *step, struct volume_opening *opening)
{
	if (*step->notice)
		volume_opening_add(&opening->notices, step->notice);
	if (*step->made.notice)
		volume_opening_add(&opening->notices, step->made.notice);
}

static void fill_opening(const struct volume_plan *plan, struct volume_opening *opening)
{
	opening->keyslot = plan->opened;
	if (plan->header)
		opening->recovery_keyslots = volume_token_recovery_keyslots(plan->header);
	if (plan->recovered)
		volume_opening_add(&opening->notices, "opened with the recovery key");
}

/* Of a volume that was neither formatted nor opened. */
static const char *standing(const struct volume_plan *plan)
{
	const bool swap = plan->volume->filesystem == CONFIG_FS_SWAP;

	if (plan->volume->encrypted)
		return "was open";
	if (!*plan->mount_point)
		return "found";
	if (plan->mounted)
		return swap ? "was swapped on" : "was mounted";
	return swap ? "swapped on" : "mounted";
}

/* What takes a key away that the next boot may go by. */
static bool takes_away(enum mortise_step_kind kind)
{
	return kind == MORTISE_STEP_KEY_REPLACE || kind == MORTISE_STEP_KEY_REMOVE;
}

/* Formatting that cannot be finished is not begun: of such a plan the reasons are told. */
static bool is_skipped(const struct volume_plan *plan, enum mortise_step_kind kind)
{
	return plan->failed && plan->steps[0].kind == MORTISE_STEP_FORMAT &&
	       kind != MORTISE_STEP_KEY_FAIL && kind != MORTISE_STEP_WAIT &&
	       kind != MORTISE_STEP_FAIL && kind != MORTISE_STEP_REFUSE;
}

/* False: the volume got no further. */
static bool carry_out_step(struct volume_work *work, size_t i)
{
	struct volume_plan *plan = work->plan;
	struct volume_result *result = work->result;
	struct mortise_error why = { 0 };
	struct mortise_step shown;
	bool ok;

	volume_plan_show(plan, i, &shown);
	tell(work->run, &shown, false, NULL);
	ok = volume_do_step(work, i, &why) == MORTISE_OK;
	tell(work->run, &shown, true, ok ? NULL : &why);
	if (ok) {
		plan->proven |= shown.kind == MORTISE_STEP_KEY_ADD ||
				shown.kind == MORTISE_STEP_KEY_REPLACE;
		note(&plan->steps[i], &result->opening);
		return true;
	}
	/* A failed sync never keeps a volume from its data. */
	if (is_key_step(shown.kind)) {
		volume_opening_add(&result->opening.failed_syncs, why.text);
		return true;
	}
	result->why = why;
	result->phase = phase_of(plan, &why);
	return false;
}

/* A step that is not done, so that a key is left. */
static void keep(struct volume_work *work, const struct volume_step *step, const char *why)
{
	char text[MORTISE_ERROR_TEXT];

	snprintf(text, sizeof(text), "keyslot %d is left as it is: %.400s", step->keyslot, why);
	volume_opening_add(&work->result->opening.failed_syncs, text);
}

/*
 * Keys that are taken away come last. The next boot opens STATE by what META says until that is
 * settled; and while no declared key is known to open a volume, what did may be all there is.
 */
static void take_keys_away(struct volume_work *work)
{
	struct volume_plan *plan = work->plan;
	struct mortise_error why = { 0 };

	if (plan->volume->encrypted && !plan->proven && !plan->recovered)
		error_set(&why, MORTISE_E_KEY, 0, "no declared key is known to open %s",
			  plan->device);
	else if (store_state_config(work->run, plan, &why))
		volume_opening_add(&work->result->opening.failed_syncs, why.text);
	if (volume_is_state(plan->volume))
		work->run->unsettled = why;
	for (size_t i = 0; i < plan->step_count; i++) {
		if (!takes_away(plan->steps[i].kind))
			continue;
		if (why.code)
			keep(work, &plan->steps[i], why.text);
		else
			carry_out_step(work, i);
	}
}

void volume_carry_out(struct volume_run *run, struct volume_plan *plan,
		      struct volume_result *result)
{
	struct volume_work work = { .run = run, .plan = plan, .result = result };
	bool further = true;

	memset(result, 0, sizeof(*result));
	result->phase = MORTISE_PHASE_READY;
	for (size_t i = 0; further && i < plan->step_count; i++)
		if (!takes_away(plan->steps[i].kind) && !is_skipped(plan, plan->steps[i].kind))
			further = carry_out_step(&work, i);
	if (result->phase == MORTISE_PHASE_READY)
		take_keys_away(&work);
	fill_opening(plan, &result->opening);
	if (!*result->text && result->phase == MORTISE_PHASE_READY)
		snprintf(result->text, sizeof(result->text), "%s", standing(plan));
}
