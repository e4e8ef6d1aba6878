/* SPDX-License-Identifier: MIT */
/* Planning one volume: locate, look, open, compare. Nothing is written. */
#include "declared/plan.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "volume/activate.h"
#include "disk/filesystem.h"
#include "declared/locate.h"
#include "disk/partition.h"
#include "declared/meta_state.h"
#include "disk/mount.h"
#include "volume/record.h"
#include "disk/swap.h"

void volume_plan_free(struct volume_plan *plan)
{
	if (!plan)
		return;
	for (size_t i = 0; i < plan->step_count; i++)
		volume_key_clear(&plan->steps[i].made);
	free(plan->steps);
	for (size_t i = 0; plan->asked && i < plan->volume->key_count; i++)
		mortise_secret_free(&plan->asked[i].passphrase);
	free(plan->asked);
	mortise_luks2_free(&plan->header);
	mortise_secret_free(&plan->volume_key);
	free(plan);
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

void volume_plan_show(const struct volume_plan *plan, size_t i, struct mortise_step *step)
{
	*step = (struct mortise_step){
		.kind = plan->steps[i].kind,
		.volume = plan->volume->name,
		.device = plan->device,
		.keyslot = plan->steps[i].keyslot,
		.text = plan->steps[i].text,
	};
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

	if (volume->disk_selector || volume_given_device(volume, run->options))
		snprintf(command + length, VOLUME_RESET_COMMAND - (size_t)length, " --device %s=%s",
			 volume->id, device);
}

/* What is there is not what is declared, and is left as it is. format ends before the way out. */
__attribute__((format(printf, 4, 5))) static enum mortise_code refuse(const struct volume_run *run,
								      struct volume_plan *plan,
								      struct mortise_error *err,
								      const char *format, ...)
{
	char command[VOLUME_RESET_COMMAND], what[MORTISE_ERROR_TEXT];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(what, sizeof(what), format, arguments);
	va_end(arguments);
	volume_reset_command(run, plan->volume, plan->device, command);
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1,
			       "%s `%s` wipes it, if nothing of it is needed", what, command);
}

static enum mortise_code no_memory(struct mortise_error *err)
{
	return error_memory(err);
}

/* File system and mount point, once the device that holds them is settled. */
static enum mortise_code plan_filesystem(const struct volume_run *run, struct volume_plan *plan,
					 const char *device, bool make, struct mortise_error *err)
{
	const char *type = config_filesystem_name(plan->volume->filesystem);
	const bool swap = plan->volume->filesystem == CONFIG_FS_SWAP;
	enum mortise_code code = MORTISE_OK;

	if (plan->volume->filesystem == CONFIG_FS_NONE)
		return MORTISE_OK;
	/* What is swapped out means nothing to another boot. */
	if ((swap ? !plan->mounted : make) && !run->options->no_mount)
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_MKFS, -1, "make %s on %s",
				       swap ? "a swap area" : type, device);
	if (!code && *plan->mount_point && !plan->mounted)
		code = swap ? VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_MOUNT, -1, "swap on %s",
					      device)
			    : VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_MOUNT, -1, "mount %s at %s",
					      device, plan->mount_point);
	return code;
}

/*
 * Asks for every key, and for those whose source was too busy again when no other can be had.
 * why[i].code is MORTISE_OK for those that have a step.
 */
static enum mortise_code plan_first_keys(struct volume_run *run, struct volume_plan *plan,
					 struct mortise_error *why, size_t *available,
					 struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;
	struct volume_patience patience;
	enum mortise_code code = MORTISE_OK;
	bool again;

	*available = 0;
	volume_patience_begin(&patience, run);
	for (size_t i = 0; i < volume->key_count; i++)
		why[i].code = MORTISE_E_UNREACHABLE;
	do {
		again = false;
		for (size_t i = 0; !code && i < volume->key_count; i++) {
			if (why[i].code != MORTISE_E_UNREACHABLE)
				continue;
			code = volume_plan_new_key(run, plan, &volume->keys[i],
						   MORTISE_STEP_KEY_ADD, &why[i], err);
			*available += !code && !why[i].code;
			again |= why[i].code == MORTISE_E_UNREACHABLE;
		}
	} while (!code && !*available && again && volume_patience_pause(&patience));
	return code;
}

/* Every key that can be had now goes into the FORMAT step's key steps. */
static enum mortise_code plan_format(struct volume_run *run, struct volume_plan *plan,
				     struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;
	struct mortise_error *why = calloc(volume->key_count + 1, sizeof(*why)), *last;
	size_t available;
	enum mortise_code code;

	if (!why)
		return no_memory(err);
	code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FORMAT, -1,
			       "format %s (%s) as LUKS2, %s, %u-bit key", plan->device,
			       plan->probe.content == DISK_EMPTY ? "empty" : "a format cut off",
			       volume->cipher, volume->key_size * 8);
	if (!code)
		code = plan_first_keys(run, plan, why, &available, err);
	last = &why[volume->key_count];
	for (size_t i = 0; !code && i < volume->key_count; i++) {
		const struct config_key *key = &volume->keys[i];

		if (!why[i].code)
			continue;
		last = &why[i];
		if (why[i].code == MORTISE_E_WAIT && run->state_may_come) {
			code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_WAIT, (int)key->slot,
					       "keyslot %u is %s", key->slot, why[i].text);
			break;
		}
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_KEY_FAIL, (int)key->slot,
				       "keyslot %u (%s): %.400s", key->slot,
				       config_key_kind_name(key->kind), why[i].text);
	}
	if (!code && !plan->failed && !available) {
		/* It is not begun. */
		memmove(plan->steps, plan->steps + 1, --plan->step_count * sizeof(*plan->steps));
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "not formatted: none of its keys can be had (%.350s)",
				       last->text);
	}
	if (!code && !plan->failed)
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_OPEN, -1, "open %s as %s",
				       plan->device, plan->mapping);
	if (!code && !plan->failed)
		code = plan_filesystem(run, plan, plan->mapping, true, err);
	free(why);
	return code;
}

static enum mortise_code load_header(struct volume_run *run, struct volume_plan *plan,
				     struct mortise_error *err)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = plan->device,
						   .readonly = true };
	struct mortise_error why;

	if (mortise_luks2_load(&location, &plan->header, &why))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	luks2_header_set_limiter(plan->header, volume_budget_limiter(run->budget));
	return MORTISE_OK;
}

/* A mapping of our name must be of this very header, on this very device: copies share UUIDs. */
static enum mortise_code check_mapping(struct volume_plan *plan, struct mortise_error *err)
{
	struct mortise_mapping_info mapping = { .struct_size = sizeof(mapping) };
	struct mortise_header_info header = { .struct_size = sizeof(header), .uuid = "" };
	struct mortise_error why;
	enum mortise_code code = mortise_mapping_info(plan->mapping, &mapping, &why);

	if (code == MORTISE_E_INACTIVE || code == MORTISE_E_KERNEL)
		return MORTISE_OK;
	plan->tableless_mapping =
		code && plan->header && volume_mapping_is_tableless(plan->header, plan->mapping);
	if (plan->tableless_mapping)
		return MORTISE_OK;
	if (code)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	if (plan->header)
		(void)mortise_header_info(plan->header, &header, NULL);
	if (!plan->header || strcmp(mapping.uuid, header.uuid) ||
	    !disk_mapping_is_on(&mapping, plan->device))
		return VOLUME_PLAN_ADD(
			plan, err, MORTISE_STEP_FAIL, -1,
			"a mapping %s is active already, but not of %s: close it first",
			plan->mapping, plan->device);
	plan->active = true;
	return MORTISE_OK;
}

/* What META says opens STATE; making one takes the whole configuration. */
static enum mortise_code not_configured(struct volume_plan *plan, struct mortise_error *err)
{
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_WAIT, -1,
			       "%s is still empty: this machine has no configuration yet; `mortise "
			       "apply -f config.yaml` gives it one",
			       plan->device);
}

static enum mortise_code plan_encrypted(struct volume_run *run, struct volume_plan *plan,
					struct mortise_error *err)
{
	enum mortise_code code;
	char node[MORTISE_NAME_MAX + 16];
	bool make;

	if (plan->probe.content == DISK_EMPTY || plan->probe.content == DISK_UNFINISHED) {
		if (run->open_only)
			return not_configured(plan, err);
		code = check_mapping(plan, err);
		return code || plan->failed ? code : plan_format(run, plan, err);
	}
	if (plan->probe.content != DISK_LUKS2)
		return refuse(run, plan, err,
			      "%s holds %s: not formatted, since only an empty device is;",
			      plan->device, plan->probe.type);
	code = load_header(run, plan, err);
	if (!code && !plan->failed)
		code = check_mapping(plan, err);
	if (!code && !plan->failed)
		code = volume_find_key(run, plan, err);
	if (code || plan->failed)
		return code;
	if (!plan->active)
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_OPEN, plan->opened,
				       "open %s as %s with keyslot %d", plan->device, plan->mapping,
				       plan->opened);
	/* One that was open already stays so when its keys cannot be had; nothing is in step then. */
	if (!code && plan->volume_key && !run->open_only)
		code = volume_plan_keys(run, plan, err);
	snprintf(node, sizeof(node), "/dev/mapper/%s", plan->mapping);
	plan->mounted = plan->active && disk_is_mounted(node, plan->mount_point);
	make = volume_record_mkfs(luks2_header_metadata(plan->header)) && !plan->mounted;
	if (!code && make && run->open_only)
		return not_configured(plan, err);
	return code ? code : plan_filesystem(run, plan, plan->mapping, make, err);
}

/* Swap that is not encrypted: over nothing, or over the area of the last boot. */
static enum mortise_code plan_plain_swap(const struct volume_run *run, struct volume_plan *plan,
					 struct mortise_error *err)
{
	char why[256];

	plan->mounted = disk_is_mounted(plan->device, plan->mount_point);
	if (!plan->mounted && !disk_swap_may_replace(&plan->probe, false, why, sizeof(why)))
		return refuse(run, plan, err, "cannot make a swap area on %s: %s;", plan->device,
			      why);
	return plan_filesystem(run, plan, plan->device, true, err);
}

static enum mortise_code plan_plain(const struct volume_run *run, struct volume_plan *plan,
				    struct mortise_error *err)
{
	const char *type = config_filesystem_name(plan->volume->filesystem);
	struct mortise_error why;

	if (plan->probe.content == DISK_LUKS2 && run->open_only)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "volume is encrypted, but no encryption config provided: %s",
				       volume_meta_state_lack(run->options));
	if (plan->probe.content == DISK_LUKS2)
		return refuse(run, plan, err,
			      "volume is encrypted, but no encryption config provided: declare its "
			      "keys, or");
	if (!mortise_is_active(plan->mapping, &why))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "the mapping %s is active: the volume is still open as it "
				       "was, encrypted; close it first",
				       plan->mapping);
	if (plan->probe.content == DISK_EMPTY && run->open_only)
		return not_configured(plan, err);
	if (plan->probe.content == DISK_EMPTY)
		return plan_filesystem(run, plan, plan->device, true, err);
	/* Whatever else a plain raw volume holds is its user's. */
	if (plan->volume->filesystem == CONFIG_FS_NONE)
		return MORTISE_OK;
	if (plan->volume->filesystem == CONFIG_FS_SWAP)
		return plan_plain_swap(run, plan, err);
	if (plan->probe.content != DISK_FILESYSTEM || strcmp(plan->probe.type, type))
		return refuse(run, plan, err,
			      "filesystem type mismatch: %s != %s; %s is left as it is;",
			      plan->probe.type, type, plan->device);
	plan->mounted = disk_is_mounted(plan->device, plan->mount_point);
	return plan_filesystem(run, plan, plan->device, false, err);
}

static enum mortise_code finish_reset(const struct volume_run *run, struct volume_plan *plan,
				      struct mortise_error *err)
{
	char command[VOLUME_RESET_COMMAND];

	volume_reset_command(run, plan->volume, plan->device, command);
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_REFUSE, -1,
			       "%s: a reset of it was cut off; `%s` finishes it", plan->device,
			       command);
}

enum mortise_code volume_plan_make(struct volume_run *run, const struct config_volume *volume,
				   struct volume_plan **out, struct mortise_error *err)
{
	struct volume_plan *plan = calloc(1, sizeof(*plan));
	struct mortise_error why;
	enum mortise_code code;

	if (!plan)
		return no_memory(err);
	plan->volume = volume;
	plan->opened = -1;
	plan->asked = calloc(volume->key_count + 1, sizeof(*plan->asked));
	if (!plan->asked) {
		volume_plan_free(plan);
		return no_memory(err);
	}
	volume_mapping_name(volume, plan->mapping);
	volume_mount_path(run, volume, plan->mount_point);
	if (volume_locate(volume, run->options, plan->device, sizeof(plan->device), &why))
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	else if (disk_probe(plan->device, &plan->probe, &why))
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	else if (plan->probe.content == DISK_RESETTING)
		code = finish_reset(run, plan, err);
	else
		code = volume->encrypted ? plan_encrypted(run, plan, err)
					 : plan_plain(run, plan, err);
	if (code)
		volume_plan_free(plan);
	else
		*out = plan;
	return code;
}
