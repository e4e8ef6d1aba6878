/* SPDX-License-Identifier: MIT */
/* Mounting and unmounting. */
#include "disk/mount.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "disk/swap.h"

void disk_mount_unescape(char *text)
{
	char *out = text;

	for (; *text; out++) {
		if (text[0] == '\\' && strspn(text + 1, "01234567") >= 3) {
			*out = (char)((text[1] - '0') << 6 | (text[2] - '0') << 3 |
				      (text[3] - '0'));
			text += 4;
		} else {
			*out = *text++;
		}
	}
	*out = '\0';
}

static bool is_swap(const char *mount_point)
{
	return mount_point && !strcmp(mount_point, DISK_SWAP_PLACE);
}

bool disk_is_mounted(const char *device, const char *mount_point)
{
	char *line = NULL, wanted[PATH_MAX] = "";
	size_t room = 0;
	bool found = false;
	struct stat st;
	FILE *file;

	if (stat(device, &st) || !S_ISBLK(st.st_mode))
		return false;
	if (is_swap(mount_point))
		return disk_swap_is_on(device);
	if ((!mount_point || !*mount_point) && disk_swap_is_on(device))
		return true;
	if (mount_point && *mount_point && !realpath(mount_point, wanted))
		return false;
	file = fopen("/proc/self/mountinfo", "re");
	while (file && !found && getline(&line, &room, file) > 0) {
		unsigned major_number, minor_number;
		char point[PATH_MAX];

		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &major_number, &minor_number, point) !=
		    3)
			continue;
		disk_mount_unescape(point);
		found = makedev(major_number, minor_number) == st.st_rdev &&
			(!*wanted || !strcmp(point, wanted));
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

static enum mortise_code make_directories(const char *path, struct mortise_error *err)
{
	char partial[PATH_MAX];

	if (strlen(path) >= sizeof(partial))
		return error_set(err, MORTISE_E_USAGE, 0, "mount point %.100s... is too long",
				 path);
	for (size_t i = 1; i <= strlen(path); i++) {
		if (path[i] != '/' && path[i])
			continue;
		memcpy(partial, path, i);
		partial[i] = '\0';
		if (mkdir(partial, 0755) && errno != EEXIST)
			return error_set(err, MORTISE_E_SYSTEM, errno, "cannot make directory %s",
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
	code = make_directories(mount_point, err);
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
