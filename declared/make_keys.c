/* SPDX-License-Identifier: MIT */
/* Making the keys of a plan before its first write. A KMS or TPM seals each of them once. */
#include <stdio.h>

#include "base/error.h"
#include "base/events.h"
#include "declared/plan.h"

static bool needs_key(const struct volume_step *step)
{
	return (step->kind == MORTISE_STEP_KEY_ADD || step->kind == MORTISE_STEP_KEY_REPLACE) &&
	       !step->made.passphrase;
}

/* Has the step made a key that opens the volume without a user? */
static bool opens_at_boot(const struct volume_step *step)
{
	return step->made.passphrase && !step->recovery;
}

/*
 * Makes a recovery key, and hands it over before the header has it: a key that was not seen by a
 * user is useless, but would be relied on.
 */
static enum mortise_code make_recovery(struct volume_run *run, struct volume_plan *plan,
				       struct volume_step *step, struct mortise_error *err)
{
	struct mortise_event event = {
		.type = MORTISE_EVENT_RECOVERY_KEY,
		.volume = plan->volume->name,
		.text = plan->volume->id,
		.device = plan->device,
		.step = &step->shown,
	};
	struct mortise_secret *offered;
	enum mortise_code code = volume_recovery_new(step->keyslot, &step->made, err);

	if (code)
		return code;
	volume_plan_show(plan, (size_t)(step - plan->steps), &step->shown);
	offered = step->made.passphrase;
	event.answer = &offered;
	if (!run->events.call || (run->events.call(run->events.context, &event) && !offered))
		code = error_set(err, MORTISE_E_SYSTEM, 0,
				 "the recovery key could not be handed over, and was discarded");
	if (code)
		volume_key_clear(&step->made);
	return code;
}

static enum mortise_code make_key(struct volume_run *run, struct volume_plan *plan,
				  struct volume_step *step, struct mortise_error *err)
{
	enum mortise_code code;

	if (step->recovery)
		return make_recovery(run, plan, step, err);
	code = volume_request_begin(run, plan, step->key, err);
	if (code)
		return code;
	code = volume_key_new(run, plan->volume, step->key, &step->made, err);
	volume_request_end(run, step->key, code, err);
	return code;
}

/* Which of the missing keys are made. */
enum pass {
	PASS_FIRST,
	PASS_AGAIN,    /* those whose source was unreachable */
	PASS_RECOVERY, /* handed over last, when it is certain that the volume has another key */
};

static bool is_in_pass(const struct volume_step *step, enum pass pass)
{
	if (!needs_key(step) || step->recovery != (pass == PASS_RECOVERY))
		return false;
	return pass != PASS_AGAIN || step->why.code == MORTISE_E_UNREACHABLE;
}

static enum mortise_code make_missing(struct volume_run *run, struct volume_plan *plan,
				      enum pass pass, struct mortise_error *err)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		struct volume_step *step = &plan->steps[i];
		enum mortise_code code;

		if (!is_in_pass(step, pass))
			continue;
		if (events_canceled(&run->events))
			return events_cancel_error(err);
		step->why.code = MORTISE_OK;
		code = make_key(run, plan, step, &step->why);
		if (code == MORTISE_E_CANCELED)
			return events_cancel_error(err);
		if (code)
			error_prefix(&step->why, "keyslot %d (%s)%s", step->keyslot,
				     step->recovery ? "recovery"
						    : config_key_kind_name(step->key->kind),
				     volume_plan_formats(plan) ? "" : " unchanged");
	}
	return MORTISE_OK;
}

/* Does a format have no key yet, but a source that may answer later? */
static bool is_worth_another_try(const struct volume_plan *plan)
{
	bool unreachable = false;

	if (!volume_plan_formats(plan))
		return false;
	for (size_t i = 0; i < plan->step_count; i++) {
		if (opens_at_boot(&plan->steps[i]))
			return false;
		unreachable |= plan->steps[i].why.code == MORTISE_E_UNREACHABLE;
	}
	return unreachable;
}

enum mortise_code volume_make_keys(struct volume_run *run, struct volume_plan *plan,
				   struct mortise_error *err)
{
	enum mortise_code code;
	unsigned pauses = 0;

	/* A plan that cannot finish is not started. */
	if (plan->failed)
		return MORTISE_OK;
	code = make_missing(run, plan, PASS_FIRST, err);
	while (!code && is_worth_another_try(plan) && volume_pause(run, plan, &pauses))
		code = make_missing(run, plan, PASS_AGAIN, err);
	if (!code && !volume_format_lacks_key(plan))
		code = make_missing(run, plan, PASS_RECOVERY, err);
	if (!code && events_canceled(&run->events))
		code = events_cancel_error(err);
	return code;
}

const struct mortise_error *volume_format_lacks_key(const struct volume_plan *plan)
{
	const struct mortise_error *last = NULL;

	if (!volume_plan_formats(plan) || plan->failed)
		return NULL;
	for (size_t i = 0; i < plan->step_count; i++) {
		if (opens_at_boot(&plan->steps[i]))
			return NULL;
		if (plan->steps[i].why.code)
			last = &plan->steps[i].why;
	}
	return last;
}
