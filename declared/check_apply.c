/* SPDX-License-Identifier: MIT */
/* What keeps a configuration from being stored: a volume would lose its keys, or STATE not open. */
#include "base/error.h"
#include "declared/declared.h"

/* Will a declared key open STATE once the plan is executed, or with staged, as STATE is now? */
static bool opens_state(const struct volume_plan *plan, bool staged)
{
	if (!plan->volume->encrypted || plan->proven || (!staged && plan->recovered))
		return true;
	for (size_t i = 0; !staged && i < plan->step_count; i++)
		if (plan->steps[i].kind == MORTISE_STEP_KEY_ADD && !plan->steps[i].why.code)
			return true;
	return false;
}

/* Why a volume keeps the configuration from being stored; NULL when it does not. */
static const char *obstacle(const struct volume_plan *plan, bool staged)
{
	const struct mortise_error *lack = volume_format_lacks_key(plan);
	bool state = volume_is_state(plan->volume);

	if (state && lack)
		return lack->text;
	for (size_t i = 0; i < plan->step_count; i++) {
		enum mortise_step_kind kind = plan->steps[i].kind;

		/* Without STATE nothing can be stored now or read at the next boot. */
		if (state && (kind == MORTISE_STEP_REFUSE || kind == MORTISE_STEP_FAIL ||
			      kind == MORTISE_STEP_WAIT))
			return plan->steps[i].text;
		/* To be reset before the next boot. */
		if (staged)
			continue;
		if (kind == MORTISE_STEP_REFUSE || (kind == MORTISE_STEP_FAIL && plan->no_key))
			return plan->steps[i].text;
	}
	if (state && staged && plan->step_count && plan->steps[0].kind == MORTISE_STEP_FORMAT)
		return "it is empty, and --staged needs an existing STATE";
	if (state && !opens_state(plan, staged))
		return "no declared key is known to open it";
	return NULL;
}

enum mortise_code volume_plan_check_apply(const struct volume_plan *plan, bool staged,
					  struct mortise_error *err)
{
	const char *why = obstacle(plan, staged);

	if (!why)
		return MORTISE_OK;
	if (volume_is_state(plan->volume) || plan->no_key)
		return error_set(err, MORTISE_E_NOT_EMPTY, 0,
				 "nothing was stored, because %s would not come up: %.350s",
				 plan->volume->name, why);
	return error_set(err, MORTISE_E_NOT_EMPTY, 0,
			 "nothing was stored: %s: %.300s; --staged stores it for a boot after the "
			 "reset",
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
