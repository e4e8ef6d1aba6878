/* SPDX-License-Identifier: MIT */
/* Unlocking one volume with any of its declared keys, to change its keyslots by hand. */
#include <string.h>

#include "base/error.h"
#include "declared/declared.h"
#include "declared/plan_known.h"
#include "declared/steps.h"

/* A header that a run would refuse, or would have to accept first, is not changed. */
static enum mortise_code check_unlocked(const struct volume_plan *plan, struct mortise_error *err)
{
	for (size_t i = 0; i < plan->step_count; i++) {
		const struct volume_step *step = &plan->steps[i];

		if (step->kind == MORTISE_STEP_FORMAT)
			return error_set(err, MORTISE_E_DEVICE, 0,
					 "%s is not formatted yet; run `mortise apply`",
					 plan->device);
		if (step->kind == MORTISE_STEP_WAIT || step->kind == MORTISE_STEP_REFUSE ||
		    step->kind == MORTISE_STEP_FAIL)
			return error_set(err, MORTISE_E_KEY, 0, "%s", step->text);
	}
	if (!plan->volume->encrypted)
		return error_set(err, MORTISE_E_USAGE, 0, "volume %s is not encrypted",
				 plan->volume->name);
	if (!volume_plan_key(plan))
		return error_set(
			err, MORTISE_E_KEY, 0,
			"no declared key opens %s now, while it is open: its TPM or KMS gives "
			"no key; make the recovery key at a boot, with `mortise up "
			"--recovery-dir`",
			plan->device);
	if (plan->adopted || plan->unsealed_state)
		return error_set(err, MORTISE_E_POLICY, 0,
				 "the header of %s is not sealed yet; run `mortise apply` first",
				 plan->device);
	return MORTISE_OK;
}

/* The first declared keyslot of a recovery key, or MORTISE_ANY. */
static int find_recovery_slot(const struct config_volume *volume)
{
	for (int id = 0; id < (int)MORTISE_KEYSLOTS_MAX; id++)
		if (volume->recovery_slots & UINT32_C(1) << id)
			return id;
	return MORTISE_ANY;
}

enum mortise_code volume_unlock(struct volume_run *run, struct volume_plan *plan,
				struct mortise_error *err)
{
	enum mortise_code code;

	run->unlock = true;
	volume_known_begin(run);
	code = volume_plan_make(run, plan, err);
	if (!code)
		code = check_unlocked(plan, err);
	return code ? code : volume_reload_header(plan, err);
}

enum mortise_code mortise_volume_unlock(const struct mortise_config *config,
					const struct mortise_up_options *options,
					struct mortise_luks2 **header, int *recovery_keyslot,
					struct mortise_error *err)
{
	struct mortise_up_options wanted;
	struct mortise_plan *plan = NULL;
	struct volume_run run;
	enum mortise_code code;

	*header = NULL;
	code = volume_plans_begin(config, options, &wanted, &plan, err);
	if (code)
		return code;
	if (wanted.name_count != 1 || plan->count != 1) {
		code = error_set(err, MORTISE_E_USAGE, 0, "one volume must be named");
		goto out;
	}
	code = volume_run_init(&run, config, &wanted, err);
	if (!code)
		code = volume_unlock(&run, plan->volumes[0], err);
	volume_plan_attach(plan->volumes[0], NULL);
	volume_run_clear(&run);
	if (code)
		goto out;
	*header = plan->volumes[0]->header;
	plan->volumes[0]->header = NULL;
	if (recovery_keyslot)
		*recovery_keyslot = find_recovery_slot(plan->volumes[0]->volume);
out:
	mortise_plan_free(&plan);
	return code;
}
