/* SPDX-License-Identifier: MIT */
/* Locating a declared volume. sysfs has the label of each partition (PARTNAME), without udev. */
#include "declared/locate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "declared/plan.h"
#include "declared/select_disk.h"
#include "declared/state_store.h"
#include "disk/mount.h"
#include "disk/partition.h"

bool volume_is_label(const char *name)
{
	return config_is_system_volume(name) ||
	       (strlen(name) > 2 && strchr("urs", name[0]) && name[1] == '-');
}

bool volume_is_called(const struct config_volume *volume, const char *name)
{
	return !strcmp(volume->id, name) ||
	       (!strcmp(volume->name, name) && !volume_is_label(name) &&
		strcmp(name, META_LABEL) != 0);
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

const char *volume_device_named(const struct mortise_volume_device *devices, size_t count,
				const char *name)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(devices[i].name, name))
			return devices[i].device;
	return NULL;
}

bool volume_has_place(const struct config_volume *volume)
{
	return !volume->disk_selector &&
	       (volume->kind == CONFIG_VOLUME_SYSTEM || volume->provisioning.given);
}

/* Is the volume open on this partition: by its mapping, or mounted without encryption? */
enum mortise_code volume_mapping_info(const char *name, struct mortise_mapping_info *info,
				      struct mortise_error *err)
{
	enum mortise_code code = mortise_mapping_info(name, info, err);

	return code == MORTISE_E_UNSUPPORTED && info->luks2 && *info->device ? MORTISE_OK : code;
}

static bool is_open_on(const struct config_volume *volume, const struct mortise_up_options *options,
		       const char *partition)
{
	const struct volume_run run = { .options = options };
	struct mortise_mapping_info mapping = { .struct_size = sizeof(mapping) };
	char name[MORTISE_NAME_MAX + 1], mount_point[VOLUME_PATH_MAX];
	struct mortise_error ignored;

	volume_mapping_name(volume, name);
	if (!volume_mapping_info(name, &mapping, &ignored))
		return mapping.luks2 && disk_mapping_is_on(&mapping, partition);
	volume_mount_path(&run, volume, mount_point);
	if (!strcmp(volume->id, CONFIG_STATE))
		snprintf(mount_point, sizeof(mount_point), "%s/system/state",
			 options->root ? options->root : "");
	return *mount_point && disk_is_mounted(partition, options->root, mount_point);
}

/* The partition on which the volume is open, or -1. */
static int find_open(const struct config_volume *volume, const struct mortise_up_options *options,
		     const struct disk_labeled *found)
{
	int open = -1;

	for (unsigned i = 0; i < found->count; i++) {
		if (!is_open_on(volume, options, found->path[i]))
			continue;
		if (open >= 0)
			return -1;
		open = (int)i;
	}
	return open;
}

/* Copies the path that --device gives under this name. */
static bool find_given(const struct mortise_up_options *options, const char *name, char *path,
		       size_t room)
{
	const char *given = volume_device_named(options->devices, options->device_count, name);

	if (given)
		snprintf(path, room, "%s", given);
	return given;
}

/*
 * Finds a partition of the system disk: the open STATE, or else the only META, unless STATE is on
 * other disks only. A copy of the disk has both, and decides nothing.
 */
static bool find_on_system_disk(const struct mortise_up_options *options, char *path, size_t room)
{
	struct mortise_error ignored;
	struct disk_labeled states;
	bool together = false;
	int open;

	if (find_given(options, CONFIG_STATE, path, room))
		return true;
	if (disk_list_labeled(CONFIG_STATE, &states, &ignored) || states.count > DISK_LABELED_MAX)
		return false;
	open = find_open(&volume_state, options, &states);
	if (open >= 0) {
		snprintf(path, room, "%s", states.path[open]);
		return true;
	}
	if (!find_given(options, META_LABEL, path, room) &&
	    disk_find_label(META_LABEL, META_LABEL, path, room, &ignored))
		return false;
	for (unsigned i = 0; i < states.count; i++)
		together |= disk_is_neighbor(path, states.path[i]);
	return together || !states.count;
}

/* The only partition on the system disk, or -1. */
static int find_preferred(const struct mortise_up_options *options,
			  const struct disk_labeled *found)
{
	char system[VOLUME_PATH_MAX];
	int preferred = -1;

	if (!find_on_system_disk(options, system, sizeof(system)))
		return -1;
	for (unsigned i = 0; i < found->count; i++) {
		if (!disk_is_neighbor(found->path[i], system))
			continue;
		if (preferred >= 0)
			return -1;
		preferred = (int)i;
	}
	return preferred;
}

static enum mortise_code find_labeled(const struct config_volume *volume,
				      const struct mortise_up_options *options, char *path,
				      size_t room, struct mortise_error *err)
{
	struct disk_labeled found;
	enum mortise_code code = disk_list_labeled(volume->id, &found, err);
	int chosen = 0;

	if (code)
		return code;
	if (!found.count)
		return error_set(err, MORTISE_E_DEVICE, 0,
				 "no partition is labeled \"%s\"; %s, or use --device %s=/dev/X",
				 volume->id,
				 volume_has_place(volume) ? "to create it, run `mortise apply`"
							  : "set the label, declare its "
							    "provisioning",
				 volume->name);
	if (found.count > DISK_LABELED_MAX)
		return disk_labeled_error(&found, volume->id, volume->name, err);
	if (found.count > 1)
		chosen = find_open(volume, options, &found);
	if (chosen < 0)
		chosen = find_preferred(options, &found);
	if (chosen < 0)
		return disk_labeled_error(&found, volume->id, volume->name, err);
	snprintf(path, room, "%s", found.path[chosen]);
	return MORTISE_OK;
}

bool volume_label_is_shared(const struct config_volume *volume,
			    const struct mortise_up_options *options, struct mortise_error *why)
{
	struct disk_labeled found;

	if (volume->disk_selector || volume_given_device(volume, options) ||
	    disk_list_labeled(volume->id, &found, why) || found.count < 2)
		return false;
	(void)disk_labeled_error(&found, volume->id, volume->name, why);
	return true;
}

enum mortise_code volume_locate(const struct config_volume *volume,
				const struct mortise_up_options *options, char *path, size_t room,
				struct mortise_error *err)
{
	const char *given = volume_given_device(volume, options);
	enum mortise_code code;

	if (!given) {
		code = volume->disk_selector ? volume_find_disk(volume, path, room, err)
					     : find_labeled(volume, options, path, room, err);
		if (code)
			path[0] = '\0';
		return code;
	}
	snprintf(path, room, "%s", given);
	if (access(path, F_OK))
		return error_set(err, MORTISE_E_DEVICE, errno, "%s", given);
	return MORTISE_OK;
}
