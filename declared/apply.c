/* SPDX-License-Identifier: MIT */
/* Storing a machine's configuration, unless a volume would be lost with it. */
#include <unistd.h>

#include "base/error.h"
#include "declared/locate.h"
#include "declared/meta_state.h"
#include "declared/plan_partition.h"
#include "declared/state_store.h"
#include "declared/up.h"

/* The plan may have been made with names or no_mount, which apply does not allow. */
static enum mortise_code check_plan(const struct mortise_plan *plan,
				    const struct mortise_config *config, struct mortise_error *err)
{
	enum mortise_code code = volume_plan_check_use(plan, config, err);
	const struct volume_plan *state = plan->volumes[0];

	if (code)
		return code;
	if (plan->count != config->volumes->volume_count ||
	    (state->planned && !*state->mount_point))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "the plan does not include all volumes and a mounted STATE");
	return MORTISE_OK;
}

static enum mortise_code check_config(const struct mortise_config *config,
				      const struct mortise_up_options *options,
				      struct mortise_error *err)
{
	if (!config->volumes || !config->text)
		return error_set(err, MORTISE_E_CONFIG, 0,
				 "cannot apply a configuration that has errors or is from META");
	if (volume_find_state(config->volumes) && !options->no_mount && !options->name_count)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_USAGE, 0,
			 "cannot store the configuration: it must declare STATE, which must "
			 "be mounted, and be applied to all volumes");
}

/* Checks that the next boot can find the configuration. */
static enum mortise_code check_places(const struct mortise_plan *plan,
				      const struct mortise_up_options *options,
				      struct mortise_error *err)
{
	const struct volume_plan *of_state = plan->volumes[0];
	const struct config_volume *state = of_state->volume;
	char device[VOLUME_PATH_MAX];
	struct mortise_error why;
	bool meta;
	enum mortise_code code;

	if (partition_plans_meta(plan))
		return MORTISE_OK;
	code = volume_meta_check(options, &meta, err);
	if (code)
		return code;
	if (meta || !state->encrypted)
		return MORTISE_OK;
	/* Without STATE, the disk of META is not known. */
	if (volume_locate(state, options, device, sizeof(device), &why))
		return error_set(err, MORTISE_E_DEVICE, 0,
				 "nothing was stored, because STATE would not be ready: %.400s",
				 of_state->step_count
					 ? of_state->steps[of_state->step_count - 1].text
					 : why.text);
	if (of_state->failed)
		return volume_plan_check_apply(of_state, false, err);
	return error_set(err, MORTISE_E_DEVICE, 0,
			 "cannot encrypt STATE: no partition on its disk is labeled "
			 "\"META\", where the next boot would find the keys of STATE; create "
			 "one of 1 MiB, or use --device META=/dev/X");
}

/* Another run may have changed STATE's keyslots before this run took the lock. */
static enum mortise_code check_state_again(const struct volume_up *up, struct mortise_plan *plan,
					   struct mortise_error *err)
{
	struct volume_plan *state = plan->volumes[0];
	struct volume_run run;
	const char *what;
	enum mortise_code code;

	code = volume_run_init(&run, up->config, up->options, err);
	if (code)
		goto out;
	run.state_may_come = true;
	volume_plan_attach(state, &run);
	/* The change is not reported, because this command itself may have opened STATE. */
	if (!volume_plan_is_current(&run, state, &what))
		code = volume_plan_make(&run, state, err);
	if (!code)
		code = volume_plan_check_apply(state, true, err);
out:
	volume_plan_attach(state, NULL);
	volume_run_clear(&run);
	return code;
}

static bool find_mounted_state(const struct mortise_up_options *options,
			       char dir[static VOLUME_PATH_MAX])
{
	volume_state_dir(options, dir);
	return *dir;
}

/* Opens STATE, unless it is open, with the keys that are in META now. */
static enum mortise_code open_state(const struct mortise_up_options *options,
				    char dir[static VOLUME_PATH_MAX], struct mortise_error *err)
{
	struct mortise_config *before = NULL;
	struct mortise_plan *opened = NULL;
	struct mortise_error why = { 0 };
	enum mortise_code code;

	if (find_mounted_state(options, dir))
		return MORTISE_OK;
	/* A failure does not matter if STATE is open then: it may hold no configuration yet. */
	code = mortise_config_stored(options, &before, &opened, &why);
	mortise_plan_free(&opened);
	mortise_config_free(&before);
	if (find_mounted_state(options, dir))
		return MORTISE_OK;
	if (code == MORTISE_E_CANCELED)
		return error_set(err, code, 0, "%s", why.text);
	return error_set(err, code ? code : MORTISE_E_WAIT, 0,
			 "nothing was stored: %.300s (--staged needs an existing STATE)", why.text);
}

/* Lets the TPM's memory permit the next boot to open STATE with the stored configuration. */
static enum mortise_code stage_facts(const struct volume_up *up, struct mortise_error *err)
{
	struct volume_run run;
	enum mortise_code code = volume_run_init(&run, up->config, up->options, err);

	if (!code) {
		volume_memory_set_facts(&run, true);
		volume_memory_store(&run);
	}
	volume_run_clear(&run);
	return code;
}

/* Stores the configuration for the next boot, and changes no volume. */
static enum mortise_code stage_config(const struct volume_up *up, struct mortise_plan *plan,
				      struct mortise_error *err)
{
	char dir[VOLUME_PATH_MAX];
	int lock = -1;
	enum mortise_code code;

	code = open_state(up->options, dir, err);
	if (code)
		return code;
	code = volume_run_lock(up->options->events, &lock, err);
	if (code)
		return code;
	code = check_state_again(up, plan, err);
	if (!code)
		code = volume_store(up->config, up->options, dir, err);
	if (!code)
		code = stage_facts(up, err);
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
	if (code)
		return code;
	wanted.try_keys = false;
	wanted.adopt = true;
	/* The next boot creates no partition. */
	wanted.provision = !staged;
	code = check_config(config, &wanted, err);
	if (code)
		return code;
	if (!plan) {
		code = mortise_plan_make(config, &wanted, &made, err);
		if (code)
			return code;
		plan = made;
	}
	code = check_plan(plan, config, err);
	if (!code)
		code = check_places(plan, &wanted, err);
	if (code)
		goto out;
	code = volume_plans_check_apply(plan, staged, err);
	if (code)
		goto out;
	code = staged ? stage_config(&up, plan, err) : volume_up(&up, plan, report, err);
out:
	mortise_plan_free(&made);
	return code;
}
