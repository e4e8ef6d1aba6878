/* SPDX-License-Identifier: MIT */
/* Making a plan and executing it: STATE first, then the other volumes. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"
#include "base/secret.h"
#include "base/sized.h"
#include "config/salt.h"
#include "declared/last_up.h"
#include "declared/measure.h"
#include "declared/heal.h"
#include "declared/plan_known.h"
#include "declared/plan_partition.h"
#include "declared/reset/ordered.h"
#include "declared/up.h"
#include "declared/verified.h"
#include "declared/wait.h"
#include "declared/wave.h"

static bool state_is_wanted(const struct mortise_plan *plan,
			    const struct mortise_up_options *options)
{
	return plan->count && volume_is_state(plan->volumes[0]->volume) && !options->no_mount;
}

static enum mortise_code wait_for_devices(struct mortise_plan *plan,
					  const struct mortise_up_options *options,
					  struct mortise_error *err)
{
	if (plan->waited)
		return MORTISE_OK;
	plan->waited = true;
	return volume_wait_for_devices(plan->config->volumes, options, err);
}

/* The state that the threads of one run share. */
struct shared {
	struct volume_run *run;
	struct mortise_plan *plan;
	struct mortise_report *report; /* entry i is for volume i of the plan */
};

static enum mortise_code plan_volume(void *context, size_t i, struct mortise_error *err)
{
	const struct shared *shared = context;

	return volume_plan_make(shared->run, shared->plan->volumes[i], err);
}

enum mortise_code mortise_plan_make(const struct mortise_config *config,
				    const struct mortise_up_options *options,
				    struct mortise_plan **out, struct mortise_error *err)
{
	struct mortise_plan *plan = NULL;
	struct volume_run run;
	struct shared shared = { .run = &run };
	struct mortise_up_options wanted;
	enum mortise_code code;

	*out = NULL;
	code = volume_plans_begin(config, options, &wanted, &plan, err);
	if (code)
		return code;
	code = wait_for_devices(plan, &wanted, err);
	if (code)
		goto free_plan;
	shared.plan = plan;
	code = volume_run_init(&run, config, &wanted, err);
	if (code)
		goto clear_run;
	run.state_may_come = state_is_wanted(plan, &wanted);
	volume_known_begin(&run);
	code = partition_layout_make(&run, plan, err);
	run.layout = plan->layout;
	if (!code)
		code = volume_wave(plan, 0, plan_volume, &shared, err);
	if (!code)
		code = volume_notes_make(&run, plan, err);
clear_run:
	/* The plan outlives the run. */
	for (size_t i = 0; i < plan->count; i++)
		volume_plan_attach(plan->volumes[i], NULL);
	volume_run_clear(&run);
free_plan:
	if (code)
		mortise_plan_free(&plan);
	*out = plan;
	return code;
}

/* Creates the salt that other volumes are locked to, once STATE is ready. */
static void ensure_salt(const struct volume_run *run, const struct volume_plan *plan,
			struct volume_result *result)
{
	uint8_t salt[CONFIG_SALT_SIZE];
	struct mortise_error why;

	if (!volume_is_state(plan->volume) || !*plan->mount_point ||
	    result->phase != MORTISE_PHASE_READY)
		return;
	if (config_salt_ensure(run->options->root, plan->mount_point, salt, &why)) {
		result->phase = MORTISE_PHASE_FAILED;
		result->why = why;
	}
	secret_wipe(salt, sizeof(salt));
}

/* Decides on the steps, unless that is done already, and makes the keys. Writes nothing. */
static enum mortise_code prepare_volume(struct volume_run *run, struct volume_plan *plan,
					struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	if (!plan->planned)
		code = volume_plan_make(run, plan, err);
	else if (volume_known_review(run, plan) || plan->waits)
		code = volume_plan_second_stage(run, plan, err);
	if (!code)
		code = volume_make_keys(run, plan, err);
	/* Only now that its keys are made is it certain that STATE would open at the next boot. */
	if (!code && run->store && volume_is_state(plan->volume)) {
		code = volume_plan_check_apply(plan, false, err);
		run->refused = code;
	}
	return code;
}

static enum mortise_code bring_up_volume(void *context, size_t i, struct mortise_error *err)
{
	const struct shared *shared = context;
	struct volume_run *run = shared->run;
	struct volume_plan *plan = shared->plan->volumes[i];
	struct volume_result result;
	enum mortise_code code = prepare_volume(run, plan, err);

	if (!code) {
		volume_carry_out(run, plan, &result);
		if (volume_is_state(plan->volume) && result.phase == MORTISE_PHASE_READY)
			code = volume_measure_state(run, plan, err);
		ensure_salt(run, plan, &result);
		volume_known_record(run, plan, &result);
		volume_memory_note(run, plan, &result);
		volume_verified_keep(run, plan, &result);
		if (result.phase == MORTISE_PHASE_READY)
			volume_opening_store(plan->volume, &result.opening);
		volume_report_set(&shared->report->entries[i], plan, &result);
		if (result.why.code == MORTISE_E_CANCELED)
			code = events_cancel_error(err);
	}
	volume_run_set_unfinished(run, plan->volume, false);
	if (run->keep_keys)
		volume_plan_attach(plan, NULL);
	else
		volume_plan_wipe(plan);
	return code;
}

/* MORTISE_E_WAIT: a volume is not ready. */
static enum mortise_code check_ready(const struct mortise_report *report, struct mortise_error *err)
{
	size_t ready = 0;
	const char *first = NULL;

	for (size_t i = 0; i < report->count; i++) {
		ready += report->entries[i].phase == MORTISE_PHASE_READY;
		if (report->entries[i].phase != MORTISE_PHASE_READY && !first)
			first = report->entries[i].volume->name;
	}
	if (!first)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_WAIT, 0, "%zu of %zu volumes are ready; %s is not", ready,
			 report->count, first);
}

/* If the configuration could not be stored, the run ends: it creates no volume for it. */
static enum mortise_code check_stored(const struct volume_run *run,
				      const struct volume_entry *state, struct mortise_error *err)
{
	if (state->phase != MORTISE_PHASE_READY)
		return error_set(err, MORTISE_E_WAIT, 0,
				 "nothing was stored, and no other volume was changed, because "
				 "STATE is not ready");
	if (!run->not_stored.code)
		return MORTISE_OK;
	return error_set(err, run->not_stored.code, run->not_stored.sys_errno,
			 "the configuration was not stored: %.400s", run->not_stored.text);
}

static enum mortise_code bring_up_all(const struct shared *shared, struct mortise_error *err)
{
	struct volume_run *run = shared->run;
	struct shared all = *shared;
	const bool state_first = all.plan->count && volume_is_state(all.plan->volumes[0]->volume);
	struct volume_measured before;
	enum mortise_code code;

	run->state_may_come = state_is_wanted(all.plan, run->options);
	volume_known_begin(run);
	code = volume_plans_refresh(run, all.plan, err);
	if (code)
		return code;
	/* Before the first write. */
	if (run->store) {
		code = volume_plans_check_apply(all.plan, false, err);
		run->refused = code;
		if (code)
			return code;
	}
	if (state_first) {
		volume_measured_read(&before);
		code = bring_up_volume(&all, 0, err);
		if (code)
			return code;
		volume_measure_plan_again(all.plan, &before);
	}
	if (state_first && run->store) {
		code = check_stored(run, &all.report->entries[0], err);
		if (code)
			return code;
		volume_memory_set_facts(run, false);
	}
	/* If STATE is not mounted now, this run does not mount it: other keys must do. */
	run->state_may_come = false;
	volume_known_begin(run);
	reset_do_undeclared(run);
	if (all.plan->count > state_first)
		code = volume_measure_no_state(run, err);
	return code ? code : volume_wave(all.plan, state_first, bring_up_volume, &all, err);
}

static enum mortise_code execute_plan(const struct volume_up *up, struct mortise_plan *plan,
				      struct mortise_report **report, struct mortise_error *err)
{
	struct volume_run run;
	struct shared shared = { .run = &run, .plan = plan };
	enum mortise_code code;

	code = volume_run_init(&run, up->config, up->options, err);
	if (code)
		goto out;
	if (*run.meta_notice)
		volume_run_notify(&run, "META", run.meta_notice);
	run.store = up->store;
	/* Only apply creates partitions. */
	run.layout = up->store ? plan->layout : NULL;
	run.keep_keys = up->keep_keys;
	code = volume_report_new(run.config, report, err);
	if (code)
		goto out;
	for (size_t i = 0; i < plan->count; i++) {
		volume_report_add(*report, plan->volumes[i]->volume);
		volume_run_set_unfinished(&run, plan->volumes[i]->volume, true);
	}
	shared.report = *report;
	code = bring_up_all(&shared, err);
	volume_memory_store(&run);
	if (!code)
		code = check_ready(*report, err);
	if (!code)
		code = volume_extend_pcr(up->options, err);
out:
	for (size_t i = 0; i < plan->count; i++) {
		volume_plan_attach(plan->volumes[i], NULL);
		if (!up->keep_keys)
			volume_plan_wipe(plan->volumes[i]);
	}
	volume_run_clear(&run);
	if (run.refused)
		mortise_report_free(report);
	return code;
}

enum mortise_code volume_plan_check_use(const struct mortise_plan *plan,
					const struct mortise_config *config,
					struct mortise_error *err)
{
	if (plan->config == config && !plan->executed)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_USAGE, 0, "the plan was %s",
			 plan->executed ? "executed before" : "made from another configuration");
}

/* Under the lock of a run, no other one opens or closes them. False: none is left. */
static bool drop_closed(struct mortise_plan *plan)
{
	struct mortise_error ignored;
	size_t count = 0;

	for (size_t i = 0; i < plan->count; i++)
		if (mortise_is_active(plan->volumes[i]->mapping, &ignored))
			volume_plan_free(plan->volumes[i]);
		else
			plan->volumes[count++] = plan->volumes[i];
	plan->count = count;
	return count;
}

enum mortise_code volume_up(const struct volume_up *up, struct mortise_plan *plan,
			    struct mortise_report **report, struct mortise_error *err)
{
	int lock = -1;
	enum mortise_code code;

	*report = NULL;
	code = volume_plan_check_use(plan, up->config, err);
	if (code)
		return code;
	code = volume_check_extension(up->options, err);
	if (code)
		return code;
	code = volume_check_names(up->config, up->options, err);
	if (code)
		return code;
	code = wait_for_devices(plan, up->options, err);
	if (code)
		return code;
	code = volume_run_lock(up->options->events, &lock, err);
	if (code)
		return code;
	if (up->active_only && !drop_closed(plan)) {
		close(lock);
		return MORTISE_OK;
	}
	volume_heal_tables(up->options->events);
	plan->executed = true;
	/* apply has shown a plan of the volumes as they are. */
	if (!up->store)
		reset_do_meta(up->options);
	code = execute_plan(up, plan, report, err);
	volume_last_up_store(*report);
	close(lock);
	return code;
}

enum mortise_code mortise_up(const struct mortise_config *config,
			     const struct mortise_up_options *options, struct mortise_plan *plan,
			     struct mortise_report **report, struct mortise_error *err)
{
	struct mortise_up_options wanted;
	const struct volume_up up = { .config = config, .options = &wanted };
	struct mortise_plan *made = NULL;
	enum mortise_code code;

	*report = NULL;
	code = volume_options_copy(&wanted, options, err);
	if (code)
		return code;
	/* Only a plan tries keys: here they are sealed once, to be used. */
	wanted.try_keys = wanted.provision = false;
	if (plan)
		return volume_up(&up, plan, report, err);
	code = volume_check_names(config, &wanted, err);
	if (code)
		return code;
	code = volume_plans_new(config, &wanted, &made, err);
	if (code)
		return code;
	code = volume_up(&up, made, report, err);
	mortise_plan_free(&made);
	return code;
}
