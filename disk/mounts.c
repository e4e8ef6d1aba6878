/* SPDX-License-Identifier: MIT */
#include "disk/mounts.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/mountinfo.h"
#include "disk/mount.h"
#include "disk/swap.h"

struct mount_point {
	char path[PATH_MAX];
	bool block; /* its source is a block device: unmounting it loses no data */
};

/* The ids of the device's mounts and of everything mounted inside them. */
struct mount_ids {
	unsigned *id;
	size_t count;
};

/* Without memory the mount is left out: it stays mounted and keeps the device busy. */
static void add_id(struct mount_ids *ids, unsigned id)
{
	unsigned *grown = realloc(ids->id, (ids->count + 1) * sizeof(*grown));

	if (!grown)
		return;
	ids->id = grown;
	grown[ids->count++] = id;
}

static bool has_id(const struct mount_ids *ids, unsigned id)
{
	for (size_t i = 0; i < ids->count; i++)
		if (ids->id[i] == id)
			return true;
	return false;
}

static bool is_block(const char *source, struct stat *st)
{
	return *source == '/' && !stat(source, st) && S_ISBLK(st->st_mode);
}

/* Finds the last mount of the device or inside one of its mounts. */
static bool find_last_mount(dev_t number, struct mount_point *last)
{
	struct mount_ids ids = { NULL, 0 };
	struct mountinfo mount;
	bool found = false;
	struct stat st;

	mountinfo_open(&mount);
	while (mountinfo_next(&mount)) {
		const bool own = mountinfo_is_of(&mount, number);

		if (!own && !has_id(&ids, mount.parent))
			continue;
		add_id(&ids, mount.id);
		snprintf(last->path, sizeof(last->path), "%s", mount.mount_point);
		last->block = own || is_block(mount.source, &st);
		found = true;
	}
	mountinfo_close(&mount);
	free(ids.id);
	return found;
}

bool disk_number_in_use(dev_t number)
{
	struct mount_point mounted;
	char path[PATH_MAX];

	return find_last_mount(number, &mounted) || disk_swap_find(number, path);
}

static enum mortise_code unmount_block(const struct mount_point *mounted, struct mortise_error *err)
{
	int failed;

	if (!mounted->block)
		return error_set(
			err, MORTISE_E_BUSY, 0,
			"another file system is mounted in it at %.300s; unmount that first",
			mounted->path);
	failed = disk_unmount_path(NULL, mounted->path);
	if (!failed)
		return MORTISE_OK;
	if (failed == EBUSY)
		return error_set(err, MORTISE_E_BUSY, 0,
				 "mounted at %.300s, where a process has files open",
				 mounted->path);
	return error_set(err, MORTISE_E_SYSTEM, failed, "cannot unmount %.300s", mounted->path);
}

enum mortise_code disk_number_release(dev_t number, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	struct mount_point mounted;
	char path[PATH_MAX];

	while (!code && disk_swap_find(number, path))
		code = disk_swap_off(path, err);
	while (!code && find_last_mount(number, &mounted))
		code = unmount_block(&mounted, err);
	return code;
}
