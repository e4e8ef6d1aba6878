/* SPDX-License-Identifier: MIT */
/* Mounts and swap of a block device, as /proc lists them. */
#include "disk/mounts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "disk/mount.h"
#include "disk/swap.h"

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
		disk_mount_unescape(source);
}

struct mount_point {
	char path[PATH_MAX];
	bool block; /* of a block device, so that nothing is lost with the mount */
};

/* The mounts of a device and what is mounted in them, by the kernel's numbers. */
struct family {
	unsigned *ids;
	size_t count;
};

/* Without memory one is left out, and keeps the device busy. */
static void family_add(struct family *family, unsigned id)
{
	unsigned *grown = realloc(family->ids, (family->count + 1) * sizeof(*grown));

	if (!grown)
		return;
	family->ids = grown;
	grown[family->count++] = id;
}

static bool family_has(const struct family *family, unsigned id)
{
	for (size_t i = 0; i < family->count; i++)
		if (family->ids[i] == id)
			return true;
	return false;
}

static bool is_block(const char *source)
{
	struct stat st;

	return *source == '/' && !stat(source, &st) && S_ISBLK(st.st_mode);
}

/* The last mount of the device, or in one of its mounts; false: there is none. */
static bool last_mount(dev_t number, struct mount_point *last)
{
	FILE *file = fopen("/proc/self/mountinfo", "re");
	char *line = NULL, where[PATH_MAX], source[PATH_MAX];
	unsigned id, parent, above, below;
	struct family family = { NULL, 0 };
	bool found = false;
	size_t room = 0;

	while (file && getline(&line, &room, file) > 0) {
		bool own;

		if (sscanf(line, "%u %u %u:%u %*s %4095s", &id, &parent, &above, &below, where) !=
		    5)
			continue;
		read_source(line, source);
		own = is_of(number, makedev(above, below), source);
		if (!own && !family_has(&family, parent))
			continue;
		family_add(&family, id);
		disk_mount_unescape(where);
		snprintf(last->path, sizeof(last->path), "%s", where);
		last->block = own || is_block(source);
		found = true;
	}
	free(family.ids);
	free(line);
	if (file)
		fclose(file);
	return found;
}

bool disk_number_in_use(dev_t number)
{
	struct mount_point mounted;
	char path[PATH_MAX];

	return last_mount(number, &mounted) || disk_swap_find(number, path);
}

static enum mortise_code unmount(const struct mount_point *mounted, struct mortise_error *err)
{
	if (!mounted->block)
		return error_set(err, MORTISE_E_BUSY, 0,
				 "something else is mounted in it at %.300s: unmount that first",
				 mounted->path);
	if (!umount2(mounted->path, UMOUNT_NOFOLLOW))
		return MORTISE_OK;
	if (errno == EBUSY)
		return error_set(err, MORTISE_E_BUSY, 0,
				 "it is mounted at %.300s, where a process has files open",
				 mounted->path);
	return error_set(err, MORTISE_E_SYSTEM, errno, "cannot unmount %.300s", mounted->path);
}

enum mortise_code disk_number_release(dev_t number, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	struct mount_point mounted;
	char path[PATH_MAX];

	while (!code && disk_swap_find(number, path))
		code = disk_swap_off(path, err);
	while (!code && last_mount(number, &mounted))
		code = unmount(&mounted, err);
	return code;
}
