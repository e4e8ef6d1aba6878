/* SPDX-License-Identifier: MIT */
/* /dev/mapper/NAME: a link as udev makes it if udev is running, else a node. */
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

/* The socket exists while the daemon accepts events. */
static bool is_udev_running(void)
{
	return !access("/run/udev/control", F_OK);
}

/*
 * Creates the entry under a temporary name and renames it, which replaces a stale node atomically.
 * If udev is running, it is the same link that udev's rules make: they keep it, whereas a node
 * would prevent them from making theirs.
 */
static int put_node(const char *path, dev_t device)
{
	char temporary[sizeof(FOLDER) + 40], target[32], real[40];
	int sys;

	snprintf(target, sizeof(target), "../dm-%u", minor(device));
	snprintf(real, sizeof(real), "/dev/dm-%u", minor(device));
	snprintf(temporary, sizeof(temporary), FOLDER "/.mortise-%u-%u", major(device),
		 minor(device));
	if (mkdir(FOLDER, 0755) && errno != EEXIST)
		return errno;
	(void)unlink(temporary);
	if (is_udev_running() && is_device(real, device))
		sys = symlink(target, temporary) ? errno : 0;
	else
		sys = mknod(temporary, S_IFBLK | 0600, device) ? errno : 0;
	if (!sys && rename(temporary, path))
		sys = errno;
	if (sys)
		(void)unlink(temporary);
	return sys;
}

/*
 * Removes other nodes of the device number. They are left over from a deferred removal without
 * udev, and would give access to this mapping under the old name.
 */
static void remove_stale_nodes(const char *encoded, dev_t device)
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

enum mortise_code dm_node_create(const char *encoded, dev_t device, struct mortise_error *err)
{
	char path[PATH_ROOM];
	struct stat st;
	int sys;

	remove_stale_nodes(encoded, device);
	snprintf(path, sizeof(path), FOLDER "/%s", encoded);
	if (is_device(path, device))
		return MORTISE_OK;
	if (!lstat(path, &st) && !S_ISBLK(st.st_mode) && !S_ISLNK(st.st_mode))
		return error_set(err, MORTISE_E_EXISTS, 0,
				 "cannot create %s: it exists and is not a device node; remove it",
				 path);
	sys = put_node(path, device);
	/* udev may have created it in the meantime. */
	if (sys && !is_device(path, device))
		return error_set(err, MORTISE_E_DEVICE, sys, "cannot create %s", path);
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
		/* The device no longer exists, so compare the link's text. */
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
