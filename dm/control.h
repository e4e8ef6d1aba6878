/* SPDX-License-Identifier: MIT */
/* Inside dm/: the open control node, one call on it, and names as the kernel stores them. */
#ifndef DM_CONTROL_H
#define DM_CONTROL_H

#include "dm/dm.h"
#include "dm/host.h"

#include <sys/ioctl.h>

#include <linux/dm-ioctl.h>

struct dm_control {
	struct dm_kernel kernel;
	struct dm_host host;
	bool nodes;		/* a real kernel: see to /dev/mapper/NAME as well */
	int fd;			/* -1 over a kernel of the caller's */
	uint32_t version[3];	/* of the kernel's ioctl interface */
};

/* A request; what is zero is left out. */
struct dm_call {
	unsigned long request;
	const char *name;	/* encoded */
	const char *uuid;	/* encoded */
	uint32_t flags;		/* DM_*_FLAG */
	uint32_t event_nr;	/* udev flags << DM_UDEV_SHIFT: never a cookie */
	uint32_t target_count;
	const struct mortise_secret *payload; /* goes behind the header */
};

/* What the kernel answered. Everything lies in memory, which may hold a key. */
struct dm_reply {
	struct mortise_secret *memory;
	struct dm_ioctl header;	/* a copy; name and uuid are NUL-terminated */
	const uint8_t *data;	/* behind the header, bounds checked */
	size_t size;
};

/*
 * Runs one call, with a larger buffer for as long as the kernel says that it is too small.
 * Returns 0 or an errno value; EPROTO: the answer contradicts itself. *reply is filled in
 * either case and wants dm_reply_clear.
 */
MORTISE_MUST_CHECK int dm_run(struct dm_control *control, const struct dm_call *call,
			      struct dm_reply *reply);
void dm_reply_clear(struct dm_reply *reply);

/*
 * For calls that name a mapping: ENXIO, EPERM and the like as sentences. task completes
 * "Cannot TASK NAME": "read the table of".
 */
enum mortise_code dm_call_failed(struct mortise_error *err, int sys, const char *task,
				 const char *name);
/* Keeps errno beside a sentence that says it in its own words; returns code. */
enum mortise_code dm_with_errno(struct mortise_error *err, int sys, enum mortise_code code);

/* The kernel's dev_t, as it stands in the structures of linux/dm-ioctl.h. */
dev_t dm_decode_device(uint64_t device);

/*
 * libdevmapper and its udev rules keep to names of [A-Za-z0-9#+-.:=@_] and write any other
 * byte as \xNN, in the kernel too. Names that are written so already stay as they are.
 */
MORTISE_MUST_CHECK enum mortise_code
dm_name_encode(const char *name, char encoded[static DM_NAME_LEN], struct mortise_error *err);
/* A UUID that is too long is cut, as cryptsetup does. */
void dm_uuid_encode(const char *uuid, char encoded[static DM_UUID_LEN]);
/* decoded has the room of encoded. */
void dm_name_decode(const char *encoded, char *decoded);

/* MORTISE_OK with known false: a kernel before 5.4 that has not loaded the target yet. */
MORTISE_MUST_CHECK enum mortise_code dm_target_ask(struct dm_control *control, const char *target,
						   uint32_t version[static 3], bool *known,
						   struct mortise_error *err);
bool dm_version_before(const uint32_t version[static 3], uint32_t major, uint32_t minor,
		       uint32_t patch);

/* Takes a mapping away, trying again while it is busy; errno value. */
int dm_remove_encoded(struct dm_control *control, const char *encoded, uint32_t flags,
		      uint32_t *flags_out);

/* Lets a mapping that has a table begin to work; errno value. */
int dm_resume(struct dm_control *control, const char *encoded, bool hidden);

/* How libdevmapper's udev rules are told what to do: the upper half of event_nr. */
#define DM_UDEV_SHIFT 16
enum dm_udev_flags {
	DM_UDEV_NO_SUBSYSTEM_RULES = 0x02,
	DM_UDEV_NO_DISK_RULES = 0x04,
	DM_UDEV_NO_OTHER_RULES = 0x08,
	DM_UDEV_NO_LIBRARY_FALLBACK = 0x20,
	DM_UDEV_PRIMARY_SOURCE = 0x40,	/* without it the rules take the event for a spurious one */
};

#endif
