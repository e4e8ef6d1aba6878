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
#include "keys/kdf.h"
#include "luks2/format.h"
#include "luks2/keyslot.h"
#include "disk/filesystem.h"
#include "disk/mount.h"
#include "volume/record.h"
#include "disk/swap.h"

static void get_node_path(const struct volume_plan *plan, char node[static MORTISE_NAME_MAX + 16])
{
	if (plan->volume->encrypted)
		snprintf(node, MORTISE_NAME_MAX + 16, "/dev/mapper/%s", plan->mapping);
	else
		snprintf(node, MORTISE_NAME_MAX + 16, "%.140s", plan->device);
}

/* The passphrases of KMS and TPM keys are random and need no stretching. */
static bool needs_full_cost(const struct config_key *key)
{
	return key->kind == CONFIG_KEY_STATIC || key->kind == CONFIG_KEY_NODE_ID;
}

/* Chooses the KDF cost of a keyslot for key. The full cost is measured once in a run. */
static enum mortise_code choose_cost(struct volume_work *work, const struct config_key *key,
				     struct mortise_kdf *kdf, struct mortise_error *err)
{
	struct volume_run *run = work->run;
	enum mortise_code code = MORTISE_OK;

	if (!needs_full_cost(key)) {
		*kdf = volume_least_cost;
		return MORTISE_OK;
	}
	pthread_mutex_lock(&run->cost_lock);
	if (run->cost_known)
		goto out;
	/* Take all memory: other derivations at the same time would falsify the measurement. */
	(void)volume_budget_take(&run->budget, run->budget.total);
	if (events_canceled(&run->events))
		code = events_cancel_error(err);
	else
		code = keys_kdf_choose(run->options->cost, 64, &run->events, &run->cost, err);
	volume_budget_give_back(&run->budget, run->budget.total);
	run->cost_known = !code;
out:
	*kdf = run->cost;
	pthread_mutex_unlock(&run->cost_lock);
	return code;
}

/* Stores the token and the record of a keyslot in the update. */
static enum mortise_code stage_token(struct volume_work *work, struct luks2_update *update,
				     const struct volume_step *step,
				     const struct mortise_secret *volume_key,
				     struct mortise_error *err)
{
	const struct volume_key *made = &step->made;
	const struct volume_fingerprint_keys keys = { made->passphrase, volume_key };
	uint32_t declared = volume_declared_slots(work->plan->volume);
	struct json_object *metadata = luks2_update_metadata(update);
	uint8_t fingerprint[VOLUME_FINGERPRINT_SIZE];
	int id = step->keyslot;
	enum mortise_code code;
	bool stored = true;

	if (made->token)
		stored = volume_token_put(metadata, id, json_object_get(made->token));
	else
		volume_token_drop(metadata, id);
	code = volume_key_fingerprint(work->run, step->key, metadata, &keys, fingerprint, err);
	if (code)
		return code;
	stored = stored && volume_record_set_key(metadata, declared, id, fingerprint);
	if (stored && made->pcr_values)
		stored = volume_record_set_pcr_values(metadata, declared, id,
						      json_object_get(made->pcr_values));
	return stored ? MORTISE_OK
		      : error_set(err, MORTISE_E_NO_SPACE, 0, "no token is free for keyslot %d",
				  id);
}

/* Writes the area of a new keyslot, and puts the keyslot, its token and record into the update. */
static enum mortise_code stage_key(struct volume_work *work, struct luks2_update *update,
				   const struct volume_step *step,
				   const struct mortise_secret *volume_key,
				   struct mortise_error *err)
{
	const struct mortise_keyslot_new what = { .struct_size = sizeof(what),
						  .keyslot = step->keyslot };
	int id = step->keyslot;
	struct mortise_kdf kdf;
	const struct luks2_keyslot_request request = {
		.what = &what,
		.kdf = &kdf,
		.passphrase = step->made.passphrase,
		.key = volume_key,
	};
	enum mortise_code code = choose_cost(work, step->key, &kdf, err);

	if (code)
		return code;
	code = luks2_keyslot_stage(update, &request, &id, err);
	return code ? code : stage_token(work, update, step, volume_key, err);
}

/* Loads the header for writing, if it is still the one that the plan was made for. */
static enum mortise_code reload_header(struct volume_plan *plan, struct mortise_error *err)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = plan->device,
						   .events = luks2_header_events(plan->header) };
	struct mortise_luks2 *now = NULL;
	enum mortise_code code;

	if (!luks2_header_is_readonly(plan->header))
		return MORTISE_OK;
	code = mortise_luks2_load(&location, &now, err);
	if (code)
		return code;
	if (!luks2_header_equal(now, plan->header)) {
		mortise_luks2_free(&now);
		return error_set(err, MORTISE_E_CHANGED, 0,
				 "the header of %s has changed since the plan was made; run the "
				 "command again",
				 plan->device);
	}
	luks2_header_inherit(now, plan->header);
	mortise_luks2_free(&plan->header);
	plan->header = now;
	return MORTISE_OK;
}

/* Does the step add one of the keys of a format? Call volume_make_keys first. */
static bool has_key(const struct volume_step *step)
{
	return step->made.passphrase;
}

/* Stages all available keys and the mark for mkfs, and commits them with the finished format. */
static enum mortise_code write_first_keys(struct volume_work *work, struct mortise_error *err)
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
		code = stage_key(work, update, &plan->steps[i], volume_plan_key(plan), err);
		if (code)
			goto out;
	}
	if (config_filesystem_is_persistent(volume->filesystem) &&
	    !volume_record_set_mkfs(luks2_update_metadata(update), volume_declared_slots(volume),
				    config_filesystem_name(volume->filesystem))) {
		code = error_set(err, MORTISE_E_NO_SPACE, 0, "no token is free");
		goto out;
	}
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
	const struct mortise_format format = {
		.struct_size = sizeof(format),
		.cipher = plan->volume->cipher,
		.key_size = plan->volume->key_size,
		.sector_size = plan->volume->block_size,
	};
	struct disk_probe probe;
	enum mortise_code code;

	code = disk_probe(plan->device, &probe, err);
	if (code)
		return code;
	if (probe.content != DISK_EMPTY && probe.content != DISK_UNFINISHED)
		return error_set(err, MORTISE_E_CHANGED, 0,
				 "not formatted: %s was empty, but now holds %s", plan->device,
				 probe.type);
	code = mortise_luks2_format(&location, &format, &plan->header, err);
	if (code)
		return code;
	luks2_header_set_limiter(plan->header, volume_budget_limiter(&work->run->budget));
	return write_first_keys(work, err);
}

/*
 * Opens the device and locks it: udev and Talos do not touch a block device while another process
 * holds this lock. On a file, this would be the metadata lock, which writing the header takes.
 */
static enum mortise_code lock_device(struct volume_work *work, int *fd, struct mortise_error *err)
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

/* Fails before the first write if the kernel could not open the new volume. */
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

/* Writes one header with all available keys, in one commit. */
static enum mortise_code format_volume(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	struct mortise_kdf cost;
	enum mortise_code code;
	int fd = -1;

	code = check_mapping_name(plan, err);
	if (code)
		return code;
	/* Measure the cost before anything is locked or written. */
	for (size_t i = 0; i < plan->step_count; i++) {
		if (!has_key(&plan->steps[i]))
			continue;
		code = choose_cost(work, plan->steps[i].key, &cost, err);
		if (code)
			return code;
	}
	code = lock_device(work, &fd, err);
	if (code)
		goto out;
	code = format_locked(work, err);
	if (code)
		goto out;
	snprintf(work->result->text, sizeof(work->result->text), "formatted");
	for (size_t i = 0; plan->opened < 0 && i < plan->step_count; i++)
		if (has_key(&plan->steps[i]))
			plan->opened = plan->steps[i].keyslot;
out:
	if (fd >= 0)
		close(fd);
	return code;
}

static uint32_t get_mapping_flags(const struct config_volume *volume)
{
	uint32_t flags = 0;

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

	code = reload_header(plan, err);
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
	return code;
}

/* Puts the change of a key step into the update. */
static enum mortise_code stage_key_step(struct volume_work *work, struct luks2_update *update,
					const struct volume_step *step, struct mortise_error *err)
{
	struct json_object *metadata = luks2_update_metadata(update);
	enum mortise_code code;

	if (step->kind == MORTISE_STEP_KEY_RECORD) {
		if (volume_record_set_key(metadata, volume_declared_slots(work->plan->volume),
					  step->keyslot, step->fingerprint))
			return MORTISE_OK;
		return error_set(err, MORTISE_E_NO_SPACE, 0, "no token is free");
	}
	if (step->kind == MORTISE_STEP_KEY_REPLACE || step->kind == MORTISE_STEP_KEY_REMOVE) {
		code = luks2_keyslot_stage_removal(update, step->keyslot, true, err);
		if (code)
			return code;
		volume_record_forget_key(metadata, step->keyslot);
		volume_token_drop(metadata, step->keyslot);
	}
	if (step->kind == MORTISE_STEP_KEY_REMOVE)
		return MORTISE_OK;
	return stage_key(work, update, step, volume_plan_key(work->plan), err);
}

static enum mortise_code change_keyslot(struct volume_work *work, const struct volume_step *step,
					struct mortise_error *err)
{
	struct luks2_update *update = NULL;
	struct mortise_kdf cost;
	enum mortise_code code;

	code = reload_header(work->plan, err);
	if (code)
		return code;
	/* Measure the cost, which can take seconds, before the update takes its lock. */
	if (step->kind == MORTISE_STEP_KEY_ADD || step->kind == MORTISE_STEP_KEY_REPLACE) {
		code = choose_cost(work, step->key, &cost, err);
		if (code)
			return code;
	}
	code = luks2_update_begin(work->plan->header, &update, err);
	if (code)
		return code;
	code = stage_key_step(work, update, step, err);
	if (!code)
		code = luks2_update_commit(&update, err);
	luks2_update_abort(&update);
	return code;
}

static enum mortise_code do_key_step(struct volume_work *work, const struct volume_step *step,
				     struct mortise_error *err)
{
	static const char *const verbs[] = {
		[MORTISE_STEP_KEY_ADD] = "add",
		[MORTISE_STEP_KEY_REPLACE] = "replace",
		[MORTISE_STEP_KEY_REMOVE] = "remove",
		[MORTISE_STEP_KEY_RECORD] = "record",
	};
	enum mortise_code code;

	/* The key could not be made. */
	if (step->why.code) {
		if (err)
			*err = step->why;
		return step->why.code;
	}
	/* A format has written its keys already, in one commit. */
	if (work->plan->steps[0].kind == MORTISE_STEP_FORMAT)
		return MORTISE_OK;
	code = change_keyslot(work, step, err);
	if (code && step->key)
		error_prefix(err, "cannot %s keyslot %d (%s)", verbs[step->kind], step->keyslot,
			     config_key_kind_name(step->key->kind));
	else if (code)
		error_prefix(err, "cannot %s keyslot %d", verbs[step->kind], step->keyslot);
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
	if (plan->volume->encrypted) {
		code = reload_header(plan, err);
		if (code)
			return code;
	}
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

static enum mortise_code mount_volume(struct volume_work *work, struct mortise_error *err)
{
	const struct config_volume *volume = work->plan->volume;
	const struct disk_mount_options options = {
		.type = config_filesystem_name(volume->filesystem),
		.secure = volume->mount_secure,
		.noexec = volume->mount_noexec,
		.noatime = volume->mount_noatime,
		.project_quota = volume->mount_project_quota,
		.new_mode = work->fresh ? volume->mount_mode : 0,
	};
	char node[MORTISE_NAME_MAX + 16];

	/* If an outer volume were mounted after this one, it would hide this one. */
	if (!volume_run_wait_for_outer(work->run, work->plan->volume))
		return events_cancel_error(err);
	get_node_path(work->plan, node);
	return disk_mount(&options, node, work->plan->mount_point, err);
}

enum mortise_code volume_do_step(struct volume_work *work, size_t i, struct mortise_error *err)
{
	const struct volume_step *step = &work->plan->steps[i];

	switch (step->kind) {
	case MORTISE_STEP_FORMAT:
		return format_volume(work, err);
	case MORTISE_STEP_OPEN:
		return open_volume(work, err);
	case MORTISE_STEP_KEY_ADD:
	case MORTISE_STEP_KEY_REPLACE:
	case MORTISE_STEP_KEY_REMOVE:
	case MORTISE_STEP_KEY_RECORD:
		return do_key_step(work, step, err);
	case MORTISE_STEP_MKFS:
		return create_filesystem(work, err);
	case MORTISE_STEP_MOUNT:
		return mount_volume(work, err);
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
