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

/* Makes all missing keys or, with again, those whose source was unreachable. */
static enum mortise_code make_missing(struct volume_run *run, struct volume_plan *plan, bool again,
				      struct mortise_error *err)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		struct volume_step *step = &plan->steps[i];
		enum mortise_code code;

		if (!needs_key(step) || (again && step->why.code != MORTISE_E_UNREACHABLE))
			continue;
		if (events_canceled(&run->events))
			return events_cancel_error(err);
		step->why.code = MORTISE_OK;
		code = volume_request_begin(run, plan, step->key, &step->why);
		if (!code) {
			code = volume_key_new(run, plan->volume, step->key, &step->made,
					      &step->why);
			volume_request_end(run, step->key, code, &step->why);
		}
		if (code == MORTISE_E_CANCELED)
			return events_cancel_error(err);
		if (code)
			error_prefix(&step->why, "keyslot %d (%s)%s", step->keyslot,
				     config_key_kind_name(step->key->kind),
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
		if (plan->steps[i].made.passphrase)
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
	code = make_missing(run, plan, false, err);
	while (!code && is_worth_another_try(plan) && volume_pause(run, plan, &pauses))
		code = make_missing(run, plan, true, err);
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
		if (plan->steps[i].made.passphrase)
			return NULL;
		if (plan->steps[i].why.code)
			last = &plan->steps[i].why;
	}
	return last;
}
