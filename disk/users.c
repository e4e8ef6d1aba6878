/* SPDX-License-Identifier: MIT */
/* Who uses a device, and ending that from the top down. */
#include "disk/users.h"

#include <dirent.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <time.h>

#include "dm/dm.h"
#include "base/error.h"
#include "disk/mounts.h"
#include "disk/sysfs.h"

#define DEPTH_MAX  8u /* mappings on mappings */
#define PATH_ROOM  320u
#define LOOP_TRIES 25u		/* in half a second */
#define LUKS_UUID  "CRYPT-LUKS" /* of mappings, LUKS1's too: what cryptsetup and we make */

/* What is done with each device that stands on another; anything but MORTISE_OK ends the walk. */
struct walk {
	enum mortise_code (*call)(dev_t number, const char *name, unsigned depth,
				  struct mortise_error *err);
};

static bool read_number(const char *directory, const char *name, dev_t *number)
{
	unsigned above, below;
	char text[32];

	sysfs_line(directory, name, "dev", text, sizeof(text));
	if (sscanf(text, "%u:%u", &above, &below) != 2)
		return false;
	*number = makedev(above, below);
	return true;
}

static void holders_path(dev_t number, char path[static PATH_ROOM])
{
	snprintf(path, PATH_ROOM, "/sys/dev/block/%u:%u/holders", major(number), minor(number));
}

static enum mortise_code each_holder(dev_t number, unsigned depth, struct walk walk,
				     struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	char path[PATH_ROOM];
	struct dirent *entry;
	DIR *directory;
	dev_t holder;

	holders_path(number, path);
	directory = opendir(path);
	while (!code && directory && (entry = readdir(directory)))
		if (entry->d_name[0] != '.' && read_number(path, entry->d_name, &holder))
			code = walk.call(holder, entry->d_name, depth + 1, err);
	if (directory)
		closedir(directory);
	return code;
}

/* Files that are loop devices, and block devices that are, for which sysfs has no holder. */
static enum mortise_code each_loop(const struct luks2_device *device, struct walk walk,
				   struct mortise_error *err)
{
	static const char blocks[] = "/sys/block";
	enum mortise_code code = MORTISE_OK;
	DIR *directory = opendir(blocks);
	struct dirent *entry;
	char file[PATH_MAX];
	struct stat st;
	dev_t number;
	bool same;

	while (!code && directory && (entry = readdir(directory))) {
		if (strncmp(entry->d_name, "loop", 4) != 0)
			continue;
		sysfs_line(blocks, entry->d_name, "loop/backing_file", file, sizeof(file));
		if (!*file || stat(file, &st))
			continue;
		same = device->block ? S_ISBLK(st.st_mode) && st.st_rdev == device->number
				     : S_ISREG(st.st_mode) && st.st_dev == device->number &&
					       st.st_ino == device->inode;
		if (same && read_number(blocks, entry->d_name, &number))
			code = walk.call(number, entry->d_name, 0, err);
	}
	if (directory)
		closedir(directory);
	return code;
}

static enum mortise_code stop_at_any(dev_t number, const char *name, unsigned depth,
				     struct mortise_error *err)
{
	(void)number;
	return error_set(err, MORTISE_E_BUSY, 0, "%s (%u)", name, depth);
}

bool disk_in_use(const struct luks2_device *device)
{
	if (each_loop(device, (struct walk){ stop_at_any }, NULL))
		return true;
	return device->block &&
	       (each_holder(device->number, 0, (struct walk){ stop_at_any }, NULL) ||
		disk_number_in_use(device->number));
}

/* Name and UUID of a mapping, "" for what is none. */
static void read_mapping(dev_t number, char name[static 128], char uuid[static 256])
{
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(number), minor(number));
	sysfs_line(path, "dm", "name", name, 128);
	sysfs_line(path, "dm", "uuid", uuid, 256);
}

static enum mortise_code look(dev_t number, const char *name, unsigned depth,
			      struct mortise_error *err)
{
	char mapping[128], uuid[256];

	read_mapping(number, mapping, uuid);
	if (depth > DEPTH_MAX || (depth && strncmp(uuid, LUKS_UUID, strlen(LUKS_UUID)) != 0))
		return error_set(err, MORTISE_E_BUSY, 0,
				 "/dev/%s%s%s%s stands on it: end that first", name,
				 *mapping ? " (" : "", mapping, *mapping ? ")" : "");
	return each_holder(number, depth, (struct walk){ look }, err);
}

static enum mortise_code close_mapping(const char *name, struct mortise_error *err)
{
	struct dm_control *control = NULL;
	enum mortise_code code = dm_open(&control, err);

	if (!code)
		code = dm_remove(control, name, DM_REMOVE_NOW, err);
	dm_close(control);
	/* A loop device of ours goes with its last user, a mapping made deferred likewise. */
	return code == MORTISE_E_INACTIVE ? MORTISE_OK : code;
}

static enum mortise_code end_use(dev_t number, const char *name, unsigned depth,
				 struct mortise_error *err)
{
	char mapping[128], uuid[256];
	enum mortise_code code;

	(void)name;
	read_mapping(number, mapping, uuid);
	code = each_holder(number, depth, (struct walk){ end_use }, err);
	if (!code)
		code = disk_number_release(number, err);
	return (code || !depth) ? code : close_mapping(mapping, err);
}

/* Loop devices that were not made by us stay when nothing stands on them any more. */
static enum mortise_code still_there(dev_t number, const char *name, unsigned depth,
				     struct mortise_error *err)
{
	(void)number;
	(void)depth;
	return error_set(err, MORTISE_E_BUSY, 0, "it is /dev/%s: losetup -d /dev/%s first", name,
			 name);
}

enum mortise_code disk_release(const struct luks2_device *device, struct mortise_error *err)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	enum mortise_code code;

	code = each_loop(device, (struct walk){ look }, err);
	if (!code && device->block)
		code = look(device->number, device->path, 0, err);
	if (!code)
		code = each_loop(device, (struct walk){ end_use }, err);
	if (!code && device->block)
		code = end_use(device->number, device->path, 0, err);
	/* The kernel may take its time to let a loop device go that its last user has left. */
	for (unsigned i = 0; !code && i < LOOP_TRIES; i++) {
		if (!each_loop(device, (struct walk){ still_there }, NULL))
			break;
		(void)nanosleep(&pause, NULL);
	}
	if (!code)
		code = each_loop(device, (struct walk){ still_there }, err);
	if (code)
		error_prefix(err, "%s is in use", device->path);
	return code;
}

void disk_drop_tableless(const char *mapping)
{
	struct dm_control *control = NULL;
	struct mortise_error ignored;
	struct dm_info info;

	if (!dm_open(&control, &ignored) && !dm_info(control, mapping, &info, &ignored) &&
	    !info.has_table && !info.open_count &&
	    !strncmp(info.uuid, LUKS_UUID, strlen(LUKS_UUID)))
		(void)!dm_remove(control, mapping, DM_REMOVE_NOW, &ignored);
	dm_close(control);
}

bool disk_partitions(const struct luks2_device *device, char *names, size_t room)
{
	char path[PATH_ROOM], text[16];
	struct dirent *entry;
	size_t used = 0;
	DIR *directory;

	names[0] = '\0';
	if (!device->block)
		return false;
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(device->number),
		 minor(device->number));
	directory = opendir(path);
	while (directory && (entry = readdir(directory))) {
		sysfs_line(path, entry->d_name, "partition", text, sizeof(text));
		if (entry->d_name[0] == '.' || !*text || used >= room)
			continue;
		used += (size_t)snprintf(names + used, room - used, "%s%s", used ? ", " : "",
					 entry->d_name);
	}
	if (directory)
		closedir(directory);
	return used > 0;
}
