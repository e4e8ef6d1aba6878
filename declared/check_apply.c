/* SPDX-License-Identifier: MIT */
/* Checking that a configuration can be stored without losing access to a volume. */
#include "base/error.h"
#include "declared/declared.h"

/* Will a declared key open STATE after the plan is executed or, with staged, as STATE is now? */
static bool opens_state(const struct volume_plan *plan, bool staged)
{
	if (!plan->volume->encrypted || plan->proven || (!staged && plan->recovered))
		return true;
	for (size_t i = 0; !staged && i < plan->step_count; i++)
		if (plan->steps[i].kind == MORTISE_STEP_KEY_ADD && !plan->steps[i].recovery &&
		    !plan->steps[i].why.code)
			return true;
	return false;
}

/* Why the configuration must not be stored because of this volume, or NULL. */
static const char *find_obstacle(const struct volume_plan *plan, bool staged)
{
	const struct mortise_error *lack = volume_format_lacks_key(plan);
	bool state = volume_is_state(plan->volume);

	if (state && lack)
		return lack->text;
	for (size_t i = 0; i < plan->step_count; i++) {
		enum mortise_step_kind kind = plan->steps[i].kind;

		/* Without STATE, the configuration cannot be stored, nor read at the next boot. */
		if (state && (kind == MORTISE_STEP_REFUSE || kind == MORTISE_STEP_FAIL ||
			      kind == MORTISE_STEP_WAIT))
			return plan->steps[i].text;
		/* The user can reset the volume before the next boot. */
		if (staged)
			continue;
		if (kind == MORTISE_STEP_REFUSE || (kind == MORTISE_STEP_FAIL && plan->no_key))
			return plan->steps[i].text;
	}
	if (state && staged && volume_plan_formats(plan))
		return "it is empty, and --staged needs an existing STATE";
	if (state && !opens_state(plan, staged))
		return "no declared key is known to open it";
	return NULL;
}

enum mortise_code volume_plan_check_apply(const struct volume_plan *plan, bool staged,
					  struct mortise_error *err)
{
	const char *why = find_obstacle(plan, staged);

	if (!why)
		return MORTISE_OK;
	if (volume_is_state(plan->volume) || plan->no_key || !*plan->device ||
	    disk_header_is_damaged(&plan->probe))
		return error_set(err, MORTISE_E_NOT_EMPTY, 0,
				 "nothing was stored, because %s would not be ready: %.430s",
				 plan->volume->name, why);
	return error_set(err, MORTISE_E_NOT_EMPTY, 0,
			 "nothing was stored: %s: %.300s, or store the configuration with --staged "
			 "and reset the volume before the next boot",
			 plan->volume->name, why);
}

enum mortise_code volume_plans_check_apply(const struct mortise_plan *plans, bool staged,
					   struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	for (size_t i = 0; !code && i < plans->count; i++)
		code = volume_plan_check_apply(plans->volumes[i], staged, err);
	return code;
}
