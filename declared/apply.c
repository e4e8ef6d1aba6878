/* SPDX-License-Identifier: MIT */
/* Giving a machine its configuration, unless something would be lost. */
#include <unistd.h>

#include "base/error.h"
#include "declared/meta_state.h"
#include "declared/state_store.h"
#include "declared/up.h"

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

/* Under the lock: another run may have changed STATE's keyslots since the plan was made. */
static enum mortise_code check_state_again(const struct volume_up *up, struct mortise_plan *plan,
					   struct mortise_error *err)
{
	struct volume_plan *state = plan->volumes[0];
	struct volume_run run;
	const char *what;
	enum mortise_code code = volume_run_init(&run, up->config, up->options, err);

	run.state_may_come = true;
	volume_plan_attach(state, &run);
	/* This run may have opened STATE itself, so a change is not reported. */
	if (!code && !volume_plan_is_current(&run, state, &what))
		code = volume_plan_make(&run, state, err);
	if (!code)
		code = volume_plan_check_apply(state, true, err);
	volume_plan_attach(state, NULL);
	volume_run_clear(&run);
	return code;
}

/* For the next boot: STATE is opened with the keys that META has now, and no volume is changed. */
static enum mortise_code stage(const struct volume_up *up, struct mortise_plan *plan,
			       struct mortise_error *err)
{
	struct mortise_config *before = NULL;
	struct mortise_plan *opened = NULL;
	char dir[VOLUME_PATH_MAX];
	struct mortise_error why = { 0 };
	int lock = -1;
	enum mortise_code code;

	volume_state_dir(up->options, dir);
	if (!*dir) {
		/* STATE may hold no configuration yet. That it is open is what counts. */
		code = mortise_config_stored(up->options, &before, &opened, &why);
		mortise_plan_free(&opened);
		mortise_config_free(&before);
		volume_state_dir(up->options, dir);
		if (!*dir && code == MORTISE_E_CANCELED)
			return error_set(err, code, 0, "%s", why.text);
		if (!*dir)
			return error_set(err, code ? code : MORTISE_E_WAIT, 0,
					 "nothing was stored: %.300s (--staged needs an existing "
					 "STATE)",
					 why.text);
	}
	code = volume_run_lock(up->options->events, &lock, err);
	if (!code)
		code = check_state_again(up, plan, err);
	if (!code)
		code = volume_store(up->config, up->options, dir, err);
	if (lock >= 0)
		close(lock);
	return code;
}

enum mortise_code mortise_apply(const struct mortise_config *config,
				const struct mortise_up_options *options, bool staged,
				struct mortise_plan *plan, struct mortise_report **report,
				struct mortise_error *err)
{
	struct mortise_up_options wanted;
	const struct volume_up up = { .config = config, .options = &wanted, .store = true };
	struct mortise_plan *made = NULL;
	enum mortise_code code;

	*report = NULL;
	code = volume_options_copy(&wanted, options, err);
	if (!code)
		code = check_places(config, &wanted, err);
	if (!code && !plan)
		code = mortise_plan_make(config, &wanted, &made, err);
	plan = plan ? plan : made;
	if (!code)
		code = volume_plans_check_apply(plan, staged, err);
	if (!code)
		code = staged ? stage(&up, plan, err) : volume_up(&up, plan, report, err);
	mortise_plan_free(&made);
	return code;
}
