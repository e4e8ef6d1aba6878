/* SPDX-License-Identifier: MIT */
/*
 * Mounting and unmounting by mount(2), and what /proc/self/mountinfo says. At the mount point
 * DISK_SWAP_PLACE a swap area is switched on and off instead.
 */
#ifndef DISK_MOUNT_H
#define DISK_MOUNT_H

#include <mortise.h>

/* Is the block device mounted at this path ("" or NULL: anywhere, or switched on as swap)? */
bool disk_is_mounted(const char *device, const char *mount_point);

/*
 * In place: mountinfo and swaps of /proc write blanks, tabs, newlines and backslashes as three
 * octal digits.
 */
void disk_mount_unescape(char *text);

struct disk_mount_options {
	const char *type;	/* for mount(2); unused for a swap area */
	bool secure;		/* nosuid, nodev */
	bool noexec;
	bool noatime;
	bool project_quota;	/* xfs only */
	unsigned new_mode;	/* of the root directory, for a new file system; 0: unchanged */
};

/* Mounts device at mount_point, which is created if it is missing. */
MORTISE_MUST_CHECK enum mortise_code disk_mount(const struct disk_mount_options *options,
						const char *device, const char *mount_point,
						struct mortise_error *err);

/* MORTISE_E_BUSY when something uses it. Nothing to do is MORTISE_OK. */
MORTISE_MUST_CHECK enum mortise_code disk_unmount(const char *device, const char *mount_point,
						  struct mortise_error *err);

#endif
