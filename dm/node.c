/* SPDX-License-Identifier: MIT */
/* /dev/mapper/NAME: udev's link where udev runs, else a node of our own. */
#include "dm/control.h"
#include "base/error.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define FOLDER	  "/dev/" DM_DIR
#define PATH_ROOM (sizeof(FOLDER) + 1 + DM_NAME_LEN)

static bool is_device(const char *path, dev_t device)
{
	struct stat st;

	return !stat(path, &st) && S_ISBLK(st.st_mode) && st.st_rdev == device;
}

/* The socket is there for as long as the daemon takes events. */
static bool udev_runs(void)
{
	return !access("/run/udev/control", F_OK);
}

/*
 * Made beside and moved over, so that a stale node is replaced at once. With udev running
 * it is the very link that udev's rules make, which they then leave alone; a node in that
 * place would keep them from it.
 */
static int put_node(const char *path, dev_t device)
{
	char beside[sizeof(FOLDER) + 40], target[32], real[40];
	int sys;

	snprintf(target, sizeof(target), "../dm-%u", minor(device));
	snprintf(real, sizeof(real), "/dev/dm-%u", minor(device));
	snprintf(beside, sizeof(beside), FOLDER "/.mortise-%u-%u", major(device), minor(device));
	if (mkdir(FOLDER, 0755) && errno != EEXIST)
		return errno;
	(void)unlink(beside);
	if (udev_runs() && is_device(real, device))
		sys = symlink(target, beside) ? errno : 0;
	else
		sys = mknod(beside, S_IFBLK | 0600, device) ? errno : 0;
	if (!sys && rename(beside, path))
		sys = errno;
	if (sys)
		(void)unlink(beside);
	return sys;
}

/*
 * A number has one name at a time: another node of it is left from a mapping that went away
 * by itself, after a deferred removal without udev, and would now show somebody else's data.
 */
static void sweep(const char *encoded, dev_t device)
{
	struct dirent *entry;
	struct stat st;
	DIR *folder;

	folder = opendir(FOLDER);
	if (!folder)
		return;
	while ((entry = readdir(folder))) {
		if (!strcmp(entry->d_name, encoded) ||
		    fstatat(dirfd(folder), entry->d_name, &st, AT_SYMLINK_NOFOLLOW))
			continue;
		if (S_ISBLK(st.st_mode) && st.st_rdev == device)
			(void)unlinkat(dirfd(folder), entry->d_name, 0);
	}
	closedir(folder);
}

enum mortise_code dm_node_make(const char *encoded, dev_t device, struct mortise_error *err)
{
	char path[PATH_ROOM];
	struct stat st;
	int sys;

	sweep(encoded, device);
	snprintf(path, sizeof(path), FOLDER "/%s", encoded);
	if (is_device(path, device))
		return MORTISE_OK;
	if (!lstat(path, &st) && !S_ISBLK(st.st_mode) && !S_ISLNK(st.st_mode))
		return error_set(err, MORTISE_E_EXISTS, 0,
				 "%s is in the way, it is no device node. Remove it.", path);
	sys = put_node(path, device);
	/* udev may have been quicker. */
	if (sys && !is_device(path, device))
		return error_set(err, MORTISE_E_DEVICE, sys, "Cannot make %s", path);
	return MORTISE_OK;
}

void dm_node_remove(const char *encoded, dev_t device)
{
	char path[PATH_ROOM], name[32], target[64];
	struct stat st;
	const char *last;
	ssize_t size;

	snprintf(path, sizeof(path), FOLDER "/%s", encoded);
	if (lstat(path, &st))
		return;
	if (S_ISLNK(st.st_mode)) {
		/* The device is gone already, so the link leads nowhere: go by its text. */
		size = readlink(path, target, sizeof(target) - 1);
		if (size < 0)
			return;
		target[size] = '\0';
		last = strrchr(target, '/');
		snprintf(name, sizeof(name), "dm-%u", minor(device));
		if (strcmp(last ? last + 1 : target, name))
			return;
	} else if (!S_ISBLK(st.st_mode) || st.st_rdev != device) {
		return;
	}
	(void)unlink(path);
}
