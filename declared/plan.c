/* SPDX-License-Identifier: MIT */
/* The plan as an object: its volumes, steps and keys, and the public functions that read it. */
#include "declared/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "declared/declared.h"
#include "declared/locate.h"
#include "declared/plan_partition.h"
#include "disk/swap.h"

static void clear_steps(struct volume_plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++)
		volume_key_clear(&plan->steps[i].made);
	free(plan->steps);
	plan->steps = NULL;
	plan->step_count = 0;
}

void volume_plan_forget_attempts(struct volume_plan *plan)
{
	for (size_t i = 0; plan->attempts && i < plan->volume->key_count; i++) {
		mortise_secret_free(&plan->attempts[i].passphrase);
		plan->attempts[i] = (struct key_attempt){ .requested = false };
	}
}

void volume_plan_forget_header(struct volume_plan *plan)
{
	volume_plan_forget_attempts(plan);
	mortise_luks2_free(&plan->header);
	plan->opened = -1;
	plan->opened_by_meta = false;
	plan->recovered = false;
}

void volume_plan_clear_decisions(struct volume_plan *plan)
{
	clear_steps(plan);
	plan->planned = plan->waits = plan->lacks_salt = false;
	plan->active = plan->tableless_mapping = plan->mounted = plan->has_header = false;
	plan->header_file[0] = '\0';
	plan->listed = plan->unlisted = false;
	plan->replaces[0] = '\0';
	plan->converts = plan->encrypts = false;
	plan->verified = plan->unrecorded = false;
	plan->lacks_recovery = 0;
	plan->reset = RESET_NONE;
	plan->growth = 0;
	plan->partition = NULL;
	plan->proven = plan->failed = plan->no_key = plan->keys_replaced = false;
	plan->device[0] = '\0';
	plan->probe = (struct disk_probe){ .content = DISK_EMPTY };
}

void volume_plan_wipe(struct volume_plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++)
		volume_key_clear(&plan->steps[i].made);
	volume_plan_forget_attempts(plan);
	mortise_luks2_free(&plan->header);
}

void volume_plan_free(struct volume_plan *plan)
{
	if (!plan)
		return;
	volume_plan_forget_header(plan);
	clear_steps(plan);
	free(plan->attempts);
	free(plan);
}

static struct volume_plan *new_volume_plan(const struct config_volume *volume)
{
	struct volume_plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return NULL;
	plan->volume = volume;
	plan->opened = -1;
	plan->attempts = calloc(volume->key_count + 1, sizeof(*plan->attempts));
	volume_mapping_name(volume, plan->mapping);
	if (plan->attempts)
		return plan;
	free(plan);
	return NULL;
}

enum mortise_code volume_plans_new(const struct mortise_config *config,
				   const struct mortise_up_options *options,
				   struct mortise_plan **out, struct mortise_error *err)
{
	const struct config *volumes = config->volumes;
	struct mortise_plan *plan = calloc(1, sizeof(*plan));

	if (!plan)
		return error_memory(err);
	plan->config = config;
	plan->volumes = calloc(volumes->volume_count + 1, sizeof(*plan->volumes));
	if (!plan->volumes)
		goto fail;
	for (size_t i = 0; i < volumes->volume_count; i++) {
		if (!volume_is_wanted(&volumes->volumes[i], options))
			continue;
		plan->volumes[plan->count] = new_volume_plan(&volumes->volumes[i]);
		if (!plan->volumes[plan->count])
			goto fail;
		plan->count++;
	}
	*out = plan;
	return MORTISE_OK;
fail:
	mortise_plan_free(&plan);
	return error_memory(err);
}

enum mortise_code volume_plans_begin(const struct mortise_config *config,
				     const struct mortise_up_options *options,
				     struct mortise_up_options *wanted, struct mortise_plan **out,
				     struct mortise_error *err)
{
	enum mortise_code code = volume_options_copy(wanted, options, err);

	if (!code)
		code = volume_check_names(config, wanted, err);
	return code ? code : volume_plans_new(config, wanted, out, err);
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
	partition_layout_free(plan->layout);
	free(plan);
}

const struct mortise_secret *volume_plan_key(const struct volume_plan *plan)
{
	return plan->header ? luks2_header_volume_key(plan->header) : NULL;
}

/*
 * META may have other keys than the configuration, but a key unsealed with the token of a keyslot
 * is the same. The TPM would not unseal it again: by now, PCR 15 is extended.
 */
static void move_tpm_keys(struct volume_plan *plan, struct volume_plan *finished)
{
	const struct config_volume *from = finished->volume, *to = plan->volume;

	for (size_t i = 0; finished->attempts && i < from->key_count; i++) {
		for (size_t j = 0; plan->attempts && j < to->key_count; j++) {
			if (from->keys[i].kind != CONFIG_KEY_TPM ||
			    to->keys[j].kind != CONFIG_KEY_TPM ||
			    from->keys[i].slot != to->keys[j].slot)
				continue;
			plan->attempts[j] = finished->attempts[i];
			finished->attempts[i] = (struct key_attempt){ .requested = false };
		}
	}
}

void volume_plan_continue(struct volume_plan *plan, struct volume_plan *finished)
{
	volume_plan_forget_header(plan);
	move_tpm_keys(plan, finished);
	plan->header = finished->header;
	finished->header = NULL;
	plan->opened = finished->opened;
	plan->opened_by_meta = finished->opened_by_meta;
	plan->recovered = finished->recovered;
}

/* Seconds that the keyslot of a key may take. A boot tries the next one rather than wait for hours. */
#define MAX_UNLOCK_S	    30u
#define MAX_UNLOCK_SEALED_S 10u /* Talos gives these keyslots the cost of passphrases: 2 s */

uint32_t volume_max_unlock(const struct volume_run *run, const struct config_key *key)
{
	const bool sealed = key && (key->kind == CONFIG_KEY_KMS || key->kind == CONFIG_KEY_TPM);

	if (run->options->max_unlock_s)
		return run->options->max_unlock_s;
	return sealed ? MAX_UNLOCK_SEALED_S : MAX_UNLOCK_S;
}

void volume_plan_attach(struct volume_plan *plan, struct volume_run *run)
{
	if (!plan->header)
		return;
	luks2_header_set_events(plan->header, run ? &run->events : NULL);
	luks2_header_set_max_unlock(plan->header, run ? volume_max_unlock(run, NULL) : 0);
	luks2_header_set_limiter(plan->header, run ? volume_budget_limiter(&run->budget)
						   : (struct memory_limiter){ .enter = NULL });
}

struct volume_step *volume_plan_add(struct volume_plan *plan, enum mortise_step_kind kind,
				    int keyslot, const char *format, ...)
{
	struct volume_step *steps, *step;
	va_list arguments;

	steps = realloc(plan->steps, (plan->step_count + 1) * sizeof(*steps));
	if (!steps)
		return NULL;
	plan->steps = steps;
	step = &steps[plan->step_count++];
	*step = (struct volume_step){ .kind = kind, .keyslot = keyslot };
	va_start(arguments, format);
	vsnprintf(step->text, sizeof(step->text), format, arguments);
	va_end(arguments);
	if (kind == MORTISE_STEP_WAIT || kind == MORTISE_STEP_REFUSE || kind == MORTISE_STEP_FAIL)
		plan->failed = true;
	return step;
}

bool volume_plan_formats(const struct volume_plan *plan)
{
	for (size_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].kind == MORTISE_STEP_FORMAT ||
		    plan->steps[i].kind == MORTISE_STEP_ENCRYPT)
			return true;
	return false;
}

struct mortise_location volume_plan_location(const struct volume_plan *plan, bool readonly,
					     const struct mortise_events *events)
{
	return (struct mortise_location){ .struct_size = sizeof(struct mortise_location),
					  .device = plan->device,
					  .header = *plan->header_file ? plan->header_file : NULL,
					  .readonly = readonly,
					  .events = events };
}

void volume_plan_show(const struct volume_plan *plan, size_t i, struct mortise_step *step)
{
	*step = (struct mortise_step){
		.kind = plan->steps[i].kind,
		.volume = plan->volume->name,
		.device = plan->device,
		.keyslot = plan->steps[i].keyslot,
		.text = plan->steps[i].text,
	};
	if (plan->steps[i].partition)
		partition_show(plan->steps[i].partition, step);
}

const char *mortise_plan_note(const struct mortise_plan *plan, size_t i)
{
	return i < plan->note_count ? plan->notes[i] : NULL;
}

const struct mortise_step *mortise_plan_step(const struct mortise_plan *plan, size_t i)
{
	for (size_t j = 0; j < plan->count; j++) {
		const struct volume_plan *volume = plan->volumes[j];

		if (i < volume->step_count) {
			volume_plan_show(volume, i, &volume->steps[i].shown);
			return &volume->steps[i].shown;
		}
		i -= volume->step_count;
	}
	return NULL;
}

void volume_mapping_name(const struct config_volume *volume, char name[static MORTISE_NAME_MAX + 1])
{
	snprintf(name, MORTISE_NAME_MAX + 1, "luks2-%s", volume->id);
}

void volume_mount_path(const struct volume_run *run, const struct config_volume *volume,
		       char path[static VOLUME_PATH_MAX])
{
	path[0] = '\0';
	if (volume->filesystem == CONFIG_FS_SWAP && !run->options->no_mount)
		snprintf(path, VOLUME_PATH_MAX, DISK_SWAP_MOUNT_POINT);
	else if (volume->mount_point && !run->options->no_mount)
		snprintf(path, VOLUME_PATH_MAX, "%s%s",
			 run->options->root ? run->options->root : "", volume->mount_point);
}

void volume_reset_command(const struct volume_run *run, const struct config_volume *volume,
			  const char *device, char command[static VOLUME_RESET_COMMAND])
{
	int length = snprintf(command, VOLUME_RESET_COMMAND, "mortise reset %s", volume->id);
	struct mortise_error ignored;

	if (volume->disk_selector || volume_given_device(volume, run->options) ||
	    volume_label_is_shared(volume, run->options, &ignored))
		snprintf(command + length, VOLUME_RESET_COMMAND - (size_t)length, " --device %s=%s",
			 volume->id, device);
}
