/* SPDX-License-Identifier: MIT */
#include "disk/mounts.h"

#include <errno.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/events.h"
#include "base/mountinfo.h"
#include "disk/mount.h"
#include "disk/openers.h"
#include "disk/swap.h"
#include "disk/users.h"

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

/* Called for each mount of a device, and for each mount inside those. True ends the walk. */
typedef bool visitor(void *context, const struct mountinfo *mount, bool own);

static void visit_mounts(dev_t number, visitor *visit, void *context)
{
	struct mount_ids ids = { NULL, 0 };
	struct mountinfo mount;
	bool done = false;

	mountinfo_open(&mount);
	while (!done && mountinfo_next(&mount)) {
		const bool own = mountinfo_is_of(&mount, number);

		if (!own && !has_id(&ids, mount.parent))
			continue;
		add_id(&ids, mount.id);
		done = visit(context, &mount, own);
	}
	mountinfo_close(&mount);
	free(ids.id);
}

static bool keep_last(void *context, const struct mountinfo *mount, bool own)
{
	struct mount_point *last = context;
	struct stat st;

	snprintf(last->path, sizeof(last->path), "%s", mount->mount_point);
	last->block = own || is_block(mount->source, &st);
	return false;
}

static bool find_last_mount(dev_t number, struct mount_point *last)
{
	last->path[0] = '\0';
	visit_mounts(number, keep_last, last);
	return *last->path;
}

bool disk_number_in_use(dev_t number)
{
	struct mount_point mounted;
	char path[PATH_MAX];

	return find_last_mount(number, &mounted) || disk_swap_find(number, path);
}

/* An obstacle to unmounting the device. */
struct obstacle {
	enum mortise_code code;
	bool lasting; /* waiting does not help */
	struct mortise_error *err;
};

static bool find_obstacle(void *context, const struct mountinfo *mount, bool own)
{
	struct obstacle *found = context;
	char openers[200];
	struct stat st;

	/* The contents of a file system without a block device would be lost. */
	found->lasting = !own && !is_block(mount->source, &st);
	if (found->lasting)
		found->code = error_set(found->err, MORTISE_E_BUSY, 0,
					"another file system is mounted in it at %.300s; unmount "
					"that first",
					mount->mount_point);
	else if (disk_openers_find(mount->device, 0, openers, sizeof(openers)))
		found->code = error_set(found->err, MORTISE_E_BUSY, 0,
					"mounted at %.200s, where files are open in %s",
					mount->mount_point, openers);
	return found->code;
}

/* Programs such as udev and blkid open a device or file for a moment. */
#define PATIENCE_MS 1000u
#define PAUSE_MS    50u

enum mortise_code disk_number_check(dev_t number, struct mortise_error *err)
{
	const uint64_t end = clock_now_ms() + PATIENCE_MS;
	struct obstacle found = { .err = err };

	for (;;) {
		found.code = MORTISE_OK;
		visit_mounts(number, find_obstacle, &found);
		if (!found.code || found.lasting || clock_now_ms() >= end)
			return found.code;
		(void)events_sleep_ms(NULL, PAUSE_MS);
	}
}

int disk_unmount_patiently(const char *path)
{
	const uint64_t end = clock_now_ms() + PATIENCE_MS;
	int failed;

	while ((failed = disk_unmount_path(path)) == EBUSY && clock_now_ms() < end)
		(void)events_sleep_ms(NULL, PAUSE_MS);
	return failed;
}

static enum mortise_code unmount_block(dev_t number, const struct mount_point *mounted,
				       struct mortise_error *err)
{
	char users[DISK_USE_ROOM];
	int failed;

	if (!mounted->block)
		return error_set(
			err, MORTISE_E_BUSY, 0,
			"another file system is mounted in it at %.300s; unmount that first",
			mounted->path);
	failed = disk_unmount_patiently(mounted->path);
	if (!failed)
		return MORTISE_OK;
	disk_describe_use(number, mounted->path, users);
	if (failed == EBUSY)
		return error_set(err, MORTISE_E_BUSY, 0, "cannot unmount %.200s: it is in use%s%s",
				 mounted->path, *users ? ": " : "", users);
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
		code = unmount_block(number, &mounted, err);
	return code;
}

struct description {
	const char *except; /* a mount point that is known to the user */
	char *text;
	size_t used;
};

__attribute__((format(printf, 2, 3))) static void add_use(struct description *description,
							  const char *format, ...)
{
	char *at = description->text + description->used;
	const size_t room = DISK_USE_ROOM - description->used;
	va_list arguments;
	size_t used = 0;

	if (description->used)
		used = (size_t)snprintf(at, room, ", ");
	if (used >= room)
		return;
	va_start(arguments, format);
	used += (size_t)vsnprintf(at + used, room - used, format, arguments);
	va_end(arguments);
	description->used += used < room ? used : room - 1;
}

static bool describe_mount(void *context, const struct mountinfo *mount, bool own)
{
	struct description *description = context;
	char openers[200];

	(void)own;
	if (!description->except || strcmp(mount->mount_point, description->except) != 0)
		add_use(description, "mounted at %.100s", mount->mount_point);
	if (disk_openers_find(mount->device, 0, openers, sizeof(openers)))
		add_use(description, "files open in %s", openers);
	return false;
}

void disk_describe_use(dev_t number, const char *except, char text[static DISK_USE_ROOM])
{
	struct description description = { .except = except, .text = text };
	char holder[160], path[PATH_MAX];

	text[0] = '\0';
	if (disk_describe_holder(number, holder, sizeof(holder)))
		add_use(&description, "%s", holder);
	if (disk_swap_find(number, path))
		add_use(&description, "swap on %.100s", path);
	visit_mounts(number, describe_mount, &description);
	if (!description.used && disk_openers_find(0, number, holder, sizeof(holder)))
		add_use(&description, "open in %s", holder);
}
