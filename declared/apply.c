/* SPDX-License-Identifier: MIT */
/* Giving a machine its configuration: what would lose something is not stored. */
#include <unistd.h>

#include "base/error.h"
#include "declared/meta_state.h"
#include "declared/up.h"

/* Will a declared key open STATE once the plan is carried out, or now when it is not? */
static bool opens_state(const struct volume_plan *plan, bool staged)
{
	if (!plan->volume->encrypted || plan->proven || (!staged && plan->recovered))
		return true;
	for (size_t i = 0; !staged && i < plan->step_count; i++)
		if (plan->steps[i].kind == MORTISE_STEP_KEY_ADD)
			return true;
	return false;
}

/* Why a volume keeps the configuration from being stored; NULL when it does not. */
static const char *obstacle(const struct volume_plan *plan, bool staged)
{
	bool state = volume_is_state(plan->volume);

	for (size_t i = 0; i < plan->step_count; i++) {
		enum mortise_step_kind kind = plan->steps[i].kind;

		/* Without STATE nothing can be stored, nor be read at the next boot. */
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
		return "it is empty, and --staged needs a STATE that is there already";
	if (state && !opens_state(plan, staged))
		return "none of its declared keys is known to open it";
	return NULL;
}

static enum mortise_code check_plan(const struct mortise_plan *plan, bool staged,
				    struct mortise_error *err)
{
	for (size_t i = 0; i < plan->count; i++) {
		const struct volume_plan *of = plan->volumes[i];
		const char *why = obstacle(of, staged);

		if (why && (volume_is_state(of->volume) || of->no_key))
			return error_set(err, MORTISE_E_NOT_EMPTY, 0,
					 "nothing was stored, since %s would not come up: %.350s",
					 of->volume->name, why);
		if (why)
			return error_set(err, MORTISE_E_NOT_EMPTY, 0,
					 "nothing was stored: %s: %.300s; --staged stores it for a "
					 "boot after the reset",
					 of->volume->name, why);
	}
	return MORTISE_OK;
}

static const struct config_volume *state_of(const struct config *config)
{
	for (size_t i = 0; i < config->volume_count; i++)
		if (volume_is_state(&config->volumes[i]))
			return &config->volumes[i];
	return NULL;
}

/* Can what is stored be found again at the next boot? */
static enum mortise_code check_places(const struct mortise_config *config,
				      const struct mortise_up_options *options,
				      struct mortise_error *err)
{
	const struct config_volume *state;
	bool meta;
	enum mortise_code code;

	if (!config->volumes || !config->text)
		return error_set(err, MORTISE_E_CONFIG, 0, "there is no configuration to apply");
	state = state_of(config->volumes);
	if (!state || options->no_mount || options->name_count)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "a configuration is applied as a whole, into a mounted STATE");
	code = volume_meta_check(options, &meta, err);
	if (!code && !meta && state->encrypted)
		code = error_set(
			err, MORTISE_E_DEVICE, 0,
			"STATE is to be encrypted, and no partition is labelled \"META\" on "
			"its disk: nothing would say at the next boot what opens it; make "
			"one of 1 MiB, or use --device META=/dev/X");
	return code;
}

static enum mortise_code check_state_again(const struct volume_up *up, struct mortise_error *err)
{
	static const char *const names[] = { "STATE" };
	struct mortise_up_options of_state = *up->options;
	struct mortise_plan *plan = NULL;
	enum mortise_code code;

	of_state.names = names;
	of_state.name_count = 1;
	code = mortise_plan_make(up->config, &of_state, &plan, err);
	if (!code)
		code = check_plan(plan, true, err);
	mortise_plan_free(&plan);
	return code;
}

/* For the next boot: STATE is opened with the keys that it has now, and no volume is changed. */
static enum mortise_code stage(const struct volume_up *up, struct mortise_error *err)
{
	struct mortise_config *before = NULL;
	char dir[VOLUME_PATH_MAX];
	struct mortise_error why = { 0 };
	int lock = -1;
	enum mortise_code code;

	volume_state_dir(up->options, dir);
	if (!*dir) {
		/* STATE may hold no configuration yet. It is open then, which is what counts. */
		code = mortise_config_stored(up->options, true, up->watch, &before, &why);
		mortise_config_free(&before);
		volume_state_dir(up->options, dir);
		if (!*dir)
			return error_set(
				err, code ? code : MORTISE_E_WAIT, 0,
				"nothing was stored: %.300s (--staged needs a STATE that is "
				"there already)",
				why.text);
	}
	code = volume_run_lock(&lock, err);
	/* Another run may have changed STATE's keyslots since the plan was made. */
	if (!code)
		code = check_state_again(up, err);
	if (!code)
		code = volume_store(up->config, up->options, dir, err);
	if (lock >= 0)
		close(lock);
	return code;
}

enum mortise_code mortise_apply(const struct mortise_config *config,
				const struct mortise_up_options *options, bool staged,
				const struct mortise_watch *watch, struct mortise_report **report,
				struct mortise_error *err)
{
	struct mortise_up_options planned = *options;
	struct mortise_plan *plan = NULL;
	const struct volume_up up = {
		.config = config,
		.options = &planned,
		.watch = watch,
		.store = true,
	};
	enum mortise_code code;

	*report = NULL;
	code = check_places(config, options, err);
	if (!code && !planned.plan) {
		code = mortise_plan_make(config, options, &plan, err);
		planned.plan = plan;
	}
	if (!code)
		code = check_plan(planned.plan, staged, err);
	if (!code)
		code = staged ? stage(&up, err) : volume_up(&up, report, err);
	mortise_plan_free(&plan);
	return code;
}
