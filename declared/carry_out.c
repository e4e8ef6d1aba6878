/* SPDX-License-Identifier: MIT */
/* Executing the plan of one volume: the steps in order, and those that remove keys last. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/events.h"
#include "base/mountinfo.h"
#include "declared/continue.h"
#include "declared/plan_reencrypt.h"
#include "declared/steps.h"
#include "disk/mount.h"
#include "disk/swap.h"

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

static bool is_optional(const struct volume_plan *plan, enum mortise_step_kind kind)
{
	return is_key_step(kind) || kind == MORTISE_STEP_GROW || kind == MORTISE_STEP_GROW_FS ||
	       (kind == MORTISE_STEP_REENCRYPT && !volume_in_reencryption(plan));
}

/* The phase of a volume whose step has failed. */
static enum mortise_phase get_phase(const struct volume_plan *plan, const struct mortise_error *why)
{
	if (why->code == MORTISE_E_WAIT || why->code == MORTISE_E_CANCELED)
		return MORTISE_PHASE_WAITING;
	return *plan->device ? MORTISE_PHASE_FAILED : MORTISE_PHASE_MISSING;
}

/* False: canceled. */
static bool report_step(struct volume_run *run, const struct mortise_step *step,
			enum mortise_event_type type, const struct mortise_error *error)
{
	const struct mortise_event event = {
		.type = type,
		.volume = step->volume,
		.text = step->text,
		.step = step,
		.error = error,
		.device = step->device,
	};

	return !run->events.call || run->events.call(run->events.context, &event);
}

/* Adds the notices of a finished key step to the report. */
static void add_notices(const struct volume_step *step, struct volume_opening *opening)
{
	if (*step->notice)
		volume_opening_add(&opening->notices, step->notice);
	if (*step->made.notice)
		volume_opening_add(&opening->notices, step->made.notice);
}

/* A boot opened the volume with a UUID that nothing permits. */
static void note_meta_uuid(const struct volume_plan *plan, struct volume_opening *opening)
{
	char text[VOLUME_NOTICE_MAX];

	snprintf(text, sizeof(text),
		 "keyslot %d opened with the UUID in META (tag 15), not with the firmware's; to "
		 "permit this UUID, set meta.node-uuid in " CONFIG_TRUST_FILE " of the boot image",
		 plan->opened);
	volume_opening_add(&opening->notices, text);
}

/* Recovery keys are not made at a boot, where no user would see them. */
static void note_missing_recovery(const struct volume_plan *plan, struct volume_opening *opening)
{
	char text[VOLUME_NOTICE_MAX];

	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++) {
		if (!(plan->lacks_recovery & UINT32_C(1) << id))
			continue;
		snprintf(text, sizeof(text),
			 "keyslot %d holds no recovery key yet; to make it, run `mortise apply "
			 "--recovery-dir DIR` or `mortise enroll --recovery-key --from-config %s`",
			 id, plan->volume->name);
		volume_opening_add(&opening->notices, text);
	}
}

static void set_opening(const struct volume_plan *plan, struct volume_opening *opening)
{
	struct volume_opening before;

	opening->keyslot = plan->opened;
	if (plan->active && plan->opened < 0) {
		volume_opening_read(plan->volume, &before);
		opening->keyslot = before.keyslot;
		if (plan->verified && before.notices)
			volume_opening_add(&opening->notices, before.notices);
		volume_opening_clear(&before);
	}
	if (plan->header)
		opening->recovery_keyslots = volume_token_recovery_keyslots(plan->header);
	if (plan->opened_by_meta)
		note_meta_uuid(plan, opening);
	if (plan->recovered)
		volume_opening_add(&opening->notices, "opened with the recovery key");
	if (plan->lacks_recovery)
		note_missing_recovery(plan, opening);
	if (plan->unrecorded)
		volume_opening_add(
			&opening->notices,
			"the header's JSON area has no room to record all keyslots: each "
			"boot derives the others' keys");
	if (*plan->notice)
		volume_opening_add(&opening->notices, plan->notice);
}

/* Links to the mount point, and the root, may change before the volume is unmounted. */
static void note_mount(const struct volume_run *run, const struct volume_plan *plan,
		       struct volume_opening *opening)
{
	char path[PATH_MAX];

	if (*plan->mount_point && strcmp(plan->mount_point, DISK_SWAP_MOUNT_POINT) != 0 &&
	    disk_mount_path(run->options->root, plan->mount_point, path))
		opening->mount_id = mountinfo_find_id(path);
}

/* The report's text for a volume that was neither formatted nor opened. */
static const char *describe_result(const struct volume_plan *plan)
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

/* Does the step remove a key that the next boot may need? */
static bool removes_key(enum mortise_step_kind kind)
{
	return kind == MORTISE_STEP_KEY_REPLACE || kind == MORTISE_STEP_KEY_REMOVE;
}

/*
 * A format that cannot finish is not started, and the partition of a volume that is not opened is
 * not created and does not grow; only the steps that say why are executed.
 */
static bool is_skipped(const struct volume_plan *plan, enum mortise_step_kind kind)
{
	if (plan->failed && (kind == MORTISE_STEP_GROW || kind == MORTISE_STEP_PARTITION ||
			     kind == MORTISE_STEP_REENCRYPT || kind == MORTISE_STEP_DECRYPT))
		return true;
	return plan->failed && volume_plan_formats(plan) && kind != MORTISE_STEP_KEY_FAIL &&
	       kind != MORTISE_STEP_WAIT && kind != MORTISE_STEP_FAIL &&
	       kind != MORTISE_STEP_REFUSE;
}

static void stop_volume(struct volume_work *work, const struct mortise_error *why)
{
	work->result->why = *why;
	work->result->phase = get_phase(work->plan, why);
}

/* False: no further step of the volume is executed. */
static bool carry_out_step(struct volume_work *work, size_t i)
{
	struct volume_plan *plan = work->plan;
	struct volume_result *result = work->result;
	struct mortise_error why = { 0 };
	struct mortise_step shown;
	bool ok;

	volume_plan_show(plan, i, &shown);
	if (events_canceled(&work->run->events) ||
	    !report_step(work->run, &shown, MORTISE_EVENT_STEP_BEGIN, NULL)) {
		(void)events_cancel_error(&why);
		stop_volume(work, &why);
		return false;
	}
	ok = volume_do_step(work, i, &why) == MORTISE_OK;
	/* A cancellation is noticed before the next step. */
	(void)report_step(work->run, &shown, MORTISE_EVENT_STEP_END, ok ? NULL : &why);
	if (ok) {
		plan->proven |=
			!plan->steps[i].recovery && (shown.kind == MORTISE_STEP_KEY_ADD ||
						     shown.kind == MORTISE_STEP_KEY_REPLACE);
		add_notices(&plan->steps[i], &result->opening);
		return true;
	}
	/* A step that a closed volume would not need never keeps it closed. */
	if (is_optional(plan, shown.kind) && why.code != MORTISE_E_CANCELED) {
		volume_opening_add(&result->opening.failed_syncs, why.text);
		return true;
	}
	stop_volume(work, &why);
	return false;
}

/* Skips a step that would remove a key, and reports it. */
static void keep_key(struct volume_work *work, const struct volume_step *step, const char *why)
{
	char text[MORTISE_ERROR_TEXT];

	snprintf(text, sizeof(text), "keyslot %d unchanged: %.400s", step->keyslot, why);
	volume_opening_add(&work->result->opening.failed_syncs, text);
}

/*
 * Executes the steps that remove keys, unless the next boot may need one of them: it opens STATE
 * with the keys in META, which must be updated first; and while no declared key is known to open
 * the volume, the key that opened it now may be the only one.
 */
static void remove_keys(struct volume_work *work)
{
	struct volume_plan *plan = work->plan;
	struct mortise_error why = { 0 };

	if (events_canceled(&work->run->events)) {
		(void)events_cancel_error(&why);
		stop_volume(work, &why);
		return;
	}
	if (plan->volume->encrypted && !plan->proven && !plan->recovered)
		error_set(&why, MORTISE_E_KEY, 0, "no declared key is known to open %s",
			  plan->device);
	else if (store_state_config(work->run, plan, &why))
		volume_opening_add(&work->result->opening.failed_syncs, why.text);
	if (why.code == MORTISE_E_CANCELED)
		stop_volume(work, &why);
	if (volume_is_state(plan->volume))
		work->run->not_stored = why;
	for (size_t i = 0; i < plan->step_count; i++) {
		if (!removes_key(plan->steps[i].kind))
			continue;
		/* If the new key could not be made, executing the step reports that reason. */
		if (why.code && !plan->steps[i].why.code)
			keep_key(work, &plan->steps[i], why.text);
		else if (!carry_out_step(work, i))
			return;
	}
}

/* Stops a format for which no key could be made. False: there is a key, or no format. */
static bool stop_format(struct volume_work *work)
{
	const struct mortise_error *lack = volume_format_lacks_key(work->plan);
	struct mortise_error why;

	if (!lack)
		return false;
	for (size_t i = 0; i < work->plan->step_count; i++) {
		const struct volume_step *step = &work->plan->steps[i];
		const char *text = step->why.code ? step->why.text : step->text;

		/* The error contains the first reason. */
		if ((step->why.code || step->kind == MORTISE_STEP_KEY_FAIL) &&
		    strcmp(text, lack->text) != 0)
			volume_opening_add(&work->result->opening.failed_syncs, text);
	}
	error_set(&why, MORTISE_E_DEVICE, 0, "not formatted: no key is available (%.350s)",
		  lack->text);
	stop_volume(work, &why);
	return true;
}

void volume_carry_out(struct volume_run *run, struct volume_plan *plan,
		      struct volume_result *result)
{
	struct volume_work work = { .run = run, .plan = plan, .result = result };
	bool go_on;

	memset(result, 0, sizeof(*result));
	result->phase = MORTISE_PHASE_READY;
	go_on = !stop_format(&work);
	for (size_t i = 0; go_on && i < plan->step_count; i++)
		if (!removes_key(plan->steps[i].kind) && !is_skipped(plan, plan->steps[i].kind))
			go_on = carry_out_step(&work, i);
	if (result->phase == MORTISE_PHASE_READY)
		remove_keys(&work);
	if (result->phase != MORTISE_PHASE_READY)
		volume_continue_forget_closed(plan);
	set_opening(plan, &result->opening);
	if (result->phase == MORTISE_PHASE_READY)
		note_mount(run, plan, &result->opening);
	if (!*result->text && result->phase == MORTISE_PHASE_READY)
		snprintf(result->text, sizeof(result->text), "%s", describe_result(plan));
}
