/* SPDX-License-Identifier: MIT */
/* Locating a declared volume. sysfs has the label of each partition (PARTNAME), without udev. */
#include "declared/locate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "declared/select_disk.h"
#include "disk/partition.h"

bool volume_is_label(const char *name)
{
	return config_is_system_volume(name) ||
	       (strlen(name) > 2 && strchr("urs", name[0]) && name[1] == '-');
}

bool volume_is_called(const struct config_volume *volume, const char *name)
{
	return !strcmp(volume->id, name) ||
	       (!strcmp(volume->name, name) && !volume_is_label(name) && strcmp(name, "META") != 0);
}

const char *volume_given_device(const struct config_volume *volume,
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

enum mortise_code volume_locate(const struct config_volume *volume,
				const struct mortise_up_options *options, char *path, size_t room,
				struct mortise_error *err)
{
	const char *given = volume_given_device(volume, options);
	enum mortise_code code;

	if (!given) {
		code = volume->disk_selector
			       ? volume_find_disk(volume, path, room, err)
			       : disk_find_label(volume->id, volume->name, path, room, err);
		if (code)
			path[0] = '\0';
		return code;
	}
	snprintf(path, room, "%s", given);
	if (access(path, F_OK))
		return error_set(err, MORTISE_E_DEVICE, errno, "%s", given);
	return MORTISE_OK;
}
