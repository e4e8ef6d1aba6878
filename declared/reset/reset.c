/* SPDX-License-Identifier: MIT */
/* Resetting volumes: each is closed, locked, compared, wiped, and checked to be empty. */
#include "declared/reset/reset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"
#include "declared/continue.h"
#include "disk/users.h"
#include "disk/wipe.h"

/* The id of a volume is its name with one of these. */
static const char *const prefixes[] = { "", "u-", "r-", "s-" };
#define PREFIXES (sizeof(prefixes) / sizeof(prefixes[0]))

struct progress {
	const struct mortise_events *events;
	const char *volume;
};

static bool report_progress(void *context, const char *step, uint64_t done, uint64_t total)
{
	const struct progress *progress = context;

	return events_progress(progress->events, progress->volume, step, done, total);
}

/*
 * Opens and locks a block device until the reset has finished. O_EXCL keeps other processes from
 * mounting or mapping it, and the lock keeps udev and Talos from touching it. On a file, this would
 * be the metadata lock.
 */
static enum mortise_code hold_device(const struct luks2_device *device,
				     const struct mortise_events *events, int *fd,
				     struct mortise_error *err)
{
	if (!device->block)
		return MORTISE_OK;
	*fd = open(device->path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0 && errno == EBUSY)
		return error_set(err, MORTISE_E_BUSY, 0,
				 "%s is in use: it is mounted in another mount namespace, or a "
				 "program has opened it exclusively; close it first",
				 device->path);
	if (*fd < 0)
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot open %s", device->path);
	return events_lock(events, *fd, LOCK_EX, UINT64_MAX, device->path, err);
}

/* Checks that device and contents are still those that the user has confirmed. */
static enum mortise_code check_unchanged(const struct luks2_device *device,
					 const struct mortise_events *events,
					 const struct reset_target *target,
					 struct mortise_error *err)
{
	struct disk_probe now;
	enum mortise_code code;

	if (device->number != target->number || device->inode != target->inode ||
	    device->size != target->size)
		return error_set(
			err, MORTISE_E_CHANGED, 0,
			"%s is no longer the device that was listed; run the command again",
			device->path);
	code = disk_probe(device->path, events, &now, err);
	if (code)
		return code;
	if (now.content != target->probe.content || strcmp(now.type, target->probe.type) != 0)
		return error_set(err, MORTISE_E_CHANGED, 0,
				 "%s contained %s when it was listed, but now contains %s; run "
				 "the command again",
				 device->path, reset_content_text(&target->probe),
				 reset_content_text(&now));
	return MORTISE_OK;
}

static enum mortise_code check_empty(const struct luks2_device *device,
				     const struct mortise_events *events, struct mortise_error *err)
{
	struct disk_probe probe;
	enum mortise_code code = disk_probe(device->path, events, &probe, err);

	if (code)
		return code;
	if (probe.content != DISK_EMPTY)
		return error_set(err, MORTISE_E_NOT_EMPTY, 0,
				 "%s still contains %s after it was wiped: the device does not "
				 "store the data written to it",
				 device->path, reset_content_text(&probe));
	return MORTISE_OK;
}

static enum mortise_code wipe_target(struct luks2_device *device, const struct mortise_reset *reset,
				     const struct reset_target *target, struct mortise_error *err)
{
	struct progress progress = { .events = reset->events, .volume = target->name };
	const struct disk_wipe how = { .full = reset->full,
				       .progress = report_progress,
				       .context = &progress };
	enum mortise_code code;

	code = luks2_device_writable(device, err);
	if (code)
		return code;
	code = luks2_device_lock(device, true, err);
	if (code)
		return code;
	code = disk_wipe(device, &how, err);
	if (code)
		goto out;
	/* Before the mark is removed, so that after a power cut another reset does this again. */
	code = reset_forget_known(reset, target, err);
	if (code)
		goto out;
	if (*reset->meta && !strcmp(target->name, CONFIG_STATE)) {
		code = mortise_meta_delete(reset->meta, reset->events,
					   MORTISE_META_STATE_ENCRYPTION, err);
		if (code)
			goto out;
	}
	code = disk_wipe_end(device, err);
out:
	luks2_device_unlock(device);
	return code;
}

/* Removes the records of its opening and a mapping without table, under each possible id. */
static void forget_opening(const char *name)
{
	char id[MORTISE_NAME_MAX + 3], mapping[sizeof(id) + 8];

	for (size_t i = 0; i < PREFIXES; i++) {
		const struct config_volume volume = { .id = id };

		snprintf(id, sizeof(id), "%s%s", prefixes[i], name);
		volume_opening_forget(&volume);
		snprintf(mapping, sizeof(mapping), "luks2-%s", id);
		disk_drop_tableless(mapping);
	}
}

/* A process that re-encrypts the volume while it is in use writes to the device. */
static enum mortise_code stop_reencryption(const char *name, const struct mortise_events *events,
					   int stopped[static PREFIXES], struct mortise_error *err)
{
	char id[MORTISE_NAME_MAX + 3];
	const struct config_volume volume = { .name = id, .id = id };
	enum mortise_code code = MORTISE_OK;

	for (size_t i = 0; !code && i < PREFIXES; i++) {
		snprintf(id, sizeof(id), "%s%s", prefixes[i], name);
		code = volume_continue_stop(&volume, events, &stopped[i], err);
	}
	return code;
}

enum mortise_code reset_volume(const struct mortise_reset *reset, const struct reset_target *target,
			       struct mortise_error *err)
{
	int held = -1, stopped[PREFIXES] = { -1, -1, -1, -1 };
	struct luks2_device *device = NULL;
	enum mortise_code code;

	code = luks2_device_open(target->device, true, &device, err);
	if (code)
		goto out;
	code = stop_reencryption(target->name, reset->events, stopped, err);
	if (code)
		goto out;
	code = disk_release(device, err);
	if (code)
		goto out;
	code = hold_device(device, reset->events, &held, err);
	if (code)
		goto out;
	code = check_unchanged(device, reset->events, target, err);
	if (code)
		goto out;
	code = wipe_target(device, reset, target, err);
	if (code)
		goto out;
	code = check_empty(device, reset->events, err);
	if (code)
		goto out;
	forget_opening(target->name);
out:
	if (held >= 0)
		close(held);
	for (size_t i = 0; i < PREFIXES; i++)
		if (stopped[i] >= 0)
			close(stopped[i]);
	luks2_device_close(device);
	if (code)
		error_prefix(err, "%s", target->name);
	return code;
}

enum mortise_code mortise_reset_run(struct mortise_reset *reset, struct mortise_error *err)
{
	enum mortise_code code;
	int lock = -1;

	code = volume_run_lock(reset->events, &lock, err);
	if (code)
		return code;
	for (size_t i = 0; !code && i < reset->count; i++) {
		code = reset_volume(reset, &reset->targets[i], err);
		if (!code && reset->drop)
			code = reset_drop(reset, &reset->targets[i], err);
	}
	close(lock);
	return code;
}
