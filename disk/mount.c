/* SPDX-License-Identifier: MIT */
#include "disk/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mountinfo.h"
#include "disk/swap.h"

static bool is_swap(const char *mount_point)
{
	return mount_point && !strcmp(mount_point, DISK_SWAP_MOUNT_POINT);
}

bool disk_is_mounted(const char *device, const char *mount_point)
{
	char wanted[PATH_MAX] = "";
	struct mountinfo mounts;
	bool found = false;
	struct stat st;

	if (stat(device, &st) || !S_ISBLK(st.st_mode))
		return false;
	if (is_swap(mount_point))
		return disk_swap_is_on(device);
	if ((!mount_point || !*mount_point) && disk_swap_is_on(device))
		return true;
	if (mount_point && *mount_point && !realpath(mount_point, wanted))
		return false;
	mountinfo_open(&mounts);
	while (!found && mountinfo_next(&mounts))
		found = mounts.device == st.st_rdev &&
			(!*wanted || !strcmp(mounts.mount_point, wanted));
	mountinfo_close(&mounts);
	return found;
}

static enum mortise_code create_directories(const char *path, struct mortise_error *err)
{
	char partial[PATH_MAX];

	if (strlen(path) >= sizeof(partial))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot create mount point %.100s...: its path is too long", path);
	for (size_t i = 1; i <= strlen(path); i++) {
		if (path[i] != '/' && path[i])
			continue;
		memcpy(partial, path, i);
		partial[i] = '\0';
		if (mkdir(partial, 0755) && errno != EEXIST)
			return error_set(err, MORTISE_E_SYSTEM, errno, "cannot create directory %s",
					 partial);
	}
	return MORTISE_OK;
}

static unsigned long mount_flags(const struct disk_mount_options *options)
{
	unsigned long flags = 0;

	if (options->secure)
		flags |= MS_NOSUID | MS_NODEV;
	if (options->noexec)
		flags |= MS_NOEXEC;
	if (options->noatime)
		flags |= MS_NOATIME;
	return flags;
}

enum mortise_code disk_mount(const struct disk_mount_options *options, const char *device,
			     const char *mount_point, struct mortise_error *err)
{
	const char *data = options->project_quota ? "prjquota" : NULL;
	enum mortise_code code;

	if (is_swap(mount_point))
		return disk_swap_on(device, err);
	code = create_directories(mount_point, err);
	if (code)
		return code;
	if (mount(device, mount_point, options->type, mount_flags(options), data))
		return error_set(err, errno == EBUSY ? MORTISE_E_BUSY : MORTISE_E_SYSTEM, errno,
				 "cannot mount %s (%s) at %s", device, options->type, mount_point);
	if (options->new_mode && chmod(mount_point, options->new_mode))
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot set the mode of %s",
				 mount_point);
	return MORTISE_OK;
}

enum mortise_code disk_unmount(const char *device, const char *mount_point,
			       struct mortise_error *err)
{
	if (!disk_is_mounted(device, mount_point))
		return MORTISE_OK;
	if (is_swap(mount_point))
		return disk_swap_off(device, err);
	if (umount2(mount_point, UMOUNT_NOFOLLOW))
		return error_set(err, errno == EBUSY ? MORTISE_E_BUSY : MORTISE_E_SYSTEM, errno,
				 "cannot unmount %s", mount_point);
	return MORTISE_OK;
}
