/* SPDX-License-Identifier: MIT */
/* Bringing volumes up: STATE first, then the rest, each planned on what is there by then. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "keys/error.h"
#include "keys/secret.h"
#include "meta/salt.h"
#include "volume/declared.h"

struct mortise_plan {
	struct volume_plan **volumes;
	size_t count;
};

static bool is_state(const struct meta_volume *volume)
{
	return !strcmp(volume->id, "STATE");
}

static bool state_is_wanted(const struct meta_config *volumes,
			    const struct mortise_up_options *options)
{
	for (size_t i = 0; i < volumes->volume_count; i++)
		if (is_state(&volumes->volumes[i]))
			return volume_is_wanted(&volumes->volumes[i], options) &&
			       !options->no_mount;
	return false;
}

enum mortise_code mortise_plan_make(const struct mortise_config *config,
				    const struct mortise_up_options *options,
				    struct mortise_plan **out, struct mortise_error *err)
{
	struct mortise_plan *plan = NULL;
	struct volume_run run = { .options = options };
	enum mortise_code code = volume_check_names(config, options, err);

	if (code)
		return code;
	run.config = config->volumes;
	run.state_may_come = state_is_wanted(config->volumes, options);
	plan = calloc(1, sizeof(*plan));
	if (plan)
		plan->volumes = calloc(run.config->volume_count + 1, sizeof(*plan->volumes));
	if (!plan || !plan->volumes) {
		free(plan);
		return error_set(err, MORTISE_E_MEMORY, 0, "out of memory");
	}
	for (size_t i = 0; !code && i < run.config->volume_count; i++) {
		const struct meta_volume *volume = &run.config->volumes[i];

		if (!volume_is_wanted(volume, options))
			continue;
		code = volume_plan_make(&run, volume, &plan->volumes[plan->count], err);
		plan->count += !code;
	}
	if (code)
		mortise_plan_free(plan);
	else
		*out = plan;
	return code;
}

void mortise_plan_free(struct mortise_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->count; i++)
		volume_plan_free(plan->volumes[i]);
	free(plan->volumes);
	free(plan);
}

bool mortise_plan_step(const struct mortise_plan *plan, size_t i, struct mortise_step *step)
{
	for (size_t volume = 0; volume < plan->count; volume++) {
		if (i < plan->volumes[volume]->step_count) {
			volume_plan_show(plan->volumes[volume], i, step);
			return true;
		}
		i -= plan->volumes[volume]->step_count;
	}
	return false;
}

/* STATE is ready: the salt that others are locked to is there from now on. */
static void ensure_salt(const struct volume_plan *plan, struct volume_result *result)
{
	uint8_t salt[META_SALT_SIZE];
	struct mortise_error why;

	if (!is_state(plan->volume) || !*plan->mount_point ||
	    result->phase != MORTISE_PHASE_READY)
		return;
	if (meta_salt_ensure(plan->mount_point, salt, &why)) {
		result->phase = MORTISE_PHASE_FAILED;
		result->why = why;
	}
	keys_wipe(salt, sizeof(salt));
}

static void fill_entry(struct volume_entry *entry, const struct volume_plan *plan,
		       struct volume_result *result)
{
	entry->phase = result->phase;
	entry->keyslot = result->keyslot;
	entry->failed_syncs = result->failed_syncs;
	result->failed_syncs = NULL;
	snprintf(entry->device, sizeof(entry->device), "%s", plan->device);
	snprintf(entry->text, sizeof(entry->text), "%s", result->text);
	snprintf(entry->error, sizeof(entry->error), "%s", result->why.text);
	if (result->phase != MORTISE_PHASE_READY)
		return;
	if (plan->volume->encrypted)
		snprintf(entry->mapping, sizeof(entry->mapping), "/dev/mapper/%s", plan->mapping);
	snprintf(entry->mount_point, sizeof(entry->mount_point), "%s", plan->mount_point);
}

static enum mortise_code bring_up(struct volume_run *run, const struct meta_volume *volume,
				  const struct mortise_watch *watch, struct mortise_report *report,
				  struct mortise_error *err)
{
	struct volume_entry *entry;
	struct volume_plan *plan = NULL;
	struct volume_result result;
	enum mortise_code code = volume_plan_make(run, volume, &plan, err);

	if (code)
		return code;
	volume_carry_out(run, plan, watch, &result);
	ensure_salt(plan, &result);
	if (result.phase == MORTISE_PHASE_READY && volume->encrypted) {
		const struct volume_opening opening = {
			.keyslot = result.keyslot,
			.failed_syncs = result.failed_syncs,
		};

		volume_opening_store(volume, &opening);
	}
	entry = volume_report_add(report, volume);
	fill_entry(entry, plan, &result);
	volume_result_clear(&result);
	volume_plan_free(plan);
	return MORTISE_OK;
}

/* The first that is not ready gives the code; how many are stands in the text. */
static enum mortise_code verdict(const struct mortise_report *report, struct mortise_error *err)
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

enum mortise_code mortise_up(const struct mortise_config *config,
			     const struct mortise_up_options *options,
			     const struct mortise_watch *watch, struct mortise_report **report,
			     struct mortise_error *err)
{
	struct volume_run run = { .options = options };
	int lock = -1;
	enum mortise_code code;

	*report = NULL;
	code = volume_check_names(config, options, err);
	if (!code)
		code = volume_run_lock(&lock, err);
	if (code)
		return code;
	run.config = config->volumes;
	run.state_may_come = state_is_wanted(run.config, options);
	code = volume_report_new(run.config, report, err);
	for (size_t i = 0; !code && i < run.config->volume_count; i++) {
		const struct meta_volume *volume = &run.config->volumes[i];

		if (!volume_is_wanted(volume, options))
			continue;
		code = bring_up(&run, volume, watch, *report, err);
		/* It is there by now, or it will not come in this run: others may do without. */
		if (is_state(volume))
			run.state_may_come = false;
	}
	close(lock);
	return code ? code : verdict(*report, err);
}
