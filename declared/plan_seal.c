/* SPDX-License-Identifier: MIT */
/* Checking the seal of a volume whose key is known, before anything of its header is believed. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "declared/plan_known.h"
#include "declared/plan_reencrypt.h"
#include "declared/plan_seal.h"

/* Whether a run may seal a header that does not carry the seal of its volume. */
enum adoption {
	ADOPTION_ALLOWED,
	ADOPTION_AFTER_MOUNT, /* STATE: if it holds no list of known volumes */
	ADOPTION_WAITS,	      /* until STATE is mounted */
	ADOPTION_REFUSED,
};

/*
 * The first run of this version on a machine adopts the volumes of the machine. From then on STATE
 * holds a list of them, and a header without a seal is an operator's decision.
 */
static enum adoption decide_adoption(struct volume_run *run, const struct volume_plan *plan)
{
	if (run->options->adopt)
		return ADOPTION_ALLOWED;
	if (run->trust->headers_sealed)
		return ADOPTION_REFUSED;
	switch (run->known.state) {
	case KNOWN_UNUSED:
		/* STATE, opened as META describes it. */
		return run->open_only ? ADOPTION_AFTER_MOUNT : ADOPTION_ALLOWED;
	case KNOWN_LATER:
	case KNOWN_MISSING:
		return volume_is_state(plan->volume) ? ADOPTION_AFTER_MOUNT : ADOPTION_WAITS;
	case KNOWN_DAMAGED:
		break;
	case KNOWN_LISTED:
		return volume_known_is_expected(&run->known.list, plan->volume->id)
			       ? ADOPTION_ALLOWED
			       : ADOPTION_REFUSED;
	}
	return ADOPTION_REFUSED;
}

/* fault: why the header is not trusted, in a few words. */
static enum mortise_code add_seal_step(struct volume_plan *plan, const char *fault,
				       struct mortise_error *err)
{
	struct volume_step *step;

	/* Nothing proves that the data before is the volume's. */
	if (volume_in_reencryption(plan))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1,
				       "cannot trust the header of %s: %s, and a reencryption is "
				       "unfinished; to finish it, run `mortise reencrypt`",
				       plan->device, fault);
	plan->adopted = true;
	step = volume_plan_add(plan, MORTISE_STEP_SEAL, -1,
			       "accept the header of %s (%s), and seal it for %s", plan->device,
			       fault, plan->volume->id);
	if (!step)
		return error_memory(err);
	snprintf(step->notice, sizeof(step->notice),
		 "the header of %.100s (%.150s) was accepted and sealed", plan->device, fault);
	return MORTISE_OK;
}

static enum mortise_code refuse(struct volume_run *run, struct volume_plan *plan, const char *fault,
				struct mortise_error *err)
{
	if (run->options->adopt)
		return add_seal_step(plan, fault, err);
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1,
			       "cannot trust the header of %s: %s; to accept it, run `mortise "
			       "apply` or `mortise seal --volume %s %s`",
			       plan->device, fault, plan->volume->id, plan->device);
}

static enum mortise_code adopt(struct volume_run *run, struct volume_plan *plan, const char *fault,
			       struct mortise_error *err)
{
	switch (decide_adoption(run, plan)) {
	case ADOPTION_ALLOWED:
		return add_seal_step(plan, fault, err);
	case ADOPTION_AFTER_MOUNT:
		plan->unsealed_state = true;
		return MORTISE_OK;
	case ADOPTION_WAITS:
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_WAIT, -1,
				       "cannot trust the header of %s yet: %s, and STATE, which "
				       "lists the volumes of this machine, is not mounted",
				       plan->device, fault);
	case ADOPTION_REFUSED:
		break;
	}
	return refuse(run, plan, fault, err);
}

/* Only mortise_apply, which knows all volumes, replaces what the TPM remembers. */
static enum mortise_code check_memory(struct volume_run *run, struct volume_plan *plan,
				      const struct mortise_seal_info *seal,
				      struct mortise_error *err)
{
	char fault[320];

	volume_memory_check(run, plan, seal, fault, sizeof(fault));
	if (!*fault)
		return MORTISE_OK;
	if (run->options->adopt)
		return add_seal_step(plan, fault, err);
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1,
			       "cannot trust the header of %s: %s; to accept it, run `mortise "
			       "apply` or `mortise up --adopt`",
			       plan->device, fault);
}

enum mortise_code volume_plan_check_seal(struct volume_run *run, struct volume_plan *plan,
					 struct mortise_error *err)
{
	struct mortise_seal_info seal = { .struct_size = sizeof(seal) };
	struct mortise_error failure;
	char fault[320];

	plan->adopted = false;
	plan->marks_unproven = false;
	plan->unsealed_state = false;
	if (mortise_seal_check(plan->header, &seal, &failure))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", failure.text);
	switch (seal.state) {
	case MORTISE_SEAL_VALID:
		if (!strcmp(seal.volume, plan->volume->id))
			return check_memory(run, plan, &seal, err);
		if (!*seal.volume)
			return adopt(run, plan, "sealed for no volume", err);
		snprintf(fault, sizeof(fault), "sealed for volume %s", seal.volume);
		return refuse(run, plan, fault, err);
	case MORTISE_SEAL_NONE:
		return adopt(run, plan, "no seal", err);
	case MORTISE_SEAL_UNVERIFIED:
	case MORTISE_SEAL_BROKEN:
		break;
	}
	plan->marks_unproven = true;
	snprintf(fault, sizeof(fault), "%s changed after it was sealed",
		 *seal.changed ? seal.changed : "something");
	return refuse(run, plan, fault, err);
}

enum mortise_code volume_plan_adopt_state(struct volume_plan *plan, struct mortise_error *err)
{
	return add_seal_step(plan, "no seal", err);
}

/* Was the STATE mounted at dir sealed before? Its list, if it has one, says so. */
static bool was_sealed(const char *root, const char *dir)
{
	struct mortise_error ignored;
	struct known_list list;
	bool sealed = true;

	known_list_init(&list);
	if (!known_load(&list, root, dir, &ignored))
		sealed = !list.is_new && !volume_known_is_expected(&list, CONFIG_STATE);
	known_list_clear(&list);
	return sealed;
}

enum mortise_code volume_check_unsealed_state(const struct volume_plan *plan, const char *root,
					      struct mortise_error *err)
{
	if (!plan->unsealed_state || !was_sealed(root, plan->mount_point))
		return MORTISE_OK;
	return error_set(err, MORTISE_E_POLICY, 0,
			 "cannot trust the header of %s: no seal, although STATE lists the volumes "
			 "of this machine and was therefore sealed before; to accept it, run "
			 "`mortise apply` or `mortise seal --volume %s %s`",
			 plan->device, plan->volume->id, plan->device);
}
