/* SPDX-License-Identifier: MIT */
/*
 * Mounting and unmounting by mount(2). A device whose mount point is DISK_SWAP_MOUNT_POINT is a
 * swap area, which these functions switch on and off instead.
 */
#ifndef DISK_MOUNT_H
#define DISK_MOUNT_H

#include <mortise.h>

#include <limits.h>

/*
 * Is the block device mounted at this path? For "" or NULL: is it mounted anywhere, or in use as
 * swap? mount_point begins with root, which may be NULL; see base/rooted.h for links below it.
 */
bool disk_is_mounted(const char *device, const char *root, const char *mount_point);

/*
 * The path of a mount point as /proc/self/mountinfo shows it, without the links that lead there.
 * False: it does not exist, or may not be used (base/rooted.h).
 */
bool disk_mount_path(const char *root, const char *mount_point, char path[static PATH_MAX]);
/* Is a file system mounted at this path, which begins with root? */
bool disk_is_mount_point(const char *root, const char *mount_point);

/*
 * Can disk_mount() open or create the mount point? Creates nothing. MORTISE_E_SYSTEM names the path
 * that prevents it: a file, a symbolic link, or a directory of a read-only file system.
 */
MORTISE_MUST_CHECK enum mortise_code disk_mount_point_check(const char *root,
							    const char *mount_point,
							    struct mortise_error *err);

struct disk_mount_options {
	const char *root;	/* mount_point begins with it; see base/rooted.h */
	const char *type;	/* for mount(2); unused for a swap area */
	bool secure;		/* nosuid, nodev */
	bool noexec;
	bool noatime;
	bool project_quota;	/* xfs only */
	unsigned new_mode;	/* of the root directory of a new file system; 0: unchanged */
};

/*
 * Mounts device at mount_point, which is created if it does not exist: read-only, if the device is
 * write-protected.
 */
MORTISE_MUST_CHECK enum mortise_code disk_mount(const struct disk_mount_options *options,
						const char *device, const char *mount_point,
						struct mortise_error *err);

/* MORTISE_E_BUSY: a process uses it. MORTISE_OK if it is not mounted. */
MORTISE_MUST_CHECK enum mortise_code disk_unmount(const char *device, const char *root,
						  const char *mount_point,
						  struct mortise_error *err);

/*
 * Unmounts what is mounted at this path, as /proc/self/mountinfo shows it, without following a
 * symbolic link at its end. Returns 0 or an errno value.
 */
int disk_unmount_path(const char *mount_point);

#endif
