/* SPDX-License-Identifier: MIT */
/* Removing a mapping: now, after its last close, or canceling that. */
#include "dm/control.h"
#include "base/error.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

/*
 * blkid and udev open a device for a moment after it was written to. The pauses of 10, 20, 40 ... 640
 * ms between the tries are 5.1 s in total, as long as libdevmapper waits.
 */
#define TRIES	    14u
#define FIRST_PAUSE 10u /* ms */
#define LAST_PAUSE  640u

bool dm_pause(void *context, unsigned ms)
{
	const struct timespec time = { (time_t)(ms / 1000), (long)(ms % 1000) * 1000000L };

	(void)context;
	return nanosleep(&time, NULL) == 0;
}

int dm_remove_encoded(struct dm_control *control, const char *encoded, uint32_t flags,
		      uint32_t *flags_out)
{
	const struct dm_call call = {
		.request = DM_DEV_REMOVE,
		.name = encoded,
		.flags = flags,
		.event_nr = (uint32_t)(DM_UDEV_PRIMARY_SOURCE | DM_UDEV_NO_LIBRARY_FALLBACK)
			    << DM_UDEV_SHIFT,
	};
	unsigned pause = FIRST_PAUSE;
	struct dm_reply reply;
	unsigned i;
	int sys;

	for (i = 1;; i++) {
		sys = dm_run(control, &call, &reply);
		if (flags_out)
			*flags_out = reply.header.flags;
		dm_reply_clear(&reply);
		if (sys != EBUSY || i == TRIES)
			return sys;
		if (!control->host.pause(control->host.context, pause))
			return sys;
		if (pause < LAST_PAUSE)
			pause *= 2;
	}
}

static enum mortise_code busy_error(struct dm_control *control, const char *name, dev_t device,
				    struct mortise_error *err)
{
	char user[160] = "Unmount it or close the mapping above it first.";

	/* With a caller's kernel, sysfs describes another one. */
	if (control->nodes)
		(void)dm_sysfs_describe_user(device, user, sizeof(user));
	return dm_set_errno(
		err, EBUSY,
		error_set(err, MORTISE_E_BUSY, 0, "Device %s is still in use. %s", name, user));
}

static enum mortise_code cancel_removal(struct dm_control *control, const char *name,
					const char *encoded, struct mortise_error *err)
{
	static const char message[] = "@cancel_deferred_remove";
	const int sys = dm_message(control, encoded, message, sizeof(message));

	if (sys == EBUSY)
		return dm_set_errno(err, sys,
				    error_set(err, MORTISE_E_BUSY, 0,
					      "Device %s is already being removed.", name));
	return sys ? dm_call_error(err, sys, "cancel the deferred removal of", name) : MORTISE_OK;
}

enum mortise_code dm_remove(struct dm_control *control, const char *name, enum dm_remove_mode mode,
			    struct mortise_error *err)
{
	bool deferred = mode == DM_REMOVE_DEFERRED;
	char encoded[DM_NAME_LEN];
	enum mortise_code code;
	uint32_t flags = 0;
	struct dm_info info;
	int sys;

	code = dm_info(control, name, &info, err);
	if (!code)
		code = dm_name_encode(name, encoded, err);
	if (code)
		return code;
	if (mode == DM_REMOVE_CANCEL_DEFERRED)
		return cancel_removal(control, name, encoded, err);
	/* Linux 3.13 has interface 4.27. An older kernel ignores the flag. */
	if (deferred && dm_version_before(control->version, 4, 27, 0))
		return error_set(err, MORTISE_E_KERNEL, 0,
				 "Requested deferred flag is not supported. The kernel has version "
				 "%u.%u.%u of device-mapper's interface, 4.27.0 is needed.",
				 control->version[0], control->version[1], control->version[2]);
	sys = dm_remove_encoded(control, encoded, deferred ? DM_DEFERRED_REMOVE : 0, &flags);
	if (sys == EBUSY)
		return busy_error(control, name, info.device, err);
	if (sys)
		return dm_call_error(err, sys, "remove", name);
	/* The kernel returns the flag if the mapping stays until its last close. */
	if (control->nodes && !(deferred && (flags & DM_DEFERRED_REMOVE)))
		dm_node_remove(encoded, info.device);
	return MORTISE_OK;
}
