/* SPDX-License-Identifier: MIT */
/* Planning the format of a volume, with its first keys. */
#include <stdio.h>

#include "base/error.h"
#include "declared/plan.h"
#include "luks2/area.h"
#include "luks2/format.h"

#define KEYSLOTS_SIZE (16256u << 10) /* bytes: in a header of 16 MiB, with copies of 64 KiB */

struct mortise_format volume_format_of(const struct config_volume *volume)
{
	struct mortise_format format = {
		.struct_size = sizeof(format),
		.cipher = volume->cipher,
		.key_size = volume->key_size,
		.sector_size = volume->block_size,
		.integrity = volume->integrity,
	};
	/* All keyslots, and one more area, because a key is replaced before it is removed. */
	const uint64_t need =
		(MORTISE_KEYSLOTS_MAX + 1) * luks2_area_room(luks2_volume_key_size(&format));

	if (need > KEYSLOTS_SIZE)
		format.keyslots_size = need;
	return format;
}

/* A format needs a key. Without one, only the steps that say why the keys are missing remain. */
static enum mortise_code drop_format(struct volume_plan *plan, const char *why,
				     struct mortise_error *err)
{
	size_t kept = 0;

	for (size_t i = 0; i < plan->step_count; i++) {
		if (plan->steps[i].kind == MORTISE_STEP_KEY_FAIL)
			plan->steps[kept++] = plan->steps[i];
		else
			volume_key_clear(&plan->steps[i].made);
	}
	plan->step_count = kept;
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
			       "not formatted: no key is available (%.350s)", why);
}

/* Adds a step for each declared key of a new volume. Stops at a key that waits for STATE. */
static enum mortise_code plan_first_keys(struct volume_run *run, struct volume_plan *plan,
					 struct mortise_error *why, size_t *available,
					 struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;
	enum mortise_code code = MORTISE_OK;

	*available = 0;
	for (size_t i = 0; !code && !plan->failed && i < volume->key_count; i++) {
		const struct config_key *key = &volume->keys[i];
		struct mortise_error reason;

		code = volume_plan_new_key(run, plan, key, NULL, &reason, err);
		if (code || !reason.code) {
			*available += !code;
			continue;
		}
		*why = reason;
		if (reason.code == MORTISE_E_WAIT && run->state_may_come)
			code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_WAIT, (int)key->slot,
					       "keyslot %u is %s", key->slot, reason.text);
		else
			code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_KEY_FAIL, (int)key->slot,
					       "keyslot %u (%s): %.400s", key->slot,
					       config_key_kind_name(key->kind), reason.text);
	}
	return code;
}

enum mortise_code volume_plan_format(struct volume_run *run, struct volume_plan *plan,
				     struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;
	enum mortise_code code;

	code = VOLUME_PLAN_ADD(
		plan, err, MORTISE_STEP_FORMAT, -1, "format %s (%s) as LUKS2, %s, %u-bit key%s%s",
		plan->device, plan->probe.content == DISK_EMPTY ? "empty" : "interrupted format",
		volume->cipher, volume->key_size * 8, volume->integrity ? ", integrity " : "",
		volume->integrity ? volume->integrity : "");
	return code ? code : volume_plan_first_keys(run, plan, err);
}

enum mortise_code volume_plan_first_keys(struct volume_run *run, struct volume_plan *plan,
					 struct mortise_error *err)
{
	struct mortise_error why = { .text = "no key is declared" };
	size_t available = 0;
	enum mortise_code code;

	code = plan_first_keys(run, plan, &why, &available, err);
	if (code || plan->failed)
		return code;
	if (!available)
		return drop_format(plan, why.text, err);
	return volume_plan_recovery(run, plan, err);
}

enum mortise_code volume_plan_try_new_keys(struct volume_run *run, struct volume_plan *plan,
					   struct mortise_error *err)
{
	const struct mortise_error *lack;
	struct mortise_error why;
	enum mortise_code code;

	code = volume_make_keys(run, plan, err);
	if (code)
		return code;
	lack = volume_format_lacks_key(plan);
	if (lack)
		why = *lack;
	for (size_t i = 0; i < plan->step_count; i++) {
		struct volume_step *step = &plan->steps[i];

		volume_key_clear(&step->made);
		if (!step->why.code)
			continue;
		step->kind = MORTISE_STEP_KEY_FAIL;
		snprintf(step->text, sizeof(step->text), "%s", step->why.text);
		step->why.code = MORTISE_OK;
	}
	return lack ? drop_format(plan, why.text, err) : MORTISE_OK;
}
