/* SPDX-License-Identifier: MIT */
/* The steps of a plan. Before its first write each compares the device with the plan once more. */
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

static void node_path(const struct volume_plan *plan, char node[static MORTISE_NAME_MAX + 16])
{
	if (plan->volume->encrypted)
		snprintf(node, MORTISE_NAME_MAX + 16, "/dev/mapper/%s", plan->mapping);
	else
		snprintf(node, MORTISE_NAME_MAX + 16, "%.140s", plan->device);
}

/* Passphrases that are random need no cost; what people make up and machines show does. */
static bool needs_full_cost(const struct config_key *key)
{
	return key->kind == CONFIG_KEY_STATIC || key->kind == CONFIG_KEY_NODE_ID;
}

/* The cost of a keyslot for key. The full one is measured once. */
static enum mortise_code cost_of(struct volume_work *work, const struct config_key *key,
				 struct mortise_kdf *kdf, struct mortise_error *err)
{
	struct volume_run *run = work->run;
	enum mortise_code code = MORTISE_OK;

	if (!needs_full_cost(key)) {
		*kdf = volume_least_cost;
		return MORTISE_OK;
	}
	pthread_mutex_lock(&run->cost_lock);
	if (!run->cost_known) {
		/* All memory: other derivations at the same time would falsify the measurement. */
		(void)volume_budget_take(&run->budget, run->budget.total);
		code = events_canceled(&run->events)
			       ? events_cancel_error(err)
			       : keys_kdf_choose(run->options->cost, 64, &run->events, &run->cost,
						 err);
		volume_budget_give_back(&run->budget, run->budget.total);
		run->cost_known = !code;
	}
	*kdf = run->cost;
	pthread_mutex_unlock(&run->cost_lock);
	return code;
}

/* The token and the record that belong to a keyslot that has just been staged. */
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

/* Writes the area of a declared key and puts its keyslot, token and record into the update. */
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
	enum mortise_code code = cost_of(work, step->key, &kdf, err);

	if (!code)
		code = luks2_keyslot_stage(update, &request, &id, err);
	return code ? code : stage_token(work, update, step, volume_key, err);
}

/* Loads the header for writing: it must be the one that the plan was made for. */
static enum mortise_code reload(struct volume_plan *plan, struct mortise_error *err)
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
				 "the header of %s has changed since the plan was made; run again",
				 plan->device);
	}
	luks2_header_inherit(now, plan->header);
	mortise_luks2_free(&plan->header);
	plan->header = now;
	return MORTISE_OK;
}

static enum mortise_code format_locked(struct volume_work *work, size_t first,
				       struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	const struct config_volume *volume = plan->volume;
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = plan->device,
						   .events = &work->run->events };
	const struct mortise_format format = {
		.struct_size = sizeof(format),
		.cipher = volume->cipher,
		.key_size = volume->key_size,
		.sector_size = volume->block_size,
	};
	struct luks2_update *update;
	struct disk_probe probe;
	enum mortise_code code;

	code = disk_probe(plan->device, &probe, err);
	if (!code && probe.content != DISK_EMPTY && probe.content != DISK_UNFINISHED)
		code = error_set(err, MORTISE_E_CHANGED, 0,
				 "%s was empty and now holds %s; not formatted", plan->device,
				 probe.type);
	if (!code)
		code = mortise_luks2_format(&location, &format, &plan->header, err);
	if (!code)
		luks2_header_set_limiter(plan->header, volume_budget_limiter(&work->run->budget));
	if (!code)
		code = luks2_update_begin(plan->header, &update, err);
	if (code)
		return code;
	for (size_t i = first; !code && i < plan->step_count; i++)
		if (plan->steps[i].made.passphrase)
			code = stage_key(work, update, &plan->steps[i], volume_plan_key(plan), err);
	if (!code && config_filesystem_is_persistent(volume->filesystem) &&
	    !volume_record_set_mkfs(luks2_update_metadata(update), volume_declared_slots(volume),
				    config_filesystem_name(volume->filesystem)))
		code = error_set(err, MORTISE_E_NO_SPACE, 0, "no token is free");
	if (code) {
		luks2_update_abort(&update);
		return code;
	}
	luks2_format_finish(update);
	return luks2_update_commit(&update, err);
}

/* One header, committed once, with all available keys. */
static enum mortise_code do_format(struct volume_work *work, size_t first,
				   struct mortise_error *err)
{
	struct mortise_kdf cost;
	enum mortise_code code;
	struct stat st;
	int fd;

	/* Do not format a volume that this kernel could not open. */
	code = mortise_is_active(work->plan->mapping, err);
	if (!code)
		return error_set(err, MORTISE_E_EXISTS, 0, "Device %s already exists.",
				 work->plan->mapping);
	if (code != MORTISE_E_INACTIVE)
		return code;
	/* Measured before anything is locked or written. */
	code = MORTISE_OK;
	for (size_t i = first; !code && i < work->plan->step_count; i++)
		if (work->plan->steps[i].made.passphrase)
			code = cost_of(work, work->plan->steps[i].key, &cost, err);
	if (code)
		return code;
	fd = open(work->plan->device, O_RDONLY | O_CLOEXEC);
	if (fd < 0 || fstat(fd, &st))
		code = error_set(err, MORTISE_E_DEVICE, errno, "cannot open %s",
				 work->plan->device);
	/*
	 * udev and Talos leave a block device alone while another process holds this lock. On a
	 * file it would be the metadata lock itself, which the header is written under.
	 */
	else if (S_ISBLK(st.st_mode))
		code = events_lock(&work->run->events, fd, LOCK_EX, UINT64_MAX, work->plan->device,
				   err);
	if (!code)
		code = format_locked(work, first, err);
	if (fd >= 0)
		close(fd);
	if (!code)
		snprintf(work->result->text, sizeof(work->result->text), "formatted");
	for (size_t i = first; !code && work->plan->opened < 0 && i < work->plan->step_count; i++)
		if (work->plan->steps[i].made.passphrase)
			work->plan->opened = work->plan->steps[i].keyslot;
	return code;
}

static enum mortise_code do_open(struct volume_work *work, struct mortise_error *err)
{
	const struct config_volume *volume = work->plan->volume;
	uint32_t flags = 0, dropped = 0;
	enum mortise_code code;

	if (volume->perf & CONFIG_PERF_NO_READ_WORKQUEUE)
		flags |= MORTISE_NO_READ_WORKQUEUE;
	if (volume->perf & CONFIG_PERF_NO_WRITE_WORKQUEUE)
		flags |= MORTISE_NO_WRITE_WORKQUEUE;
	if (volume->perf & CONFIG_PERF_SAME_CPU_CRYPT)
		flags |= MORTISE_SAME_CPU_CRYPT;
	if (volume->allow_discards)
		flags |= MORTISE_ALLOW_DISCARDS;
	code = reload(work->plan, err);
	/* The lock of this run is held, so that no other is just making it. */
	if (!code && work->plan->tableless_mapping)
		code = mortise_deactivate(work->plan->mapping, MORTISE_CLOSE_NOW, err);
	if (!code)
		code = mortise_activate(work->plan->header, work->plan->mapping,
					volume_plan_key(work->plan), flags, &dropped, err);
	if (!code && !*work->result->text)
		snprintf(work->result->text, sizeof(work->result->text), "opened");
	return code;
}

static enum mortise_code do_key_step(struct volume_work *work, const struct volume_step *step,
				     struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	struct luks2_update *update;
	struct mortise_kdf cost;
	enum mortise_code code = reload(plan, err);

	/* Measured before the lock is taken: it can last seconds. */
	if (!code && (step->kind == MORTISE_STEP_KEY_ADD || step->kind == MORTISE_STEP_KEY_REPLACE))
		code = cost_of(work, step->key, &cost, err);
	if (!code)
		code = luks2_update_begin(plan->header, &update, err);
	if (code)
		return code;
	if (step->kind == MORTISE_STEP_KEY_REPLACE || step->kind == MORTISE_STEP_KEY_REMOVE) {
		code = luks2_keyslot_stage_removal(update, step->keyslot, true, err);
		volume_record_forget_key(luks2_update_metadata(update), step->keyslot);
		volume_token_drop(luks2_update_metadata(update), step->keyslot);
	}
	if (!code && step->kind == MORTISE_STEP_KEY_RECORD) {
		if (!volume_record_set_key(luks2_update_metadata(update),
					   volume_declared_slots(plan->volume), step->keyslot,
					   step->fingerprint))
			code = error_set(err, MORTISE_E_NO_SPACE, 0, "no token is free");
	} else if (!code && step->kind != MORTISE_STEP_KEY_REMOVE) {
		code = stage_key(work, update, step, volume_plan_key(plan), err);
	}
	if (code) {
		luks2_update_abort(&update);
		return code;
	}
	return luks2_update_commit(&update, err);
}

static enum mortise_code do_key_step_named(struct volume_work *work, const struct volume_step *step,
					   struct mortise_error *err)
{
	enum mortise_code code = do_key_step(work, step, err);

	static const char *const verbs[] = {
		[MORTISE_STEP_KEY_ADD] = "add",
		[MORTISE_STEP_KEY_REPLACE] = "replace",
		[MORTISE_STEP_KEY_REMOVE] = "remove",
		[MORTISE_STEP_KEY_RECORD] = "record",
	};

	if (!code)
		return MORTISE_OK;
	if (step->key)
		error_prefix(err, "cannot %s keyslot %d (%s)", verbs[step->kind], step->keyslot,
			     config_key_kind_name(step->key->kind));
	else
		error_prefix(err, "cannot %s keyslot %d", verbs[step->kind], step->keyslot);
	return code;
}

static enum mortise_code do_mkfs(struct volume_work *work, struct mortise_error *err)
{
	struct volume_plan *plan = work->plan;
	/* Without a header to mark it in, an unfinished file system would be refused ever after. */
	const struct mortise_events *events = plan->volume->encrypted ? &work->run->events : NULL;
	char node[MORTISE_NAME_MAX + 16];
	struct luks2_update *update;
	enum mortise_code code = MORTISE_OK;

	node_path(plan, node);
	if (plan->volume->filesystem == CONFIG_FS_SWAP)
		return disk_swap_make(&work->run->events, plan->volume->id, plan->volume->encrypted,
				      node, err);
	/* A volume that was open already: nothing has loaded the header for writing yet. */
	if (plan->volume->encrypted)
		code = reload(plan, err);
	if (!code)
		code = disk_make_filesystem(events,
					    config_filesystem_name(plan->volume->filesystem),
					    plan->volume->id, node, err);
	/* Whole and then mounted by others, with only the mark left over: it is the file system. */
	if (code == MORTISE_E_NOT_EMPTY && plan->volume->encrypted)
		code = MORTISE_OK;
	work->fresh = !code;
	if (code || !plan->volume->encrypted)
		return code;
	code = luks2_update_begin(plan->header, &update, err);
	if (code)
		return code;
	volume_record_mkfs_done(luks2_update_metadata(update));
	return luks2_update_commit(&update, err);
}

static enum mortise_code do_mount(struct volume_work *work, struct mortise_error *err)
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

	/* A volume that is mounted above this one later would hide it. */
	if (!volume_run_wait_for_outer(work->run, work->plan->volume))
		return events_cancel_error(err);
	node_path(work->plan, node);
	return disk_mount(&options, node, work->plan->mount_point, err);
}

enum mortise_code volume_do_step(struct volume_work *work, size_t i, struct mortise_error *err)
{
	const struct volume_step *step = &work->plan->steps[i];

	switch (step->kind) {
	case MORTISE_STEP_FORMAT:
		return do_format(work, i, err);
	case MORTISE_STEP_OPEN:
		return do_open(work, err);
	case MORTISE_STEP_KEY_ADD:
	case MORTISE_STEP_KEY_REPLACE:
	case MORTISE_STEP_KEY_REMOVE:
	case MORTISE_STEP_KEY_RECORD:
		if (step->why.code) {
			if (err)
				*err = step->why;
			return step->why.code;
		}
		/* The format has written the keys already, with its one commit. */
		if (work->plan->steps[0].kind == MORTISE_STEP_FORMAT)
			return MORTISE_OK;
		return do_key_step_named(work, step, err);
	case MORTISE_STEP_MKFS:
		return do_mkfs(work, err);
	case MORTISE_STEP_MOUNT:
		return do_mount(work, err);
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
