/* SPDX-License-Identifier: MIT */
/* Inside dm/: the open control node, calls on it, and the names that the kernel stores. */
#ifndef DM_CONTROL_H
#define DM_CONTROL_H

#include "dm/dm.h"
#include "dm/host.h"

#include <sys/ioctl.h>

#include <linux/dm-ioctl.h>

struct dm_control {
	struct dm_kernel kernel;
	struct dm_host host;
	bool nodes;		/* the running kernel: maintain /dev/mapper/NAME, too */
	int fd;			/* -1: the kernel is the caller's */
	uint32_t version[3];	/* of the kernel's ioctl interface */
};

/* A request. Members that are zero are omitted. */
struct dm_call {
	unsigned long request;
	const char *name;	/* encoded */
	const char *uuid;	/* encoded */
	uint32_t flags;		/* DM_*_FLAG */
	uint32_t event_nr;	/* udev flags << DM_UDEV_SHIFT: never a cookie */
	uint32_t target_count;
	const struct mortise_secret *payload; /* follows the header */
};

/* The kernel's answer. data points into memory, which may contain a key. */
struct dm_reply {
	struct mortise_secret *memory;
	struct dm_ioctl header;	/* a copy; name and uuid are NUL-terminated */
	const uint8_t *data;	/* the payload, within bounds */
	size_t size;
};

/*
 * Runs a call, again with a larger buffer if the answer does not fit. Returns 0 or an errno value;
 * EPROTO: the answer is inconsistent. Call dm_reply_clear() in every case.
 */
MORTISE_MUST_CHECK int dm_run(struct dm_control *control, const struct dm_call *call,
			      struct dm_reply *reply);
void dm_reply_clear(struct dm_reply *reply);

/*
 * The error for a call that names a mapping: "cannot TASK NAME: ...", where task is, for example,
 * "read the table of". ENXIO: MORTISE_E_INACTIVE.
 */
enum mortise_code dm_call_error(struct mortise_error *err, int sys, const char *task,
				const char *name);
/* Sets err->sys_errno without appending its text. Returns code. */
enum mortise_code dm_set_errno(struct mortise_error *err, int sys, enum mortise_code code);

/* Decodes a device number of linux/dm-ioctl.h. */
dev_t dm_decode_device(uint64_t device);

/*
 * Encodes a name as libdevmapper and its udev rules do, also for the kernel: each byte other than
 * [A-Za-z0-9#+-.:=@_] becomes \xNN. An encoded name is left unchanged.
 */
MORTISE_MUST_CHECK enum mortise_code
dm_name_encode(const char *name, char encoded[static DM_NAME_LEN], struct mortise_error *err);
/* Truncates a long UUID, as cryptsetup does. */
void dm_uuid_encode(const char *uuid, char encoded[static DM_UUID_LEN]);
/* decoded is as large as encoded. */
void dm_name_decode(const char *encoded, char *decoded);

/* Sets *known to false on a kernel before 5.4 that has not loaded the target's module. */
MORTISE_MUST_CHECK enum mortise_code dm_target_query(struct dm_control *control, const char *target,
						     uint32_t version[static 3], bool *known,
						     struct mortise_error *err);
bool dm_version_before(const uint32_t version[static 3], uint32_t major, uint32_t minor,
		       uint32_t patch);

/* Removes a mapping, with a few retries while it is busy. Returns 0 or an errno value. */
int dm_remove_encoded(struct dm_control *control, const char *encoded, uint32_t flags,
		      uint32_t *flags_out);

/*
 * Resumes a mapping with the table that was loaded, or suspends it. flags: of DM_DEV_SUSPEND. Returns
 * 0 or an errno value.
 */
int dm_resume(struct dm_control *control, const char *encoded, uint32_t flags, bool hidden);

/*
 * Sends a message, size bytes with its NUL, to the first target of a mapping. Returns 0 or an errno
 * value.
 */
int dm_message(struct dm_control *control, const char *encoded, const void *text, size_t size);

/* Flags for libdevmapper's udev rules, in the upper half of event_nr. */
#define DM_UDEV_SHIFT 16
enum dm_udev_flags {
	DM_UDEV_NO_SUBSYSTEM_RULES = 0x02,
	DM_UDEV_NO_DISK_RULES = 0x04,
	DM_UDEV_NO_OTHER_RULES = 0x08,
	DM_UDEV_NO_LIBRARY_FALLBACK = 0x20,
	DM_UDEV_PRIMARY_SOURCE = 0x40,	/* the rules ignore an event without it */
};

#endif
