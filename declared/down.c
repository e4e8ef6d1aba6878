/* SPDX-License-Identifier: MIT */
/* Taking volumes down in the reverse order, and looking at how they stand. */
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "declared/declared.h"
#include "declared/locate.h"
#include "disk/partition.h"
#include "disk/mount.h"

static void set_error(struct volume_entry *entry, const struct mortise_error *why)
{
	snprintf(entry->error, sizeof(entry->error), "%s", why->text);
}

/*
 * Where a volume may be open: a change between plain and encrypted that was staged for the next
 * boot leaves it as it was, so that what is declared does not say which of the two it is.
 */
struct place {
	char device[VOLUME_PATH_MAX]; /* "" when it was not found */
	char mapping[MORTISE_NAME_MAX + 1];
	char node[MORTISE_NAME_MAX + 16]; /* of the mapping */
	bool active;
	bool foreign; /* somebody else's mapping has the name of ours */
	char mount_point[VOLUME_PATH_MAX];
};

/* device: as volume_locate() has it. */
static void find_place(const struct volume_run *run, const struct config_volume *volume,
		       const char *device, struct place *place)
{
	struct mortise_mapping_info info = { .struct_size = sizeof(info) };
	struct mortise_error ignored;
	bool known, ours;

	snprintf(place->device, sizeof(place->device), "%s", device);
	volume_mapping_name(volume, place->mapping);
	snprintf(place->node, sizeof(place->node), "/dev/mapper/%s", place->mapping);
	volume_mount_path(run, volume, place->mount_point);
	known = !mortise_mapping_info(place->mapping, &info, &ignored);
	ours = known && (!*device || disk_mapping_is_on(&info, device));
	place->foreign = known && !ours;
	place->active = ours && info.luks2;
}

static enum mortise_code unmount(const struct place *place, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	if (!*place->mount_point)
		return MORTISE_OK;
	if (!place->foreign)
		code = disk_unmount(place->node, place->mount_point, err);
	return code ? code : disk_unmount(place->device, place->mount_point, err);
}

static enum mortise_code close_place(const struct config_volume *volume, const struct place *place,
				     struct mortise_error *err)
{
	enum mortise_code code;

	if (volume->encrypted && place->foreign)
		return error_set(err, MORTISE_E_EXISTS, 0,
				 "a mapping %s is active, but not of %s: left as it is",
				 place->mapping, place->device);
	code = unmount(place, err);
	if (!code && (place->active || volume->encrypted)) {
		code = mortise_deactivate(place->mapping, MORTISE_CLOSE_NOW, err);
		if (code == MORTISE_E_INACTIVE)
			code = MORTISE_OK;
	}
	/* A raw volume without encryption is not ours to look at. */
	if (!code && volume->filesystem != CONFIG_FS_NONE && disk_is_mounted(place->device, NULL))
		code = error_set(err, MORTISE_E_BUSY, 0,
				 "%s is still in use: mounted elsewhere, or swapped on",
				 place->device);
	return code;
}

static void take_down(const struct volume_run *run, const struct config_volume *volume,
		      struct volume_entry *entry)
{
	struct mortise_error why;
	struct place place = { 0 };

	if (volume_locate(volume, run->options, entry->device, sizeof(entry->device), &why))
		entry->device[0] = '\0';
	find_place(run, volume, entry->device, &place);
	entry->phase = MORTISE_PHASE_CLOSED;
	if (close_place(volume, &place, &why)) {
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
	struct mortise_up_options wanted;
	struct volume_run run = { .options = &wanted };
	const bool only_state = config->volumes && !config->text;
	size_t failed = 0;
	int lock = -1;
	enum mortise_code code;

	*report = NULL;
	code = volume_options_copy(&wanted, options, err);
	/* Where the system unmounts before it calls down, META is left to go by: it knows STATE. */
	if (!code && !only_state)
		code = volume_check_names(config, &wanted, err);
	if (!code)
		code = volume_run_lock(wanted.events, &lock, err);
	if (code)
		return code;
	run.config = config->volumes;
	code = volume_report_new(run.config, report, err);
	for (size_t i = run.config->volume_count; !code && i > 0; i--) {
		const struct config_volume *volume = &run.config->volumes[i - 1];
		struct volume_entry *entry;

		if (!volume_is_wanted(volume, &wanted))
			continue;
		entry = volume_report_add(*report, volume);
		take_down(&run, volume, entry);
		failed += entry->phase == MORTISE_PHASE_FAILED;
	}
	if (!code && failed)
		code = error_set(err, MORTISE_E_BUSY, 0, "%zu of %zu volumes could not be closed",
				 failed, (*report)->count);
	if (!code && only_state)
		code = volume_close_remembered(run.config, &wanted, err);
	close(lock);
	return code;
}

/* Open in the other way than is declared: it is not ready, and it is not closed either. */
static void tell_as_it_was(const struct volume_run *run, const struct config_volume *volume,
			   struct volume_entry *entry)
{
	char command[VOLUME_RESET_COMMAND];

	volume_reset_command(run, volume, entry->device, command);
	snprintf(entry->error, sizeof(entry->error),
		 "it is still open as it was, %s, and not as it is declared: `%.300s` "
		 "before the next boot makes way for that, if nothing of it is needed",
		 volume->encrypted ? "not encrypted" : "encrypted", command);
}

static bool is_mounted(const char *node, const struct place *place)
{
	return *place->mount_point && disk_is_mounted(node, place->mount_point);
}

static void look_at(const struct volume_run *run, const struct config_volume *volume,
		    struct volume_entry *entry)
{
	struct mortise_error why;
	struct place place = { 0 };
	bool mounted, plain;

	if (volume_locate(volume, run->options, entry->device, sizeof(entry->device), &why)) {
		entry->phase = MORTISE_PHASE_MISSING;
		set_error(entry, &why);
		return;
	}
	find_place(run, volume, entry->device, &place);
	plain = is_mounted(entry->device, &place);
	mounted = plain || (place.active && is_mounted(place.node, &place));
	entry->phase = MORTISE_PHASE_LOCATED;
	if (mounted)
		snprintf(entry->mount_point, sizeof(entry->mount_point), "%s", place.mount_point);
	if (place.active) {
		snprintf(entry->mapping, sizeof(entry->mapping), "%s", place.node);
		entry->phase = MORTISE_PHASE_PREPARED;
		volume_opening_read(volume, &entry->opening);
	}
	if (volume->encrypted ? plain : place.active)
		tell_as_it_was(run, volume, entry);
	else if (mounted ||
		 (!*place.mount_point &&
		  (volume->encrypted ? place.active : volume->filesystem == CONFIG_FS_NONE)))
		entry->phase = MORTISE_PHASE_READY;
}

enum mortise_code mortise_status(const struct mortise_config *config,
				 const struct mortise_up_options *options,
				 struct mortise_report **report, struct mortise_error *err)
{
	struct mortise_up_options wanted;
	struct volume_run run = { .options = &wanted };
	enum mortise_code code;

	*report = NULL;
	code = volume_options_copy(&wanted, options, err);
	if (!code)
		code = volume_check_names(config, &wanted, err);
	if (code)
		return code;
	run.config = config->volumes;
	code = volume_report_new(run.config, report, err);
	for (size_t i = 0; !code && i < run.config->volume_count; i++)
		if (volume_is_wanted(&run.config->volumes[i], &wanted))
			look_at(&run, &run.config->volumes[i],
				volume_report_add(*report, &run.config->volumes[i]));
	return code;
}
