/* SPDX-License-Identifier: MIT */
/* Planning one volume: locating, probing, finding a key, comparing. Writes nothing. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/events.h"
#include "declared/locate.h"
#include "declared/meta_state.h"
#include "declared/plan.h"
#include "declared/plan_decrypt.h"
#include "declared/plan_grow.h"
#include "declared/plan_in_place.h"
#include "declared/plan_known.h"
#include "declared/plan_partition.h"
#include "declared/plan_reencrypt.h"
#include "declared/plan_seal.h"
#include "declared/reset/ordered.h"
#include "declared/trust.h"
#include "disk/filesystem.h"
#include "disk/mount.h"
#include "disk/partition.h"
#include "disk/swap.h"
#include "volume/activate.h"
#include "volume/record.h"

/*
 * Replaces the header by the one just read. Passphrases and attempts are valid for one state of the
 * header only; a volume key is valid for every header whose digest it matches.
 */
static void replace_header(struct volume_plan *plan, struct mortise_luks2 *now)
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
			plan->opened_by_meta = false;
			plan->recovered = false;
		}
	}
	mortise_luks2_free(&before);
}

static enum mortise_code read_header(struct volume_run *run, struct volume_plan *plan,
				     struct mortise_error *err)
{
	const struct mortise_location location = volume_plan_location(plan, true, &run->events);
	struct mortise_luks2 *now = NULL;
	struct mortise_error why;

	if (mortise_luks2_load(&location, &now, &why)) {
		volume_plan_forget_header(plan);
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	}
	replace_header(plan, now);
	volume_plan_attach(plan, run);
	return MORTISE_OK;
}

/* A copy of a disk has the same UUID, so the mapping must match the header and the device. */
static enum mortise_code check_mapping(struct volume_plan *plan, struct mortise_error *err)
{
	struct mortise_mapping_info mapping = { .struct_size = sizeof(mapping) };
	struct mortise_error why;
	enum mortise_code code = volume_mapping_info(plan->mapping, &mapping, &why);

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
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "mapping %s is already active, but does not belong to %s; "
				       "close it first",
				       plan->mapping, plan->device);
	/* Reading it would wait for the key. */
	if (mapping.suspended)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "mapping %s is suspended; to resume it, run `mortise "
				       "luksResume %s`",
				       plan->mapping, plan->mapping);
	plan->active = true;
	return MORTISE_OK;
}

/* META describes how to open STATE; creating STATE requires the whole configuration. */
static enum mortise_code add_not_configured(struct volume_plan *plan, struct mortise_error *err)
{
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_WAIT, -1,
			       "%s is empty, and this machine has no configuration yet; to store "
			       "one, run `mortise apply -f config.yaml`",
			       plan->device);
}

bool volume_plan_is_unformatted(const struct volume_plan *plan)
{
	return plan->probe.content == DISK_EMPTY || plan->probe.content == DISK_UNFINISHED;
}

static enum mortise_code plan_unformatted(struct volume_run *run, struct volume_plan *plan,
					  struct mortise_error *err)
{
	enum mortise_code code;

	if (run->open_only)
		return add_not_configured(plan, err);
	code = check_mapping(plan, err);
	if (code || plan->failed)
		return code;
	code = volume_plan_grow(run, plan, err);
	if (!code)
		code = volume_plan_check_place(run, plan, true, err);
	if (code || plan->failed)
		return code;
	code = volume_plan_format(run, plan, err);
	if (code || plan->failed)
		return code;
	code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_OPEN, -1, "open %s as %s", plan->device,
			       plan->mapping);
	if (code)
		return code;
	return volume_plan_filesystem(run, plan, plan->mapping, true, err);
}

/* Reads the header, compares the mapping, and finds a key. A failure becomes a step. */
static enum mortise_code plan_unlock(struct volume_run *run, struct volume_plan *plan,
				     struct mortise_error *err)
{
	enum mortise_code code = read_header(run, plan, err);

	if (code || plan->failed)
		return code;
	code = volume_known_check(run, plan, err);
	if (code || plan->failed)
		return code;
	code = check_mapping(plan, err);
	if (code || plan->failed)
		return code;
	if (!plan->volume->encrypted) {
		code = volume_plan_check_decryption(run, plan, err);
		return code || plan->failed || volume_plan_is_decrypted(plan)
			       ? code
			       : volume_find_key(run, plan, err);
	}
	/* Before a key is derived or requested for a header that is refused anyway. */
	plan->converts = volume_plan_may_convert(plan);
	if (volume_in_reencryption(plan))
		code = volume_plan_check_reencryption(plan, err);
	else if (!plan->converts)
		code = volume_plan_check_cipher(plan, err);
	if (code || plan->failed)
		return code;
	return volume_find_key(run, plan, err);
}

/* Compares the volume with the list of known volumes and its seal, once its key is known. */
static enum mortise_code check_opened(struct volume_run *run, struct volume_plan *plan,
				      struct mortise_error *err)
{
	enum mortise_code code;

	if (!volume_plan_key(plan))
		return MORTISE_OK;
	code = volume_known_check(run, plan, err);
	return code || plan->failed ? code : volume_plan_check_seal(run, plan, err);
}

static enum mortise_code plan_encrypted(struct volume_run *run, struct volume_plan *plan,
					struct mortise_error *err)
{
	enum mortise_code code;
	char node[MORTISE_NAME_MAX + 16];
	bool create, reencrypts;

	if (!plan->has_header && volume_plan_is_unformatted(plan))
		return plan_unformatted(run, plan, err);
	if (!plan->has_header && plan->volume->in_place)
		return volume_plan_in_place(run, plan, err);
	if (!plan->has_header)
		return volume_plan_refuse(
			run, plan, err, "%s holds %s: not %s, because it is not empty",
			plan->device, plan->probe.type,
			disk_header_is_damaged(&plan->probe) ? "opened or formatted" : "formatted");
	code = plan_unlock(run, plan, err);
	if (code || plan->failed)
		return code;
	code = check_opened(run, plan, err);
	if (code || plan->failed)
		return code;
	code = volume_plan_reencrypt(run, plan, &reencrypts, err);
	/* The end of the data stays where it is meanwhile. */
	if (!code && !reencrypts)
		code = volume_plan_grow(run, plan, err);
	if (code || plan->failed)
		return code;
	if (!plan->active) {
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_OPEN, plan->opened,
				       "open %s as %s with keyslot %d%s", plan->device,
				       plan->mapping, plan->opened,
				       plan->opened_by_meta ? " and the UUID in META" : "");
		if (code)
			return code;
	}
	/*
	 * If an open volume's keys are unavailable, it stays open, and no keyslot is compared. A
	 * rotation makes all keyslots again.
	 */
	if (volume_plan_key(plan) && !reencrypts && !run->open_only && !plan->unsealed_state &&
	    !plan->unlisted) {
		code = volume_plan_keys(run, plan, err);
		if (code)
			return code;
	}
	snprintf(node, sizeof(node), "/dev/mapper/%s", plan->mapping);
	plan->mounted =
		plan->active && disk_is_mounted(node, run->options->root, plan->mount_point);
	/* The mark counts only under a seal. */
	create = volume_plan_key(plan) && !plan->adopted && !plan->unsealed_state &&
		 !plan->mounted && volume_record_mkfs(luks2_header_metadata(plan->header));
	if (create && run->open_only)
		return add_not_configured(plan, err);
	code = volume_plan_filesystem(run, plan, plan->mapping, create, err);
	if (!code && !plan->failed && !reencrypts)
		code = volume_plan_grow_open(run, plan, err);
	if (code || plan->failed || !plan->unsealed_state || run->open_only)
		return code;
	code = volume_plan_adopt_state(plan, err);
	return code ? code : volume_plan_keys(run, plan, err);
}

/* Swap without encryption replaces nothing but the swap area of an earlier boot. */
static enum mortise_code plan_plain_swap(struct volume_run *run, struct volume_plan *plan,
					 struct mortise_error *err)
{
	enum mortise_code code;
	char why[512];

	plan->mounted = disk_is_mounted(plan->device, run->options->root, plan->mount_point);
	if (!plan->mounted && !disk_swap_may_replace(&plan->probe, plan->device, why, sizeof(why)))
		return volume_plan_refuse(run, plan, err, "cannot create a swap area on %s: %s",
					  plan->device, why);
	code = volume_plan_grow(run, plan, err);
	return code ? code : volume_plan_filesystem(run, plan, plan->device, true, err);
}

/* The volume is declared without encryption, but its device is encrypted. The text is Talos's. */
static enum mortise_code plan_undeclared_encryption(const struct volume_run *run,
						    struct volume_plan *plan,
						    struct mortise_error *err)
{
	static const char text[] = "volume is encrypted, but no encryption config provided";

	if (run->open_only)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s: %s", text,
				       volume_meta_state_lack(run->options));
	return volume_plan_refuse(run, plan, err, "%s; to keep it, declare its keys", text);
}

/* An encrypted volume that is declared plain, with inPlace. */
static enum mortise_code plan_decryption(struct volume_run *run, struct volume_plan *plan,
					 struct mortise_error *err)
{
	enum mortise_code code = plan_unlock(run, plan, err);

	if (!code && !plan->failed)
		code = check_opened(run, plan, err);
	if (!code && !plan->failed)
		code = volume_plan_decrypt(run, plan, err);
	return code || plan->failed ? code
				    : volume_plan_filesystem(run, plan, plan->device, false, err);
}

static enum mortise_code plan_plain(struct volume_run *run, struct volume_plan *plan,
				    struct mortise_error *err)
{
	const char *type = config_filesystem_name(plan->volume->filesystem), *found;
	struct mortise_error ignored, why;
	enum mortise_code code;
	bool holds;

	if (plan->has_header)
		return plan_decryption(run, plan, err);
	if (plan->probe.content == DISK_LUKS2)
		return plan_undeclared_encryption(run, plan, err);
	if (!mortise_is_active(plan->mapping, &ignored))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "the volume is still open in its previous, encrypted state "
				       "(mapping %s); close it first",
				       plan->mapping);
	if (volume_plan_is_unformatted(plan) && run->open_only)
		return add_not_configured(plan, err);
	if (plan->probe.content == DISK_EMPTY) {
		code = volume_plan_grow(run, plan, err);
		return code ? code : volume_plan_filesystem(run, plan, plan->device, true, err);
	}
	/* The contents of a raw volume without encryption belong to its user. */
	if (plan->volume->filesystem == CONFIG_FS_NONE)
		return volume_plan_grow(run, plan, err);
	if (plan->volume->filesystem == CONFIG_FS_SWAP)
		return plan_plain_swap(run, plan, err);
	/* META does not say which file system STATE has. */
	if (run->open_only && !disk_filesystem_find(plan->device, &found, &ignored) && *found)
		type = found;
	holds = plan->probe.content == DISK_FILESYSTEM && !strcmp(plan->probe.type, type);
	if (!holds && disk_holds_filesystem(plan->device, type, &holds, &why))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	/* The first part of the text is Talos's. */
	if (!holds)
		return volume_plan_refuse(run, plan, err,
					  "filesystem type mismatch: %s != %s; %s is unchanged",
					  plan->probe.type, type, plan->device);
	plan->mounted = disk_is_mounted(plan->device, run->options->root, plan->mount_point);
	code = volume_plan_grow(run, plan, err);
	if (!code)
		code = volume_plan_filesystem(run, plan, plan->device, false, err);
	return code || plan->failed ? code : volume_plan_grow_open(run, plan, err);
}

/* A source that failed may work now. A keyslot that refused a key still refuses it. */
static void reset_failed_requests(struct volume_plan *plan)
{
	for (size_t i = 0; i < plan->volume->key_count; i++)
		if (!plan->attempts[i].passphrase)
			plan->attempts[i] = (struct key_attempt){ .requested = false };
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
	enum mortise_code code = partition_plan_meta(run, plan, err);

	if (!code && !plan->failed)
		code = reset_plan_ordered(run, plan, err);
	if (code || plan->failed)
		return code;
	if (plan->probe.content != DISK_RESETTING)
		code = volume_plan_find_header(run, plan, err);
	if (!plan->has_header)
		volume_plan_forget_header(plan);
	if (code || plan->failed)
		return code;
	if (plan->probe.content == DISK_RESETTING)
		return reset_plan_unfinished(run, plan, err);
	code = volume_plan_check_format(run, plan, err);
	if (code || plan->failed)
		return code;
	if (!plan->has_header) {
		code = volume_known_check(run, plan, err);
		if (code || plan->failed)
			return code;
	}
	code = volume->encrypted ? plan_encrypted(run, plan, err) : plan_plain(run, plan, err);
	if (!code)
		volume_known_describe(plan);
	return code;
}

static enum mortise_code plan_unusable(struct volume_plan *plan, enum mortise_step_kind kind,
				       const struct mortise_error *why, struct mortise_error *err)
{
	volume_plan_forget_header(plan);
	return VOLUME_PLAN_ADD(plan, err, kind, -1, "%s", why->text);
}

static enum mortise_code plan_damaged(const struct volume_run *run, struct volume_plan *plan,
				      struct mortise_error *err)
{
	volume_plan_forget_header(plan);
	return volume_plan_refuse(run, plan, err, "%s holds %s: not opened", plan->device,
				  plan->probe.type);
}

/* The device is not there. */
static enum mortise_code plan_missing(struct volume_run *run, struct volume_plan *plan,
				      const struct mortise_error *why, struct mortise_error *err)
{
	bool created;
	enum mortise_code code;

	volume_plan_forget_header(plan);
	code = partition_plan_missing(run, plan, why, &created, err);
	if (code || !created)
		return code;
	code = plan->volume->encrypted ? plan_unformatted(run, plan, err)
				       : plan_plain(run, plan, err);
	volume_known_describe(plan);
	return code;
}

/* Without a description in META, STATE counts as not encrypted. */
static bool is_undescribed(const struct volume_run *run, const struct volume_plan *plan)
{
	return run->open_only && !plan->volume->encrypted;
}

/*
 * Contents that plan_located() never mounts as an undescribed STATE; its message says more than that
 * the trust file requires encryption. A damaged header may be next to a file system.
 */
static bool is_not_plain(const struct volume_plan *plan)
{
	return volume_plan_is_unformatted(plan) || plan->probe.content == DISK_LUKS2 ||
	       plan->probe.content == DISK_RESETTING;
}

static bool is_trusted(const struct volume_run *run, const struct volume_plan *plan,
		       struct mortise_error *why)
{
	return !volume_is_state(plan->volume) ||
	       !volume_trust_check_state(run->trust, plan->volume, run->open_only, why);
}

enum mortise_code volume_plan_make(struct volume_run *run, struct volume_plan *plan,
				   struct mortise_error *err)
{
	struct mortise_error why;
	enum mortise_code code;

	volume_plan_clear_decisions(plan);
	reset_failed_requests(plan);
	volume_mount_path(run, plan->volume, plan->mount_point);
	if (!is_undescribed(run, plan) && !is_trusted(run, plan, &why))
		code = plan_unusable(plan, MORTISE_STEP_REFUSE, &why, err);
	else if (volume_plan_locate(run, plan->volume, plan->device, sizeof(plan->device), &why))
		code = plan_missing(run, plan, &why, err);
	else if (disk_probe(plan->device, &run->events, &plan->probe, &why))
		code = plan_unusable(plan, MORTISE_STEP_FAIL, &why, err);
	else if (is_not_plain(plan) || is_trusted(run, plan, &why))
		code = plan_located(run, plan, err);
	else if (disk_header_is_damaged(&plan->probe))
		code = plan_damaged(run, plan, err);
	else
		code = plan_unusable(plan, MORTISE_STEP_REFUSE, &why, err);
	if (!code && run->options->try_keys && !plan->failed)
		code = volume_plan_try_new_keys(run, plan, err);
	if (!code && events_canceled(&run->events))
		code = events_cancel_error(err);
	if (code)
		return code;
	plan->planned = true;
	plan->waits = is_waiting(plan);
	if (plan->partition)
		plan->partition->wanted = !plan->failed || plan->waits;
	return MORTISE_OK;
}
