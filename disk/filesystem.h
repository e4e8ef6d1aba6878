/* SPDX-License-Identifier: MIT */
/* File systems: which ones this system can make, mount and check, and making them. */
#ifndef DISK_FILESYSTEM_H
#define DISK_FILESYSTEM_H

#include <mortise.h>

/* The types below are "xfs", "ext4" and "btrfs"; functions that say so also know "swap". */

/* The least size in bytes for which disk_make_filesystem or mkswap succeeds; "swap" too. */
uint64_t disk_filesystem_least(const char *type);

/* Is the program that makes the file system installed? "swap" too. MORTISE_E_UNSUPPORTED. */
MORTISE_MUST_CHECK enum mortise_code disk_filesystem_check_mkfs(const char *type,
								struct mortise_error *err);
/*
 * Can the kernel mount it? Has the kernel load its module. MORTISE_E_UNSUPPORTED. MORTISE_OK also if
 * the caller is not root, or before Linux 5.2, where only mounting shows it.
 */
MORTISE_MUST_CHECK enum mortise_code disk_filesystem_check_kernel(const char *type,
								  struct mortise_error *err);

/* The type whose superblock device has; "" for another one. MORTISE_E_DEVICE. */
MORTISE_MUST_CHECK enum mortise_code
disk_filesystem_find(const char *device, const char **type, struct mortise_error *err);

/*
 * Runs mkfs.TYPE on device, also over what an interrupted mkfs left. name becomes the label, cut to
 * the file system's limit. MORTISE_E_NOT_EMPTY: the device holds a complete xfs or btrfs, or an ext4
 * that has been mounted. MORTISE_E_UNSUPPORTED: mkfs.TYPE is not installed.
 */
MORTISE_MUST_CHECK enum mortise_code disk_make_filesystem(const struct mortise_events *events,
							  const char *type, const char *name,
							  const char *device,
							  struct mortise_error *err);

#endif
