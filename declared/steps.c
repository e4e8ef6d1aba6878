/* SPDX-License-Identifier: MIT */
/* Executing the steps of a plan. */
#include "declared/steps.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"
#include "declared/declared.h"
#include "declared/fsck.h"
#include "declared/measure.h"
#include "luks2/format.h"
#include "luks2/seal.h"
#include "declared/plan_decrypt.h"
#include "declared/plan_grow.h"
#include "declared/plan_partition.h"
#include "declared/plan_known.h"
#include "declared/plan_seal.h"
#include "declared/plan_in_place.h"
#include "declared/plan_reencrypt.h"
#include "declared/reset/ordered.h"
#include "disk/filesystem.h"
#include "disk/geometry.h"
#include "disk/mount.h"
#include "volume/integrity.h"
#include "volume/record.h"
#include "disk/swap.h"

static void get_node_path(const struct volume_plan *plan, char node[static MORTISE_NAME_MAX + 16])
{
	if (plan->volume->encrypted)
		snprintf(node, MORTISE_NAME_MAX + 16, "/dev/mapper/%s", plan->mapping);
	else
		snprintf(node, MORTISE_NAME_MAX + 16, "%.140s", plan->device);
}

/* Does the step add one of the keys of a format? Call volume_make_keys first. */
static bool has_key(const struct volume_step *step)
{
	return step->made.passphrase;
}

enum mortise_code volume_write_first_keys(struct volume_work *work, bool in_place,
					  struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	const struct config_volume *volume = plan->volume;
	struct luks2_update *update = NULL;
	enum mortise_code code;

	code = luks2_update_begin(plan->header, &update, err);
	if (code)
		return code;
	for (size_t i = 0; i < plan->step_count; i++) {
		if (!has_key(&plan->steps[i]))
			continue;
		code = volume_stage_key(work, update, &plan->steps[i], volume_plan_key(plan), err);
		if (code)
			goto out;
	}
	if ((!in_place && config_filesystem_is_persistent(volume->filesystem) &&
	     !volume_record_set_mkfs(luks2_update_metadata(update),
				     config_filesystem_name(volume->filesystem))) ||
	    (volume->rotate_key &&
	     !volume_record_set_rotation(luks2_update_metadata(update), volume->rotate_key)) ||
	    (in_place &&
	     !volume_record_set_online(luks2_update_metadata(update), volume->online))) {
		code = error_memory(err);
		goto out;
	}
	code = luks2_update_seal(update, volume->id, err);
	if (code)
		goto out;
	if (!volume_record_raise_epoch(luks2_update_metadata(update),
				       volume_memory_floor(work->run, plan))) {
		code = error_memory(err);
		goto out;
	}
	code = in_place ? volume_known_record_encryption(work->run, plan, err)
			: volume_known_record_format(work->run, plan, err);
	if (code)
		goto out;
	luks2_format_finish(update);
	code = luks2_update_commit(&update, err);
out:
	luks2_update_abort(&update);
	return code;
}

static enum mortise_code format_locked(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = plan->device,
						   .events = &work->run->events };
	struct mortise_format format = volume_format_of(plan->volume);
	struct disk_probe probe;
	enum mortise_code code;

	code = disk_probe(plan->device, &work->run->events, &probe, err);
	if (code)
		return code;
	if (probe.content != DISK_EMPTY && probe.content != DISK_UNFINISHED)
		return error_set(err, MORTISE_E_CHANGED, 0,
				 "not formatted: %s was empty, but now holds %s", plan->device,
				 probe.type);
	format.metadata_size = volume_metadata_size(plan);
	code = mortise_luks2_format(&location, &format, &plan->header, err);
	if (code)
		return code;
	luks2_header_set_limiter(plan->header, volume_budget_limiter(&work->run->budget));
	/* Before the keys: after a cut, the next run formats again, and every sector gets a tag. */
	if (plan->volume->integrity)
		code = volume_integrity_wipe(plan->header, NULL, plan->volume->name, err);
	return code ? code : volume_write_first_keys(work, false, err);
}

enum mortise_code volume_lock_device(struct volume_work *work, int *fd, struct mortise_error *err)
{
	const char *device = work->plan->device;
	struct stat st;

	*fd = open(device, O_RDONLY | O_CLOEXEC);
	if (*fd < 0 || fstat(*fd, &st))
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot open %s", device);
	if (!S_ISBLK(st.st_mode))
		return MORTISE_OK;
	return events_lock(&work->run->events, *fd, LOCK_EX, UINT64_MAX, device, err);
}

static enum mortise_code check_mapping_name(const struct volume_plan *plan,
					    struct mortise_error *err)
{
	enum mortise_code code = mortise_is_active(plan->mapping, err);

	if (code == MORTISE_E_INACTIVE)
		return MORTISE_OK;
	if (code)
		return code;
	return error_set(err, MORTISE_E_EXISTS, 0, "mapping %s is already active; close it first",
			 plan->mapping);
}

enum mortise_code volume_prepare_header(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	struct mortise_kdf cost;
	enum mortise_code code = check_mapping_name(plan, err);

	for (size_t i = 0; !code && i < plan->step_count; i++)
		if (has_key(&plan->steps[i]))
			code = volume_choose_cost(work, plan->steps[i].key, &cost, err);
	return code;
}

/* Writes one header with all available keys, in one commit. */
static enum mortise_code format_volume(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	int fd = -1;
	enum mortise_code code = volume_prepare_header(work, err);

	if (code)
		return code;
	code = volume_lock_device(work, &fd, err);
	if (code)
		goto out;
	code = format_locked(work, err);
	if (code)
		goto out;
	snprintf(work->result->text, sizeof(work->result->text), "formatted");
	for (size_t i = 0; plan->opened < 0 && i < plan->step_count; i++)
		if (has_key(&plan->steps[i]) && !plan->steps[i].recovery)
			plan->opened = plan->steps[i].keyslot;
out:
	if (fd >= 0)
		close(fd);
	return code;
}

static uint32_t get_mapping_flags(const struct config_volume *volume)
{
	uint32_t flags = MORTISE_ONLY_GIVEN;

	if (volume->perf & CONFIG_PERF_NO_READ_WORKQUEUE)
		flags |= MORTISE_NO_READ_WORKQUEUE;
	if (volume->perf & CONFIG_PERF_NO_WRITE_WORKQUEUE)
		flags |= MORTISE_NO_WRITE_WORKQUEUE;
	if (volume->perf & CONFIG_PERF_SAME_CPU_CRYPT)
		flags |= MORTISE_SAME_CPU_CRYPT;
	if (volume->allow_discards)
		flags |= MORTISE_ALLOW_DISCARDS;
	return flags;
}

static enum mortise_code open_volume(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	uint32_t dropped = 0;
	enum mortise_code code;

	code = volume_reload_header(plan, err);
	if (code)
		return code;
	/* Under the lock of this run, no other run can be creating this mapping. */
	if (plan->tableless_mapping) {
		code = mortise_deactivate(plan->mapping, MORTISE_CLOSE_NOW, err);
		if (code)
			return code;
	}
	code = mortise_activate(plan->header, plan->mapping, volume_plan_key(plan),
				get_mapping_flags(plan->volume), &dropped, err);
	if (!code && !*work->result->text)
		snprintf(work->result->text, sizeof(work->result->text), "opened");
	if (!code && volume_is_state(plan->volume))
		code = volume_measure_state(work->run, plan, err);
	return code;
}

/* Removes the mark that says that the file system is still to be created. */
static enum mortise_code remove_mkfs_mark(struct volume_plan *plan, struct mortise_error *err)
{
	struct luks2_update *update = NULL;
	enum mortise_code code = luks2_update_begin(plan->header, &update, err);

	if (code)
		return code;
	volume_record_mkfs_done(luks2_update_metadata(update));
	return luks2_update_commit(&update, err);
}

/* The plan of an unencrypted volume makes a file system only on an empty device. */
static enum mortise_code check_empty(const struct volume_work *work, struct mortise_error *err)
{
	const char *device = work->plan->device;
	struct disk_probe probe;
	enum mortise_code code = disk_probe(device, &work->run->events, &probe, err);

	if (!code && probe.content != DISK_EMPTY)
		code = error_set(err, MORTISE_E_CHANGED, 0,
				 "%s was empty and now holds %s; no file system is made on it",
				 device, *probe.type ? probe.type : "half a LUKS2 header");
	return code;
}

static enum mortise_code create_filesystem(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	/* No header could record that this file system is unfinished: mkfs is not canceled then. */
	const struct mortise_events *events = plan->volume->encrypted ? &work->run->events : NULL;
	char node[MORTISE_NAME_MAX + 16];
	enum mortise_code code;

	get_node_path(plan, node);
	if (plan->volume->filesystem == CONFIG_FS_SWAP)
		return disk_swap_make(&work->run->events, plan->volume->id, plan->volume->encrypted,
				      node, err);
	/* If the volume was open already, no step has loaded the header for writing yet. */
	code = plan->volume->encrypted ? volume_reload_header(plan, err) : check_empty(work, err);
	if (code)
		return code;
	code = disk_make_filesystem(events, config_filesystem_name(plan->volume->filesystem),
				    plan->volume->id, node, err);
	/* A file system that was mounted once is kept; only the mark is left over. */
	if (code == MORTISE_E_NOT_EMPTY && plan->volume->encrypted)
		code = MORTISE_OK;
	if (code)
		return code;
	work->fresh = true;
	return plan->volume->encrypted ? remove_mkfs_mark(plan, err) : MORTISE_OK;
}

/* Errors do not matter: the caller reports why the volume must not stay open. */
static void close_again(const struct volume_plan *plan, const char *root, const char *node)
{
	struct mortise_error ignored;

	if (disk_unmount(node, root, plan->mount_point, &ignored) ||
	    mortise_deactivate(plan->mapping, MORTISE_CLOSE_NOW, &ignored))
		return;
}

static enum mortise_code mount_volume(struct volume_work *work, struct mortise_error *err)
{
	const struct config_volume *volume = work->plan->volume;
	struct disk_mount_options options = {
		.root = work->run->options->root,
		.secure = volume->mount_secure,
		.noexec = volume->mount_noexec,
		.noatime = volume->mount_noatime,
		.project_quota = volume->mount_project_quota,
		.new_mode = work->fresh ? volume->mount_mode : 0,
	};
	char node[MORTISE_NAME_MAX + 16];
	enum mortise_code code = MORTISE_OK;

	/* STATE without encryption, or one that was opened earlier. */
	if (volume_is_state(volume))
		code = volume_measure_state(work->run, work->plan, err);
	if (code)
		return code;
	/* If an outer volume were mounted after this one, it would hide this one. */
	if (!volume_run_wait_for_outer(work->run, work->plan->volume))
		return events_cancel_error(err);
	get_node_path(work->plan, node);
	code = volume_fsck(work, node, &options.type, err);
	if (code)
		return code;
	code = disk_mount(&options, node, work->plan->mount_point, err);
	if (code) {
		volume_fsck_explain(work, node, options.type, err);
		return code;
	}
	if (disk_is_readonly(node))
		volume_opening_add(&work->result->opening.notices,
				   "mounted read-only, because the device is write-protected");
	code = volume_check_unsealed_state(work->plan, options.root, err);
	if (code)
		close_again(work->plan, options.root, node);
	else if (volume_filesystem_grows(work->run, volume))
		volume_grow_mounted(work, node);
	return code;
}

/* Accepts the header as it is. */
static enum mortise_code seal_header(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	struct luks2_update *update = NULL;
	enum mortise_code code = volume_reload_header(plan, err);

	if (!code)
		code = luks2_update_begin(plan->header, &update, err);
	if (code)
		return code;
	volume_record_drop_old(luks2_update_metadata(update));
	/* Nothing proves the marks of a header without a seal. */
	volume_record_mkfs_done(luks2_update_metadata(update));
	code = volume_record_set_rotation(luks2_update_metadata(update), NULL)
		       ? luks2_update_seal(update, plan->volume->id, err)
		       : error_memory(err);
	if (!code && !volume_record_raise_epoch(luks2_update_metadata(update),
						volume_memory_floor(work->run, plan)))
		code = error_memory(err);
	if (!code)
		code = luks2_update_commit(&update, err);
	luks2_update_abort(&update);
	return code;
}

enum mortise_code volume_do_step(struct volume_work *work, size_t i, struct mortise_error *err)
{
	const struct volume_step *step = &work->plan->steps[i];
	const bool opens = step->kind == MORTISE_STEP_OPEN || step->kind == MORTISE_STEP_MOUNT;
	enum mortise_code code = MORTISE_OK;

	if (opens && !volume_is_state(work->plan->volume))
		code = volume_measure_before(work->run, err);
	if (code)
		return code;
	switch (step->kind) {
	case MORTISE_STEP_FORMAT:
		return format_volume(work, err);
	case MORTISE_STEP_OPEN:
		return open_volume(work, err);
	case MORTISE_STEP_KEY_ADD:
	case MORTISE_STEP_KEY_REPLACE:
	case MORTISE_STEP_KEY_REMOVE:
	case MORTISE_STEP_KEY_RECORD:
		return volume_do_key_step(work, step, err);
	case MORTISE_STEP_MKFS:
		return create_filesystem(work, err);
	case MORTISE_STEP_MOUNT:
		return mount_volume(work, err);
	case MORTISE_STEP_SEAL:
		return seal_header(work, err);
	case MORTISE_STEP_GROW:
		return volume_do_grow(work, step, err);
	case MORTISE_STEP_GROW_FS:
		return volume_do_grow_open(work, err);
	case MORTISE_STEP_PARTITION:
		return partition_do_step(work, step, err);
	case MORTISE_STEP_ENCRYPT:
		/* Without reencryption, none of these is planned. */
		return MORTISE_REENCRYPTION ? volume_do_encrypt(work, err) : MORTISE_E_UNSUPPORTED;
	case MORTISE_STEP_REENCRYPT:
		return MORTISE_REENCRYPTION ? volume_do_reencrypt(work, step, err)
					    : MORTISE_E_UNSUPPORTED;
	case MORTISE_STEP_DECRYPT:
		return MORTISE_REENCRYPTION ? volume_do_decrypt(work, err) : MORTISE_E_UNSUPPORTED;
	case MORTISE_STEP_RESET:
		return reset_do_ordered(work, err);
	case MORTISE_STEP_KEY_FAIL:
		return error_set(err, MORTISE_E_KEY, 0, "%.500s", step->text);
	case MORTISE_STEP_WAIT:
		return error_set(err, MORTISE_E_WAIT, 0, "%.500s", step->text);
	case MORTISE_STEP_REFUSE:
		return error_set(err, MORTISE_E_NOT_EMPTY, 0, "%.500s", step->text);
	case MORTISE_STEP_FAIL:
		break;
	}
	return error_set(err, MORTISE_E_DEVICE, 0, "%.500s", step->text);
}
