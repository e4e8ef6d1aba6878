/* SPDX-License-Identifier: MIT */
/* Taking volumes down in the reverse order, and looking at how they stand. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "keys/error.h"
#include "volume/declared.h"
#include "volume/locate.h"
#include "volume/mount.h"

static void set_error(struct volume_entry *entry, const struct mortise_error *why)
{
	snprintf(entry->error, sizeof(entry->error), "%s", why->text);
}

/* Path of the mapping, or of the device itself where there is none. */
static void block_node(const struct meta_volume *volume, const char *device, char *node,
		       size_t room)
{
	char mapping[MORTISE_NAME_MAX + 1];

	volume_mapping_name(volume, mapping);
	if (volume->encrypted)
		snprintf(node, room, "/dev/mapper/%s", mapping);
	else
		snprintf(node, room, "%s", device);
}

/* Somebody else's mapping may have the name of ours. */
static bool is_foreign(const char *mapping, const char *device)
{
	struct mortise_mapping_info info;
	struct mortise_error ignored;

	return *device && !mortise_mapping_info(mapping, &info, &ignored) &&
	       !volume_lies_on(&info, device);
}

static void take_down(const struct volume_run *run, const struct meta_volume *volume,
		      struct volume_entry *entry)
{
	char mapping[MORTISE_NAME_MAX + 1], mount_point[VOLUME_PATH_MAX], node[VOLUME_PATH_MAX];
	struct mortise_error why;
	enum mortise_code code;

	if (volume_locate(volume, run->options, entry->device, sizeof(entry->device), &why))
		entry->device[0] = '\0';
	block_node(volume, entry->device, node, sizeof(node));
	volume_mount_path(run, volume, mount_point);
	volume_mapping_name(volume, mapping);
	entry->phase = MORTISE_PHASE_CLOSED;
	if (volume->encrypted && is_foreign(mapping, entry->device))
		code = error_set(&why, MORTISE_E_EXISTS, 0,
				 "a mapping %s is active, but not of %s: left as it is", mapping,
				 entry->device);
	else
		code = *mount_point ? volume_unmount(node, mount_point, &why) : MORTISE_OK;
	if (!code && volume->encrypted) {
		code = mortise_deactivate(mapping, MORTISE_CLOSE_NOW, &why);
		if (code == MORTISE_E_INACTIVE)
			code = MORTISE_OK;
	}
	if (code) {
		entry->phase = MORTISE_PHASE_FAILED;
		set_error(entry, &why);
	} else {
		volume_opening_forget(volume);
	}
}

enum mortise_code mortise_down(const struct mortise_config *config,
			       const struct mortise_up_options *options,
			       struct mortise_report **report, struct mortise_error *err)
{
	struct volume_run run = { .options = options };
	const bool only_state = config->volumes && !config->text;
	size_t failed = 0;
	int lock = -1;
	enum mortise_code code;

	*report = NULL;
	/* Where the system unmounts before it calls down, META is left to go by: it knows STATE. */
	code = only_state ? MORTISE_OK : volume_check_names(config, options, err);
	if (!code)
		code = volume_run_lock(&lock, err);
	if (code)
		return code;
	run.config = config->volumes;
	code = volume_report_new(run.config, report, err);
	for (size_t i = run.config->volume_count; !code && i > 0; i--) {
		const struct meta_volume *volume = &run.config->volumes[i - 1];
		struct volume_entry *entry;

		if (!volume_is_wanted(volume, options))
			continue;
		entry = volume_report_add(*report, volume);
		take_down(&run, volume, entry);
		failed += entry->phase == MORTISE_PHASE_FAILED;
	}
	if (!code && failed)
		code = error_set(err, MORTISE_E_BUSY, 0, "%zu of %zu volumes could not be closed",
				 failed, (*report)->count);
	if (!code && only_state)
		code = volume_close_remembered(run.config, options, err);
	close(lock);
	return code;
}

static void look_at(const struct volume_run *run, const struct meta_volume *volume,
		    struct volume_entry *entry)
{
	char mapping[MORTISE_NAME_MAX + 1], mount_point[VOLUME_PATH_MAX], node[VOLUME_PATH_MAX];
	struct mortise_error why;
	bool open;

	if (volume_locate(volume, run->options, entry->device, sizeof(entry->device), &why)) {
		entry->phase = MORTISE_PHASE_MISSING;
		set_error(entry, &why);
		return;
	}
	volume_mapping_name(volume, mapping);
	block_node(volume, entry->device, node, sizeof(node));
	volume_mount_path(run, volume, mount_point);
	open = !volume->encrypted ||
	       (!mortise_is_active(mapping, &why) && !is_foreign(mapping, entry->device));
	entry->phase = MORTISE_PHASE_LOCATED;
	if (open && volume->encrypted) {
		snprintf(entry->mapping, sizeof(entry->mapping), "/dev/mapper/%s", mapping);
		entry->phase = MORTISE_PHASE_PREPARED;
		volume_opening_read(volume, &entry->opening);
	}
	if (open && *mount_point && volume_is_mounted(node, mount_point)) {
		snprintf(entry->mount_point, sizeof(entry->mount_point), "%s", mount_point);
		entry->phase = MORTISE_PHASE_READY;
	} else if (open && !*mount_point &&
		   (volume->encrypted || volume->filesystem == META_FS_NONE)) {
		entry->phase = MORTISE_PHASE_READY;
	}
}

enum mortise_code mortise_status(const struct mortise_config *config,
				 const struct mortise_up_options *options,
				 struct mortise_report **report, struct mortise_error *err)
{
	struct volume_run run = { .options = options };
	enum mortise_code code;

	*report = NULL;
	code = volume_check_names(config, options, err);
	if (code)
		return code;
	run.config = config->volumes;
	code = volume_report_new(run.config, report, err);
	for (size_t i = 0; !code && i < run.config->volume_count; i++)
		if (volume_is_wanted(&run.config->volumes[i], options))
			look_at(&run, &run.config->volumes[i],
				volume_report_add(*report, &run.config->volumes[i]));
	return code;
}
