/* SPDX-License-Identifier: MIT */
/* sysfs shows the label of a partition that the kernel has read from a table (PARTNAME in uevent). */
#include "disk/partition.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "disk/sysfs.h"
#include "disk/table.h"

#define SYSFS_BLOCK   "/sys/class/block"
#define SYSFS_NUMBERS "/sys/dev/block"

bool disk_is_neighbor(const char *partition, const char *other)
{
	char disk_a[160], disk_b[160];
	struct stat st_a, st_b;

	return !stat(partition, &st_a) && !stat(other, &st_b) && S_ISBLK(st_a.st_mode) &&
	       S_ISBLK(st_b.st_mode) && disk_of_partition(st_a.st_rdev, disk_a, sizeof(disk_a)) &&
	       disk_of_partition(st_b.st_rdev, disk_b, sizeof(disk_b)) && !strcmp(disk_a, disk_b);
}

/*
 * The label of a partition, which name is in sysfs. A partition that was added alone (BLKPG, as by
 * parted and on a disk in use) has none there: its table has.
 */
static bool read_label(const char *directory, const char *name, char *label, size_t room)
{
	char type[16], node[120], device[128];
	struct disk_table table;
	struct mortise_error ignored;
	bool found;

	if (sysfs_uevent(directory, name, "PARTNAME", label, room))
		return true;
	if (!sysfs_uevent(directory, name, "DEVTYPE", type, sizeof(type)) ||
	    strcmp(type, "partition") != 0 ||
	    !sysfs_uevent(directory, name, "DEVNAME", node, sizeof(node)))
		return false;
	snprintf(device, sizeof(device), "/dev/%s", node);
	found = !disk_table_open(device, false, NULL, &table, &found, &ignored) && found &&
		snprintf(label, room, "%s", table.partition.name) < (int)room;
	disk_table_close(&table);
	return found;
}

bool disk_partition_has_label(const char *directory, const char *name, const char *label)
{
	char found[128];

	return read_label(directory, name, found, sizeof(found)) && !strcmp(found, label);
}

/* Lists the partitions with this label or, unless neighbor is NULL, those on its disk. */
static enum mortise_code list_labeled(const char *label, const char *neighbor,
				      struct disk_labeled *found, struct mortise_error *err)
{
	DIR *directory = opendir(SYSFS_BLOCK);
	struct dirent *entry;

	found->count = 0;
	if (!directory)
		return error_set(err, MORTISE_E_SYSTEM, errno,
				 "cannot list partitions in " SYSFS_BLOCK
				 "; mount sysfs or use --device NAME=/dev/X");
	while ((entry = readdir(directory))) {
		char node[120], device[128];

		if (entry->d_name[0] == '.' ||
		    !disk_partition_has_label(SYSFS_BLOCK, entry->d_name, label) ||
		    !sysfs_uevent(SYSFS_BLOCK, entry->d_name, "DEVNAME", node, sizeof(node)))
			continue;
		snprintf(device, sizeof(device), "/dev/%s", node);
		if (neighbor && !disk_is_neighbor(device, neighbor))
			continue;
		if (found->count < DISK_LABELED_MAX)
			snprintf(found->path[found->count], sizeof(*found->path), "%s", device);
		found->count++;
	}
	closedir(directory);
	return MORTISE_OK;
}

enum mortise_code disk_list_labeled(const char *label, struct disk_labeled *found,
				    struct mortise_error *err)
{
	return list_labeled(label, NULL, found, err);
}

enum mortise_code disk_labeled_error(const struct disk_labeled *found, const char *label,
				     const char *name, struct mortise_error *err)
{
	char list[320];
	size_t used = 0;

	if (!found->count)
		return error_set(err, MORTISE_E_DEVICE, 0,
				 "no partition is labeled \"%s\"; set the label or use --device "
				 "%s=/dev/X",
				 label, name);
	for (unsigned i = 0; i < found->count && i < DISK_LABELED_MAX && used < sizeof(list); i++)
		used += (size_t)snprintf(list + used, sizeof(list) - used, "%s%s", i ? ", " : "",
					 found->path[i]);
	return error_set(err, MORTISE_E_DEVICE, 0,
			 "%u partitions are labeled \"%s\" (%s); select one with --device "
			 "%s=/dev/X",
			 found->count, label, list, name);
}

enum mortise_code disk_find_label(const char *label, const char *name, char *path, size_t room,
				  struct mortise_error *err)
{
	return disk_find_neighbor(label, name, NULL, path, room, err);
}

enum mortise_code disk_find_neighbor(const char *label, const char *name, const char *neighbor,
				     char *path, size_t room, struct mortise_error *err)
{
	struct disk_labeled found;
	enum mortise_code code;

	path[0] = '\0';
	code = list_labeled(label, neighbor, &found, err);
	if (code)
		return code;
	if (found.count)
		snprintf(path, room, "%s", found.path[0]);
	return found.count == 1 ? MORTISE_OK : disk_labeled_error(&found, label, name, err);
}

bool disk_of_partition(dev_t device, char *path, size_t room)
{
	char disk[48], node[128];

	snprintf(disk, sizeof(disk), "%u:%u", major(device), minor(device));
	if (!sysfs_uevent(SYSFS_NUMBERS, disk, "DEVTYPE", node, sizeof(node)) ||
	    strcmp(node, "partition"))
		return false;
	/* The link leads into the directory of the disk, which contains its partitions'. */
	snprintf(disk, sizeof(disk), "%u:%u/..", major(device), minor(device));
	if (!sysfs_uevent(SYSFS_NUMBERS, disk, "DEVNAME", node, sizeof(node)))
		return false;
	snprintf(path, room, "/dev/%s", node);
	return true;
}

bool disk_mapping_is_on(const struct mortise_mapping_info *mapping, const char *device)
{
	struct stat wanted, data;

	if (stat(device, &wanted))
		return true;
	if (S_ISBLK(wanted.st_mode))
		return stat(mapping->device, &data) || wanted.st_rdev == data.st_rdev;
	return !*mapping->loop_file || stat(mapping->loop_file, &data) ||
	       (wanted.st_dev == data.st_dev && wanted.st_ino == data.st_ino);
}
