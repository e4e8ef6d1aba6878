/* SPDX-License-Identifier: MIT */
/* Mounting and unmounting. */
#include "volume/mount.h"

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

#include "keys/error.h"
#include "volume/filesystem.h"
#include "volume/swap.h"

void volume_mount_unescape(char *text)
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
	return mount_point && !strcmp(mount_point, VOLUME_SWAP_PLACE);
}

bool volume_is_mounted(const char *device, const char *mount_point)
{
	char *line = NULL, wanted[PATH_MAX] = "";
	size_t room = 0;
	bool found = false;
	struct stat st;
	FILE *file;

	if (stat(device, &st) || !S_ISBLK(st.st_mode))
		return false;
	if (is_swap(mount_point))
		return volume_swap_is_on(device);
	if ((!mount_point || !*mount_point) && volume_swap_is_on(device))
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
		volume_mount_unescape(point);
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

static unsigned long mount_flags(const struct meta_volume *volume)
{
	unsigned long flags = 0;

	if (volume->mount_secure)
		flags |= MS_NOSUID | MS_NODEV;
	if (volume->mount_noexec)
		flags |= MS_NOEXEC;
	if (volume->mount_noatime)
		flags |= MS_NOATIME;
	return flags;
}

enum mortise_code volume_mount(const struct meta_volume *volume, const char *device,
			       const char *mount_point, bool fresh, struct mortise_error *err)
{
	const char *type = volume_filesystem_name(volume->filesystem);
	const char *data = volume->mount_project_quota ? "prjquota" : NULL;
	enum mortise_code code;

	if (is_swap(mount_point))
		return volume_swap_on(device, err);
	code = make_directories(mount_point, err);
	if (code)
		return code;
	if (mount(device, mount_point, type, mount_flags(volume), data))
		return error_set(err, errno == EBUSY ? MORTISE_E_BUSY : MORTISE_E_SYSTEM, errno,
				 "cannot mount %s (%s) at %s", device, type, mount_point);
	if (fresh && volume->mount_mode && chmod(mount_point, volume->mount_mode))
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot set the mode of %s",
				 mount_point);
	return MORTISE_OK;
}

enum mortise_code volume_unmount(const char *device, const char *mount_point,
				 struct mortise_error *err)
{
	if (!volume_is_mounted(device, mount_point))
		return MORTISE_OK;
	if (is_swap(mount_point))
		return volume_swap_off(device, err);
	if (umount2(mount_point, UMOUNT_NOFOLLOW))
		return error_set(err, errno == EBUSY ? MORTISE_E_BUSY : MORTISE_E_SYSTEM, errno,
				 "cannot unmount %s", mount_point);
	return MORTISE_OK;
}
