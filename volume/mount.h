/* SPDX-License-Identifier: MIT */
/*
 * Mounting and unmounting by mount(2), and what /proc/self/mountinfo says. At the mount point
 * VOLUME_SWAP_PLACE a swap area is switched on and off instead.
 */
#ifndef VOLUME_MOUNT_H
#define VOLUME_MOUNT_H

#include "meta/config.h"

/* Is the block device mounted at this path ("" or NULL: anywhere, or switched on as swap)? */
bool volume_is_mounted(const char *device, const char *mount_point);

/*
 * In place: mountinfo and swaps of /proc write blanks, tabs, newlines and backslashes as three
 * octal digits.
 */
void volume_mount_unescape(char *text);

/*
 * Mounts device at mount_point, which is made when it is missing, with the options of the
 * volume. fresh: a file system just made, whose root gets the volume's mode.
 */
MORTISE_MUST_CHECK enum mortise_code volume_mount(const struct meta_volume *volume,
						  const char *device, const char *mount_point,
						  bool fresh, struct mortise_error *err);

/* MORTISE_E_BUSY when something uses it. Nothing to do is MORTISE_OK. */
MORTISE_MUST_CHECK enum mortise_code volume_unmount(const char *device, const char *mount_point,
						    struct mortise_error *err);

#endif
