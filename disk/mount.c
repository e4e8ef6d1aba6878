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
#include "base/rooted.h"
#include "disk/mounts.h"
#include "disk/geometry.h"
#include "disk/swap.h"

static bool is_swap(const char *mount_point)
{
	return mount_point && !strcmp(mount_point, DISK_SWAP_MOUNT_POINT);
}

bool disk_mount_path(const char *root, const char *mount_point, char resolved[static PATH_MAX])
{
	char link[ROOTED_LINK_SIZE];
	struct mortise_error ignored;
	ssize_t length = -1;
	int fd;

	if (rooted_open(root, mount_point, O_PATH, &fd, &ignored))
		return false;
	if (rooted_link(fd, link))
		length = readlink(link, resolved, PATH_MAX);
	close(fd);
	if (length < 0 || length >= PATH_MAX)
		return false;
	resolved[length] = '\0';
	return true;
}

bool disk_is_mounted(const char *device, const char *root, const char *mount_point)
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
	if (mount_point && *mount_point && !disk_mount_path(root, mount_point, wanted))
		return false;
	mountinfo_open(&mounts);
	while (!found && mountinfo_next(&mounts))
		found = mounts.device == st.st_rdev &&
			(!*wanted || !strcmp(mounts.mount_point, wanted));
	mountinfo_close(&mounts);
	return found;
}

static unsigned long mount_flags(const struct disk_mount_options *options, const char *device)
{
	unsigned long flags = disk_is_readonly(device) ? MS_RDONLY : 0;

	if (options->secure)
		flags |= MS_NOSUID | MS_NODEV;
	if (options->noexec)
		flags |= MS_NOEXEC;
	if (options->noatime)
		flags |= MS_NOATIME;
	return flags;
}

/* Of the root directory of the file system that was just mounted. */
static enum mortise_code set_mode(const struct disk_mount_options *options, const char *mount_point,
				  struct mortise_error *err)
{
	struct mortise_error why;
	int fd, failed;

	if (rooted_open(options->root, mount_point, O_RDONLY, &fd, &why))
		return error_set(err, MORTISE_E_SYSTEM, 0, "cannot set the mode of %s: %s",
				 mount_point, why.text);
	failed = fchmod(fd, options->new_mode) ? errno : 0;
	close(fd);
	return failed ? error_set(err, MORTISE_E_SYSTEM, failed, "cannot set the mode of %s",
				  mount_point)
		      : MORTISE_OK;
}

enum mortise_code disk_mount(const struct disk_mount_options *options, const char *device,
			     const char *mount_point, struct mortise_error *err)
{
	const char *data = options->project_quota ? "prjquota" : NULL;
	char link[ROOTED_LINK_SIZE], sizes[128];
	struct mortise_error why;
	int fd, failed;

	if (is_swap(mount_point))
		return disk_swap_on(device, err);
	if (rooted_make(options->root, mount_point, &fd, &why))
		return error_set(err, MORTISE_E_SYSTEM, 0, "cannot mount %.200s at %.200s: %s",
				 device, mount_point, why.text);
	/* Without /proc, a change of the path just checked would go unnoticed. */
	failed = mount(device, rooted_link(fd, link) ? link : mount_point, options->type,
		       mount_flags(options, device), data)
			 ? errno
			 : 0;
	close(fd);
	if (failed && disk_is_shrunk(device, options->type, sizes, sizeof(sizes)))
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "cannot mount %.160s at %.160s: %s; restore the size of its "
				 "partition",
				 device, mount_point, sizes);
	if (failed)
		return error_set(err, failed == EBUSY ? MORTISE_E_BUSY : MORTISE_E_SYSTEM, failed,
				 "cannot mount %s (%s) at %s", device, options->type, mount_point);
	return options->new_mode ? set_mode(options, mount_point, err) : MORTISE_OK;
}

/* A descriptor of the mount itself would keep it busy: this one is of the directory above it. */
int disk_unmount_path(const char *mount_point)
{
	char parent[PATH_MAX], link[ROOTED_LINK_SIZE], path[ROOTED_LINK_SIZE + NAME_MAX + 1];
	const char *name = strrchr(mount_point, '/') + 1;
	struct mortise_error why;
	int fd, failed;

	snprintf(parent, sizeof(parent), "%.*s", (int)(name - mount_point), mount_point);
	if (rooted_open(NULL, parent, O_PATH, &fd, &why))
		return why.sys_errno;
	(void)rooted_link(fd, link);
	snprintf(path, sizeof(path), "%s/%s", link, name);
	failed = umount2(path, UMOUNT_NOFOLLOW) ? errno : 0;
	close(fd);
	return failed;
}

enum mortise_code disk_unmount(const char *device, const char *root, const char *mount_point,
			       struct mortise_error *err)
{
	char path[PATH_MAX], users[DISK_USE_ROOM];
	struct stat st;
	int failed;

	if (!disk_is_mounted(device, root, mount_point))
		return MORTISE_OK;
	if (is_swap(mount_point))
		return disk_swap_off(device, err);
	/* Without the links that lead to it, because umount2(2) must not follow one at the end. */
	if (!disk_mount_path(root, mount_point, path))
		return error_set(err, MORTISE_E_SYSTEM, 0, "cannot unmount %s: the path is gone",
				 mount_point);
	failed = disk_unmount_patiently(path);
	if (failed == EBUSY && !stat(device, &st)) {
		disk_describe_use(st.st_rdev, path, users);
		return error_set(err, MORTISE_E_BUSY, 0, "cannot unmount %.200s: it is in use%s%s",
				 mount_point, *users ? ": " : "", users);
	}
	if (failed)
		return error_set(err, failed == EBUSY ? MORTISE_E_BUSY : MORTISE_E_SYSTEM, failed,
				 "cannot unmount %s", mount_point);
	return MORTISE_OK;
}
