/* SPDX-License-Identifier: MIT */
/* Where a declared volume is: sysfs knows every partition's label (PARTNAME), without udev. */
#include "volume/locate.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "keys/error.h"

#define SYSFS_BLOCK "/sys/class/block"

/* The value of NAME= in a uevent file; false when it is not there. */
static bool uevent_value(const char *device, const char *name, char *value, size_t room)
{
	char path[300], text[4096];
	size_t length = strlen(name);
	ssize_t size;
	int fd;

	snprintf(path, sizeof(path), SYSFS_BLOCK "/%s/uevent", device);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size = read(fd, text, sizeof(text) - 1);
	close(fd);
	if (size <= 0)
		return false;
	text[size] = '\0';
	for (char *line = text; line; line = strchr(line, '\n')) {
		size_t end;

		line += *line == '\n';
		if (strncmp(line, name, length) || line[length] != '=')
			continue;
		end = strcspn(line + length + 1, "\n");
		if (end >= room)
			return false;
		memcpy(value, line + length + 1, end);
		value[end] = '\0';
		return true;
	}
	return false;
}

static const char *given_device(const struct meta_volume *volume,
				const struct mortise_up_options *options)
{
	for (size_t i = 0; i < options->device_count; i++) {
		const char *name = options->devices[i].name;

		if (!strcmp(name, volume->name) || !strcmp(name, volume->id))
			return options->devices[i].device;
	}
	return NULL;
}

enum mortise_code volume_locate_label(const char *label, char *path, size_t room,
				      struct mortise_error *err)
{
	struct dirent *entry;
	unsigned found = 0;
	DIR *directory;

	path[0] = '\0';
	directory = opendir(SYSFS_BLOCK);
	if (!directory)
		return error_set(
			err, MORTISE_E_SYSTEM, errno,
			"cannot look for partitions in " SYSFS_BLOCK
			"; is sysfs mounted? (--device NAME=/dev/X says where a volume is)");
	while ((entry = readdir(directory))) {
		char name[128], node[128];

		if (entry->d_name[0] == '.' ||
		    !uevent_value(entry->d_name, "PARTNAME", name, sizeof(name)) ||
		    strcmp(name, label) ||
		    !uevent_value(entry->d_name, "DEVNAME", node, sizeof(node)))
			continue;
		if (++found == 1)
			snprintf(path, room, "/dev/%s", node);
	}
	closedir(directory);
	if (found == 1)
		return MORTISE_OK;
	if (found)
		return error_set(err, MORTISE_E_DEVICE, 0,
				 "%u partitions are labelled \"%s\"; say which one is meant with "
				 "--device NAME=/dev/X",
				 found, label);
	return error_set(err, MORTISE_E_DEVICE, 0,
			 "no partition is labelled \"%s\"; label one so, or use "
			 "--device NAME=/dev/X",
			 label);
}

enum mortise_code volume_locate(const struct meta_volume *volume,
				const struct mortise_up_options *options, char *path, size_t room,
				struct mortise_error *err)
{
	const char *given = given_device(volume, options);
	enum mortise_code code;

	if (given) {
		snprintf(path, room, "%s", given);
		if (access(path, F_OK))
			return error_set(err, MORTISE_E_DEVICE, errno, "%s", given);
		return MORTISE_OK;
	}
	code = volume_locate_label(volume->id, path, room, err);
	if (code)
		path[0] = '\0';
	return code;
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
