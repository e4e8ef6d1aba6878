/* SPDX-License-Identifier: MIT */
/* All mounts and swap areas of a block device, found by its number. */
#ifndef DISK_MOUNTS_H
#define DISK_MOUNTS_H

#include <mortise.h>

#include <sys/types.h>

#define DISK_USE_ROOM 400u /* for disk_describe_use(), including the NUL */

bool disk_number_in_use(dev_t number);

/*
 * Checks before anything is unmounted that the device's file systems, and those mounted inside them,
 * can be. Waits up to a second for files that are open for a moment. MORTISE_E_BUSY names the
 * processes with open files, or the file system inside that has no block device.
 */
MORTISE_MUST_CHECK enum mortise_code disk_number_check(dev_t number, struct mortise_error *err);

/* disk_unmount_path(), which it repeats for up to a second while the mount is busy. */
int disk_unmount_patiently(const char *mount_point);

/*
 * Describes the users of the device: "held by /dev/md0 (RAID)", "mounted at /x", "files open in
 * sleep (process 12)"; "" without any. except: a mount point to leave out, or NULL.
 */
void disk_describe_use(dev_t number, const char *except, char text[static DISK_USE_ROOM]);

/*
 * Switches off swap on the device, and unmounts its file systems, the last mounted one first.
 * MORTISE_E_BUSY names the mount point that is in use.
 */
MORTISE_MUST_CHECK enum mortise_code disk_number_release(dev_t number, struct mortise_error *err);

#endif
