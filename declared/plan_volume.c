/* SPDX-License-Identifier: MIT */
/* Planning one volume: locate, probe, open, compare. Writes nothing. */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/events.h"
#include "declared/locate.h"
#include "declared/meta_state.h"
#include "declared/plan.h"
#include "disk/filesystem.h"
#include "disk/mount.h"
#include "disk/partition.h"
#include "disk/swap.h"
#include "volume/activate.h"
#include "volume/record.h"

/* The device does not hold what is declared, and is left as it is. format ends before the remedy. */
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

/* The plan formats, and cannot: of its steps only the keys that are not available remain. */
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

/* A step for each declared key. Stops at one that waits for STATE. */
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

static enum mortise_code plan_format(struct volume_run *run, struct volume_plan *plan,
				     struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;
	struct mortise_error why = { .text = "none is declared" };
	size_t available = 0;
	enum mortise_code code;

	code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FORMAT, -1,
			       "format %s (%s) as LUKS2, %s, %u-bit key", plan->device,
			       plan->probe.content == DISK_EMPTY ? "empty" : "a format cut off",
			       volume->cipher, volume->key_size * 8);
	if (!code)
		code = plan_first_keys(run, plan, &why, &available, err);
	if (code || plan->failed)
		return code;
	if (!available)
		return drop_format(plan, why.text, err);
	code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_OPEN, -1, "open %s as %s", plan->device,
			       plan->mapping);
	return code ? code : plan_filesystem(run, plan, plan->mapping, true, err);
}

/* Every key is sealed for a trial, and thrown away. */
static enum mortise_code try_keys(struct volume_run *run, struct volume_plan *plan,
				  struct mortise_error *err)
{
	enum mortise_code code = volume_make_keys(run, plan, err);
	const struct mortise_error *lack = volume_format_lacks_key(plan);
	struct mortise_error why;

	if (code)
		return code;
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

/*
 * Passphrases and attempts are valid for one state of the header; a volume key is valid for each
 * header that it fits.
 */
static void take_header(struct volume_plan *plan, struct mortise_luks2 *now)
{
	struct mortise_luks2 *before = plan->header;
	struct mortise_error ignored;

	plan->header = now;
	if (!before)
		return;
	if (luks2_header_equal(before, now)) {
		luks2_header_inherit(now, before);
	} else {
		const struct mortise_secret *volume_key = luks2_header_volume_key(before);

		volume_plan_forget_attempts(plan);
		if (strcmp(luks2_header_uuid(before), luks2_header_uuid(now)) != 0 || !volume_key ||
		    mortise_volume_key_verify(now, volume_key, &ignored)) {
			plan->opened = -1;
			plan->recovered = false;
		}
	}
	mortise_luks2_free(&before);
}

static enum mortise_code load_header(struct volume_run *run, struct volume_plan *plan,
				     struct mortise_error *err)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = plan->device,
						   .readonly = true,
						   .events = &run->events };
	struct mortise_luks2 *now = NULL;
	struct mortise_error why;

	if (mortise_luks2_load(&location, &now, &why)) {
		volume_plan_forget_header(plan);
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	}
	take_header(plan, now);
	volume_plan_attach(plan, run);
	return MORTISE_OK;
}

/* A mapping of our name must be of this very header, on this very device: copies share UUIDs. */
static enum mortise_code check_mapping(struct volume_plan *plan, struct mortise_error *err)
{
	struct mortise_mapping_info mapping = { .struct_size = sizeof(mapping) };
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
	if (!plan->header || strcmp(mapping.uuid, luks2_header_uuid(plan->header)) ||
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
	/* An open volume stays open when its keys are not available; they are not compared then. */
	if (!code && volume_plan_key(plan) && !run->open_only)
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

/* An attempt that failed at its source may succeed now. One that a keyslot refused cannot. */
static void reopen_attempts(struct volume_plan *plan)
{
	for (size_t i = 0; i < plan->volume->key_count; i++)
		if (!plan->attempts[i].passphrase)
			plan->attempts[i] = (struct key_attempt){ .asked = false };
}

static bool is_waiting(const struct volume_plan *plan)
{
	if (plan->lacks_salt)
		return true;
	for (size_t i = 0; i < plan->step_count; i++)
		if (plan->steps[i].kind == MORTISE_STEP_WAIT)
			return true;
	for (size_t i = 0; i < plan->volume->key_count; i++)
		if (plan->attempts[i].why.code == MORTISE_E_WAIT)
			return true;
	return false;
}

static enum mortise_code plan_located(struct volume_run *run, struct volume_plan *plan,
				      struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;

	if (!volume->encrypted || plan->probe.content != DISK_LUKS2)
		volume_plan_forget_header(plan);
	if (plan->probe.content == DISK_RESETTING)
		return finish_reset(run, plan, err);
	return volume->encrypted ? plan_encrypted(run, plan, err) : plan_plain(run, plan, err);
}

enum mortise_code volume_plan_make(struct volume_run *run, struct volume_plan *plan,
				   struct mortise_error *err)
{
	struct mortise_error why;
	enum mortise_code code;

	volume_plan_clear_decisions(plan);
	reopen_attempts(plan);
	volume_mount_path(run, plan->volume, plan->mount_point);
	if (volume_locate(plan->volume, run->options, plan->device, sizeof(plan->device), &why) ||
	    disk_probe(plan->device, &run->events, &plan->probe, &why)) {
		volume_plan_forget_header(plan);
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	} else {
		code = plan_located(run, plan, err);
	}
	if (!code && run->options->try_keys && !plan->failed)
		code = try_keys(run, plan, err);
	if (!code && events_canceled(&run->events))
		code = events_cancel_error(err);
	if (code)
		return code;
	plan->planned = true;
	plan->waits = is_waiting(plan);
	return MORTISE_OK;
}
