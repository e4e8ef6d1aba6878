/* SPDX-License-Identifier: MIT */
/* Mounts and swap of a block device, as /proc lists them. */
#include "volume/reset_mounts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/swap.h>
#include <sys/sysmacros.h>

#include "keys/error.h"
#include "volume/mount.h"

/* Some file systems (btrfs) have a number of their own: their source says where they are. */
static bool is_of(dev_t number, dev_t mounted, const char *source)
{
	struct stat st;

	return mounted == number || (*source == '/' && !stat(source, &st) && S_ISBLK(st.st_mode) &&
				     st.st_rdev == number);
}

/* What follows the " - " of a line: file system type and source. */
static void read_source(const char *line, char source[static PATH_MAX])
{
	const char *separator = strstr(line, " - ");

	source[0] = '\0';
	if (separator && sscanf(separator, " - %*s %4095s", source) == 1)
		volume_mount_unescape(source);
}

/*
 * Where it was mounted last; false: nowhere. *covered: something else has been mounted in the
 * same place since, which unmounting would hit.
 */
static bool last_mount(dev_t number, char point[static PATH_MAX], bool *covered)
{
	char *line = NULL, where[PATH_MAX], source[PATH_MAX];
	FILE *file = fopen("/proc/self/mountinfo", "re");
	unsigned above, below;
	bool found = false;
	size_t room = 0;

	while (file && getline(&line, &room, file) > 0) {
		if (sscanf(line, "%*d %*d %u:%u %*s %4095s", &above, &below, where) != 3)
			continue;
		volume_mount_unescape(where);
		read_source(line, source);
		if (is_of(number, makedev(above, below), source)) {
			snprintf(point, PATH_MAX, "%s", where);
			found = true;
			*covered = false;
		} else if (found && !strcmp(where, point)) {
			*covered = true;
		}
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

/* A swap area on it, or a swap file in a file system on it. */
static bool find_swap(dev_t number, char path[static PATH_MAX])
{
	FILE *file = fopen("/proc/swaps", "re");
	bool found = false;
	char *line = NULL;
	size_t room = 0;
	struct stat st;

	while (file && !found && getline(&line, &room, file) > 0) {
		if (*line != '/' || sscanf(line, "%4095s", path) != 1)
			continue;
		volume_mount_unescape(path);
		found = !stat(path, &st) &&
			(S_ISBLK(st.st_mode) ? st.st_rdev : st.st_dev) == number;
	}
	free(line);
	if (file)
		fclose(file);
	return found;
}

bool volume_number_in_use(dev_t number)
{
	char path[PATH_MAX];
	bool covered;

	return last_mount(number, path, &covered) || find_swap(number, path);
}

static enum mortise_code unmount(const char *point, bool covered, struct mortise_error *err)
{
	if (covered)
		return error_set(err, MORTISE_E_BUSY, 0,
				 "something else is mounted over it at %s: unmount that first",
				 point);
	if (umount2(point, UMOUNT_NOFOLLOW))
		return error_set(err, errno == EBUSY ? MORTISE_E_BUSY : MORTISE_E_SYSTEM,
				 errno == EBUSY ? 0 : errno,
				 errno == EBUSY ? "it is mounted at %s, where a process has files "
						  "open or something else is mounted"
						: "cannot unmount %s",
				 point);
	return MORTISE_OK;
}

enum mortise_code volume_number_release(dev_t number, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	char path[PATH_MAX];
	bool covered = false;

	while (!code && find_swap(number, path))
		if (swapoff(path))
			code = error_set(err, errno == ENOMEM ? MORTISE_E_MEMORY : MORTISE_E_BUSY,
					 errno, "cannot swap off %s", path);
	while (!code && last_mount(number, path, &covered))
		code = unmount(path, covered, err);
	return code;
}
