/* SPDX-License-Identifier: MIT */
/* Resetting what was found: closed, locked, looked at once more, wiped, looked at again. */
#include "declared/reset/reset.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/file.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"
#include "declared/declared.h"
#include "disk/users.h"
#include "disk/wipe.h"

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
 * Held until the end: meanwhile the kernel neither mounts the device nor creates a mapping on it for
 * another process, and udev and Talos leave it alone. On a file the lock would be the metadata lock.
 */
static enum mortise_code hold(const struct luks2_device *device,
			      const struct mortise_events *events, int *fd,
			      struct mortise_error *err)
{
	if (!device->block)
		return MORTISE_OK;
	*fd = open(device->path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (*fd < 0 && errno == EBUSY)
		return error_set(err, MORTISE_E_BUSY, 0,
				 "%s is in use: another mount namespace has it mounted, or a "
				 "program has it for itself",
				 device->path);
	if (*fd < 0)
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot open %s", device->path);
	return events_lock(events, *fd, LOCK_EX, UINT64_MAX, device->path, err);
}

/* Is it the device, with the contents, that the user has confirmed? */
static enum mortise_code look_again(const struct luks2_device *device,
				    const struct reset_target *target, struct mortise_error *err)
{
	struct disk_probe now;
	enum mortise_code code;

	if (device->number != target->number || device->inode != target->inode ||
	    device->size != target->size)
		return error_set(err, MORTISE_E_CHANGED, 0,
				 "%s is another device now than when it was found; run again",
				 device->path);
	code = disk_probe(device->path, NULL, &now, err);
	if (!code &&
	    (now.content != target->probe.content || strcmp(now.type, target->probe.type) != 0))
		code = error_set(err, MORTISE_E_CHANGED, 0,
				 "%s held %s when it was found, and now %s; run again",
				 device->path, reset_content_text(&target->probe),
				 reset_content_text(&now));
	return code;
}

static enum mortise_code check_empty(const struct luks2_device *device, struct mortise_error *err)
{
	struct disk_probe probe;
	enum mortise_code code = disk_probe(device->path, NULL, &probe, err);

	if (!code && probe.content != DISK_EMPTY)
		code = error_set(
			err, MORTISE_E_NOT_EMPTY, 0,
			"%s was wiped and still holds %s: it does not keep what is written",
			device->path, reset_content_text(&probe));
	return code;
}

static enum mortise_code wipe(struct luks2_device *device, const struct mortise_reset *reset,
			      const struct reset_target *target, struct mortise_error *err)
{
	struct progress progress = { .events = reset->events, .volume = target->name };
	const struct disk_wipe how = { .full = reset->full,
				       .progress = report_progress,
				       .context = &progress };
	enum mortise_code code = luks2_device_writable(device, err);

	if (!code)
		code = luks2_device_lock(device, true, err);
	if (code)
		return code;
	code = disk_wipe(device, &how, err);
	/* Before the mark goes: cut off here, another reset does it again. */
	if (!code && *reset->meta && !strcmp(target->name, CONFIG_STATE))
		code = mortise_meta_delete(reset->meta, reset->events,
					   MORTISE_META_STATE_ENCRYPTION, err);
	if (!code)
		code = disk_wipe_end(device, err);
	luks2_device_unlock(device);
	return code;
}

/* What is left of its opening, under any id that it may have had. */
static void forget(const char *name)
{
	static const char *const prefixes[] = { "", "u-", "r-", "s-" };
	char id[MORTISE_NAME_MAX + 3], mapping[sizeof(id) + 8];

	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		const struct config_volume volume = { .id = id };

		snprintf(id, sizeof(id), "%s%s", prefixes[i], name);
		volume_opening_forget(&volume);
		snprintf(mapping, sizeof(mapping), "luks2-%s", id);
		disk_drop_tableless(mapping);
	}
}

static enum mortise_code reset_one(const struct mortise_reset *reset,
				   const struct reset_target *target, struct mortise_error *err)
{
	struct luks2_device *device = NULL;
	enum mortise_code code;
	int held = -1;

	code = luks2_device_open(target->device, true, &device, err);
	if (!code)
		code = disk_release(device, err);
	if (!code)
		code = hold(device, reset->events, &held, err);
	if (!code)
		code = look_again(device, target, err);
	if (!code)
		code = wipe(device, reset, target, err);
	if (!code)
		code = check_empty(device, err);
	if (!code)
		forget(target->name);
	if (held >= 0)
		close(held);
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
	for (size_t i = 0; !code && i < reset->count; i++)
		code = reset_one(reset, &reset->targets[i], err);
	if (lock >= 0)
		close(lock);
	return code;
}
