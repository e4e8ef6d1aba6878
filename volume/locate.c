/* SPDX-License-Identifier: MIT */
/* Where a declared volume is: sysfs knows every partition's label (PARTNAME), without udev. */
#include "volume/locate.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "keys/error.h"
#include "volume/disks.h"
#include "volume/sysfs.h"

#define SYSFS_BLOCK   "/sys/class/block"
#define SYSFS_NUMBERS "/sys/dev/block"

bool volume_is_label(const char *name)
{
	static const char *const system[] = { "STATE", "EPHEMERAL", "IMAGECACHE", "ETCD",
					      "CRI",   "KUBELET",   "LOG" };

	for (size_t i = 0; i < sizeof(system) / sizeof(system[0]); i++)
		if (!strcmp(name, system[i]))
			return true;
	return strlen(name) > 2 && strchr("urs", name[0]) && name[1] == '-';
}

bool volume_is_called(const struct meta_volume *volume, const char *name)
{
	return !strcmp(volume->id, name) ||
	       (!strcmp(volume->name, name) && !volume_is_label(name) && strcmp(name, "META") != 0);
}

const char *volume_given_device(const struct meta_volume *volume,
				const struct mortise_up_options *options)
{
	const char *by_name = NULL;

	for (size_t i = 0; i < options->device_count; i++) {
		const char *name = options->devices[i].name;

		if (!strcmp(name, volume->id))
			return options->devices[i].device;
		if (!by_name && volume_is_called(volume, name))
			by_name = options->devices[i].device;
	}
	return by_name;
}

/* The partitions labelled so; path receives the first. */
static enum mortise_code count_labelled(const char *label, char *path, size_t room, unsigned *found,
					struct mortise_error *err)
{
	DIR *directory = opendir(SYSFS_BLOCK);
	struct dirent *entry;

	*found = 0;
	if (!directory)
		return error_set(
			err, MORTISE_E_SYSTEM, errno,
			"cannot look for partitions in " SYSFS_BLOCK
			"; is sysfs mounted? (--device NAME=/dev/X says where a volume is)");
	while ((entry = readdir(directory))) {
		char value[128], node[128];

		if (entry->d_name[0] == '.' ||
		    !volume_sysfs_uevent(SYSFS_BLOCK, entry->d_name, "PARTNAME", value,
					 sizeof(value)) ||
		    strcmp(value, label) ||
		    !volume_sysfs_uevent(SYSFS_BLOCK, entry->d_name, "DEVNAME", node, sizeof(node)))
			continue;
		if (++*found == 1)
			snprintf(path, room, "/dev/%s", node);
	}
	closedir(directory);
	return MORTISE_OK;
}

enum mortise_code volume_locate_label(const char *label, const char *name, char *path, size_t room,
				      struct mortise_error *err)
{
	enum mortise_code code;
	unsigned found;

	path[0] = '\0';
	code = count_labelled(label, path, room, &found, err);
	if (code || found == 1)
		return code;
	if (found)
		return error_set(err, MORTISE_E_DEVICE, 0,
				 "%u partitions are labelled \"%s\"; say which one is meant with "
				 "--device %s=/dev/X",
				 found, label, name);
	return error_set(err, MORTISE_E_DEVICE, 0,
			 "no partition is labelled \"%s\"; label one so, or use --device %s=/dev/X",
			 label, name);
}

enum mortise_code volume_locate(const struct meta_volume *volume,
				const struct mortise_up_options *options, char *path, size_t room,
				struct mortise_error *err)
{
	const char *given = volume_given_device(volume, options);
	enum mortise_code code;

	if (!given) {
		code = volume->disk_selector
			       ? volume_disk_find(volume, path, room, err)
			       : volume_locate_label(volume->id, volume->name, path, room, err);
		if (code)
			path[0] = '\0';
		return code;
	}
	snprintf(path, room, "%s", given);
	if (access(path, F_OK))
		return error_set(err, MORTISE_E_DEVICE, errno, "%s", given);
	return MORTISE_OK;
}

bool volume_disk_of(dev_t device, char *path, size_t room)
{
	char disk[48], node[128];

	snprintf(disk, sizeof(disk), "%u:%u", major(device), minor(device));
	if (!volume_sysfs_uevent(SYSFS_NUMBERS, disk, "DEVTYPE", node, sizeof(node)) ||
	    strcmp(node, "partition"))
		return false;
	/* Through the link: above the directory of a partition is that of its disk. */
	snprintf(disk, sizeof(disk), "%u:%u/..", major(device), minor(device));
	if (!volume_sysfs_uevent(SYSFS_NUMBERS, disk, "DEVNAME", node, sizeof(node)))
		return false;
	snprintf(path, room, "/dev/%s", node);
	return true;
}

bool volume_lies_on(const struct mortise_mapping_info *mapping, const char *device)
{
	struct stat wanted, below;

	if (stat(device, &wanted))
		return true;
	if (S_ISBLK(wanted.st_mode))
		return stat(mapping->device, &below) || wanted.st_rdev == below.st_rdev;
	return !*mapping->loop_file || stat(mapping->loop_file, &below) ||
	       (wanted.st_dev == below.st_dev && wanted.st_ino == below.st_ino);
}
