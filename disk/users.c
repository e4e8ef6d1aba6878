/* SPDX-License-Identifier: MIT */
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
#define LOOP_TRIES 25u		/* half a second */
#define LUKS_UUID  "CRYPT-LUKS" /* start of the UUID of LUKS1 and LUKS2 mappings */

/* Called for each device that is built on another one. An error ends the walk. */
typedef enum mortise_code visitor(dev_t number, const char *name, unsigned depth,
				  struct mortise_error *err);

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

static enum mortise_code visit_holders(dev_t number, unsigned depth, visitor *visit,
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
			code = visit(holder, entry->d_name, depth + 1, err);
	if (directory)
		closedir(directory);
	return code;
}

/* sysfs lists no holder for the file or block device behind a loop device. */
static enum mortise_code visit_loops(const struct luks2_device *device, visitor *visit,
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
			code = visit(number, entry->d_name, 0, err);
	}
	if (directory)
		closedir(directory);
	return code;
}

static enum mortise_code refuse_any(dev_t number, const char *name, unsigned depth,
				    struct mortise_error *err)
{
	(void)number;
	return error_set(err, MORTISE_E_BUSY, 0, "%s (%u)", name, depth);
}

bool disk_in_use(const struct luks2_device *device)
{
	if (visit_loops(device, refuse_any, NULL))
		return true;
	return device->block && (visit_holders(device->number, 0, refuse_any, NULL) ||
				 disk_number_in_use(device->number));
}

/* Name and UUID of a mapping; "" if the device is not one. */
static void read_mapping(dev_t number, char name[static 128], char uuid[static 256])
{
	char path[PATH_ROOM];

	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(number), minor(number));
	sysfs_line(path, "dm", "name", name, 128);
	sysfs_line(path, "dm", "uuid", uuid, 256);
}

/* "/dev/dm-1 (LVM volume vg-root)", "/dev/md0 (RAID)" */
static void describe_device(dev_t number, const char *name, char *text, size_t room)
{
	char mapping[128], uuid[256], level[32], path[PATH_ROOM];

	read_mapping(number, mapping, uuid);
	snprintf(path, sizeof(path), "/sys/dev/block/%u:%u", major(number), minor(number));
	sysfs_line(path, "md", "level", level, sizeof(level));
	if (*mapping)
		snprintf(text, room, "/dev/%s (%s%.64s)", name,
			 !strncmp(uuid, "LVM-", 4) ? "LVM volume " : "", mapping);
	else
		snprintf(text, room, "/dev/%s%s", name, *level ? " (RAID)" : "");
}

static enum mortise_code name_holder(dev_t number, const char *name, unsigned depth,
				     struct mortise_error *err)
{
	char text[160];

	(void)depth;
	describe_device(number, name, text, sizeof(text));
	return error_set(err, MORTISE_E_BUSY, 0, "held by %s", text);
}

bool disk_describe_holder(dev_t number, char *text, size_t room)
{
	struct mortise_error why;
	const bool held = visit_holders(number, 0, name_holder, &why);

	snprintf(text, room, "%.*s", (int)room - 1, held ? why.text : "");
	return held;
}

/* A LUKS mapping, or the tags below one: NAME_dif. */
static bool is_crypt(const char *uuid, const char *mapping)
{
	const size_t length = strlen(mapping);

	if (!strncmp(uuid, LUKS_UUID, strlen(LUKS_UUID)))
		return true;
	return length > 4 && !strcmp(mapping + length - 4, "_dif") && dm_uuid_is_integrity(uuid);
}

static enum mortise_code check_user(dev_t number, const char *name, unsigned depth,
				    struct mortise_error *err)
{
	char mapping[128], uuid[256], holder[160];
	enum mortise_code code;

	read_mapping(number, mapping, uuid);
	describe_device(number, name, holder, sizeof(holder));
	if (depth > DEPTH_MAX || (depth && !is_crypt(uuid, mapping)))
		return error_set(err, MORTISE_E_BUSY, 0, "held by %s; close that first", holder);
	code = visit_holders(number, depth, check_user, err);
	return code ? code : disk_number_check(number, err);
}

static enum mortise_code close_mapping(const char *name, struct mortise_error *err)
{
	struct dm_control *control = NULL;
	enum mortise_code code = dm_open(&control, err);

	if (!code)
		code = dm_remove(control, name, DM_REMOVE_NOW, err);
	dm_close(control);
	/* An automatic loop device or deferred mapping may have closed with its last user. */
	return code == MORTISE_E_INACTIVE ? MORTISE_OK : code;
}

static enum mortise_code end_use(dev_t number, const char *name, unsigned depth,
				 struct mortise_error *err)
{
	char mapping[128], uuid[256];
	enum mortise_code code;

	(void)name;
	read_mapping(number, mapping, uuid);
	code = visit_holders(number, depth, end_use, err);
	if (!code)
		code = disk_number_release(number, err);
	return (code || !depth) ? code : close_mapping(mapping, err);
}

/* Only the loop devices of this program go away with their last user. */
static enum mortise_code refuse_loop(dev_t number, const char *name, unsigned depth,
				     struct mortise_error *err)
{
	(void)number;
	(void)depth;
	return error_set(err, MORTISE_E_BUSY, 0,
			 "attached to /dev/%s; run losetup -d /dev/%s first", name, name);
}

enum mortise_code disk_release(const struct luks2_device *device, struct mortise_error *err)
{
	const struct timespec pause = { .tv_nsec = 20000000 };
	enum mortise_code code;

	code = visit_loops(device, check_user, err);
	if (!code && device->block)
		code = check_user(device->number, device->path, 0, err);
	if (code)
		goto out;
	code = visit_loops(device, end_use, err);
	if (!code && device->block)
		code = end_use(device->number, device->path, 0, err);
	if (code)
		goto out;
	/* The kernel detaches a loop device some time after its last user has closed it. */
	for (unsigned i = 0; i < LOOP_TRIES && visit_loops(device, refuse_loop, NULL); i++)
		(void)nanosleep(&pause, NULL);
	code = visit_loops(device, refuse_loop, err);
out:
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
