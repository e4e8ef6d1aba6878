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
		found = mountinfo_is_of(&mounts, st.st_rdev) &&
			(!*wanted || !strcmp(mounts.mount_point, wanted));
	mountinfo_close(&mounts);
	return found;
}

bool disk_is_mount_point(const char *root, const char *mount_point)
{
	char wanted[PATH_MAX];
	struct mountinfo mounts;
	bool found = false;

	if (!disk_mount_path(root, mount_point, wanted))
		return false;
	mountinfo_open(&mounts);
	while (!found && mountinfo_next(&mounts))
		found = !strcmp(mounts.mount_point, wanted);
	mountinfo_close(&mounts);
	return found;
}

/* Removes the last component of path, which is root itself if that does not exist. */
static void cut_component(char *path)
{
	size_t length = strlen(path);

	while (length > 1 && path[length - 1] == '/')
		length--;
	while (length && path[length - 1] != '/')
		length--;
	path[length] = '\0';
}

/* Opens the lowest directory of path that exists. */
static enum mortise_code open_existing(const char *root, char *path, int *fd,
				       struct mortise_error *err)
{
	const size_t length = root ? strlen(root) : 0;
	enum mortise_code code;

	for (;;) {
		code = rooted_open(root, path, O_PATH, fd, err);
		if (!code || err->sys_errno != ENOENT || strlen(path) <= length)
			break;
		cut_component(path);
		if (strlen(path) < length)
			snprintf(path, PATH_MAX, "%s", root);
	}
	/* Only the last component of root is created. */
	if (code && err->sys_errno == ENOENT) {
		cut_component(path);
		*fd = open(*path ? path : ".", O_PATH | O_DIRECTORY | O_CLOEXEC);
		code = *fd < 0 ? err->code : MORTISE_OK;
	}
	return code;
}

enum mortise_code disk_mount_point_check(const char *root, const char *mount_point,
					 struct mortise_error *err)
{
	char path[PATH_MAX];
	struct mortise_error why;
	int fd, failed;

	snprintf(path, sizeof(path), "%s", mount_point);
	if (open_existing(root, path, &fd, &why))
		return why.sys_errno == EACCES
			       ? MORTISE_OK
			       : error_set(err, MORTISE_E_SYSTEM, 0, "%s", why.text);
	/* Root may write every directory, except on a read-only file system. */
	failed = faccessat(fd, ".", W_OK, 0) ? errno : 0;
	close(fd);
	if (failed == EROFS && strcmp(path, mount_point) != 0)
		return error_set(err, MORTISE_E_SYSTEM, 0,
				 "it does not exist, and %s is read-only; create it in the root "
				 "file system, or use --root",
				 *path ? path : ".");
	return MORTISE_OK;
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
	char link[ROOTED_LINK_SIZE];
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
