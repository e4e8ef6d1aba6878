/* SPDX-License-Identifier: MIT */
/* Bringing volumes up: STATE first, then the rest, each planned on what is there by then. */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/machine.h"
#include "base/secret.h"
#include "config/salt.h"
#include "volume/extended_pcrs.h"
#include "declared/meta_state.h"
#include "declared/up.h"
#include "declared/wait.h"

#define THREADS_MAX 16u

static bool state_is_wanted(const struct config *volumes, const struct mortise_up_options *options)
{
	for (size_t i = 0; i < volumes->volume_count; i++)
		if (volume_is_state(&volumes->volumes[i]))
			return volume_is_wanted(&volumes->volumes[i], options) &&
			       !options->no_mount;
	return false;
}

enum mortise_code mortise_plan_make(const struct mortise_config *config,
				    const struct mortise_up_options *options,
				    struct mortise_plan **out, struct mortise_error *err)
{
	struct mortise_plan *plan = NULL;
	struct volume_budget budget;
	struct volume_run run;
	enum mortise_code code = volume_check_names(config, options, err);

	if (code)
		return code;
	volume_wait_for_devices(config->volumes, options);
	plan = calloc(1, sizeof(*plan));
	if (plan)
		plan->volumes = calloc(config->volumes->volume_count + 1, sizeof(*plan->volumes));
	if (!plan || !plan->volumes) {
		free(plan);
		return error_memory(err);
	}
	code = volume_run_init(&run, config->volumes, options, &budget, err);
	run.state_may_come = state_is_wanted(config->volumes, options);
	run.open_only = !config->text;
	run.state = &config->state;
	for (size_t i = 0; !code && i < run.config->volume_count; i++) {
		const struct config_volume *volume = &run.config->volumes[i];

		if (!volume_is_wanted(volume, options))
			continue;
		code = volume_plan_make(&run, volume, &plan->volumes[plan->count], err);
		plan->count += !code;
	}
	volume_run_clear(&run);
	if (!code)
		code = volume_notes_make(config->volumes, plan, err);
	if (code)
		mortise_plan_free(&plan);
	else
		*out = plan;
	return code;
}

void mortise_plan_free(struct mortise_plan **address)
{
	struct mortise_plan *plan = address ? *address : NULL;

	if (!plan)
		return;
	*address = NULL;
	for (size_t i = 0; i < plan->count; i++)
		volume_plan_free(plan->volumes[i]);
	free(plan->volumes);
	for (size_t i = 0; i < plan->note_count; i++)
		free(plan->notes[i]);
	free(plan->notes);
	free(plan);
}

const char *mortise_plan_note(const struct mortise_plan *plan, size_t i)
{
	return i < plan->note_count ? plan->notes[i] : NULL;
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
	uint8_t salt[CONFIG_SALT_SIZE];
	struct mortise_error why;

	if (!volume_is_state(plan->volume) || !*plan->mount_point ||
	    result->phase != MORTISE_PHASE_READY)
		return;
	if (config_salt_ensure(plan->mount_point, salt, &why)) {
		result->phase = MORTISE_PHASE_FAILED;
		result->why = why;
	}
	secret_wipe(salt, sizeof(salt));
}

/* What was allocated for the result is the entry's from now on. */
static void fill_entry(struct volume_entry *entry, const struct volume_plan *plan,
		       const struct volume_result *result)
{
	entry->phase = result->phase;
	entry->opening = result->opening;
	snprintf(entry->device, sizeof(entry->device), "%s", plan->device);
	snprintf(entry->text, sizeof(entry->text), "%s", result->text);
	snprintf(entry->error, sizeof(entry->error), "%s", result->why.text);
	if (result->phase != MORTISE_PHASE_READY)
		return;
	if (plan->volume->encrypted)
		snprintf(entry->mapping, sizeof(entry->mapping), "/dev/mapper/%s", plan->mapping);
	snprintf(entry->mount_point, sizeof(entry->mount_point), "%s", plan->mount_point);
}

static enum mortise_code bring_up(struct volume_run *run, struct volume_entry *entry,
				  struct mortise_error *err)
{
	const struct config_volume *volume = entry->volume;
	struct volume_plan *plan = NULL;
	struct volume_result result;
	enum mortise_code code = volume_plan_make(run, volume, &plan, err);

	if (code) {
		volume_run_set_unfinished(run, volume, false);
		return code;
	}
	volume_carry_out(run, plan, &result);
	ensure_salt(plan, &result);
	if (run->learn && volume_is_state(volume) && result.phase == MORTISE_PHASE_READY)
		code = volume_known_set(run->learn, plan, err);
	volume_run_set_unfinished(run, volume, false);
	if (result.phase == MORTISE_PHASE_READY && volume->encrypted)
		volume_opening_store(volume, &result.opening);
	fill_entry(entry, plan, &result);
	volume_plan_free(plan);
	return code;
}

/* Volumes that wait for nobody, and the threads that take one after another. */
struct wave {
	struct volume_run *run;
	struct mortise_report *report;
	pthread_mutex_t lock; /* of what follows */
	size_t next;
	enum mortise_code code; /* the first failure that ends the run */
	struct mortise_error err;
};

static void *work(void *context)
{
	struct wave *wave = context;

	for (;;) {
		struct volume_entry *entry = NULL;
		struct mortise_error err = { 0 };
		enum mortise_code code;

		pthread_mutex_lock(&wave->lock);
		if (!wave->code && wave->next < wave->report->count)
			entry = &wave->report->entries[wave->next++];
		pthread_mutex_unlock(&wave->lock);
		if (!entry)
			return NULL;
		code = bring_up(wave->run, entry, &err);
		if (!code)
			continue;
		pthread_mutex_lock(&wave->lock);
		wave->code = code;
		wave->err = err;
		pthread_mutex_unlock(&wave->lock);
	}
}

/* Does one of them wait for somebody else's machine, and not for this one's processors? */
static bool asks_a_kms(const struct mortise_report *report)
{
	for (size_t i = 0; i < report->count; i++)
		for (size_t j = 0; j < report->entries[i].volume->key_count; j++)
			if (report->entries[i].volume->keys[j].kind == CONFIG_KEY_KMS)
				return true;
	return false;
}

/* As many at once as there are processors; memory is what the budget sees to. */
static enum mortise_code bring_up_from(struct volume_run *run, struct mortise_report *report,
				       size_t first, struct mortise_error *err)
{
	struct wave wave = { .run = run, .report = report, .next = first };
	pthread_t thread[THREADS_MAX];
	size_t cpus = machine_cpus(), wanted = report->count - first, started = 0;

	if (wanted > cpus && !asks_a_kms(report))
		wanted = cpus;
	wanted = wanted < THREADS_MAX ? wanted : THREADS_MAX;
	pthread_mutex_init(&wave.lock, NULL);
	/* This thread is one of them; those that cannot be had are done without. */
	while (started + 1 < wanted && !pthread_create(&thread[started], NULL, work, &wave))
		started++;
	work(&wave);
	while (started > 0)
		pthread_join(thread[--started], NULL);
	pthread_mutex_destroy(&wave.lock);
	if (wave.code && err)
		*err = wave.err;
	return wave.code;
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

enum mortise_code store_state_config(const struct volume_run *run, const struct volume_plan *plan,
				     struct mortise_error *err)
{
	const struct volume_up *up = run->up;

	if (!volume_is_state(plan->volume) || !up->config->text)
		return MORTISE_OK;
	return up->store ? volume_store(up->config, up->options, plan->mount_point, err)
			 : volume_meta_state_store(up->options, up->config->volumes, err);
}

/* What is to be stored was, or the run ends: no volume is made for a configuration that gets lost. */
static enum mortise_code check_stored(const struct volume_run *run,
				      const struct volume_entry *state, struct mortise_error *err)
{
	if (state->phase != MORTISE_PHASE_READY)
		return error_set(
			err, MORTISE_E_WAIT, 0,
			"nothing was stored, since STATE is not ready; no other volume was "
			"touched");
	if (!run->unsettled.code)
		return MORTISE_OK;
	return error_set(err, run->unsettled.code, run->unsettled.sys_errno,
			 "the configuration was not stored: %.400s", run->unsettled.text);
}

static enum mortise_code bring_all_up(const struct volume_up *up, struct volume_run *run,
				      struct mortise_report *report, struct mortise_error *err)
{
	bool state_first = report->count && volume_is_state(report->entries[0].volume);
	enum mortise_code code = MORTISE_OK;

	run->state_may_come = state_is_wanted(run->config, run->options);
	if (state_first)
		code = bring_up(run, &report->entries[0], err);
	if (!code && state_first && up->store)
		code = check_stored(run, &report->entries[0], err);
	/* It is there by now, or it will not come in this run: others may do without. */
	run->state_may_come = false;
	return code ? code : bring_up_from(run, report, state_first, err);
}

/*
 * Once in a boot. It is noted before it is done: sealed to what the PCR holds afterwards, a
 * key would open at no boot.
 */
static enum mortise_code close_door(const struct mortise_up_options *options,
				    struct mortise_error *err)
{
	struct mortise_error ignored;
	enum mortise_code code;

	if (!options->extend_word || (volume_extended_pcrs() & UINT32_C(1) << options->extend_pcr))
		return MORTISE_OK;
	code = volume_extended_pcr_store(options->extend_pcr, true, err);
	if (code)
		return code;
	code = mortise_tpm_extend(options->sources, options->extend_pcr, options->extend_word, err);
	if (code && volume_extended_pcr_store(options->extend_pcr, false, &ignored))
		error_prefix(err, "PCR %u is noted as extended, and was not", options->extend_pcr);
	return code;
}

static enum mortise_code run_up(const struct volume_up *up, struct volume_run *run,
				struct mortise_report **report, struct mortise_error *err)
{
	enum mortise_code code = volume_report_new(run->config, report, err);

	run->watch = up->watch;
	run->open_only = !up->config->text;
	run->state = &up->config->state;
	run->learn = up->learn;
	run->up = up;
	for (size_t i = 0; !code && i < run->config->volume_count; i++) {
		const struct config_volume *volume = &run->config->volumes[i];

		if (!volume_is_wanted(volume, up->options))
			continue;
		volume_report_add(*report, volume);
		volume_run_set_unfinished(run, volume, true);
	}
	if (!code)
		code = bring_all_up(up, run, *report, err);
	if (!code)
		code = verdict(*report, err);
	return code ? code : close_door(up->options, err);
}

enum mortise_code volume_up(const struct volume_up *up, struct mortise_report **report,
			    struct mortise_error *err)
{
	struct volume_budget budget;
	struct volume_run run;
	int lock = -1;
	enum mortise_code code;

	*report = NULL;
	if (up->options->extend_word && up->options->extend_pcr >= MORTISE_PCRS)
		return error_set(err, MORTISE_E_USAGE, 0, "there is no PCR %u",
				 up->options->extend_pcr);
	code = volume_check_names(up->config, up->options, err);
	/* Who made a plan has waited already. */
	if (!code && !up->options->plan)
		volume_wait_for_devices(up->config->volumes, up->options);
	if (!code)
		code = volume_run_lock(&lock, err);
	if (code)
		return code;
	code = volume_run_init(&run, up->config->volumes, up->options, &budget, err);
	if (!code)
		code = run_up(up, &run, report, err);
	volume_run_clear(&run);
	close(lock);
	return code;
}

enum mortise_code mortise_up(const struct mortise_config *config,
			     const struct mortise_up_options *options,
			     const struct mortise_watch *watch, struct mortise_report **report,
			     struct mortise_error *err)
{
	const struct volume_up up = { .config = config, .options = options, .watch = watch };

	return volume_up(&up, report, err);
}
