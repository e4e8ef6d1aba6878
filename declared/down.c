/* SPDX-License-Identifier: MIT */
/* Closing volumes in reverse order, and reporting the state of volumes. */
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/mountinfo.h"
#include "declared/continue.h"
#include "declared/locate.h"
#include "declared/status.h"
#include "declared/trust.h"
#include "disk/partition.h"
#include "disk/mount.h"
#include "disk/mounts.h"

static void set_error(struct volume_entry *entry, const struct mortise_error *why)
{
	snprintf(entry->error, sizeof(entry->error), "%s", why->text);
}

/*
 * Where a volume may be open: as a mapping, as a plain device, or both. After a change between
 * plain and encrypted was staged for the next boot, it is still open in its previous state.
 */
struct place {
	char device[VOLUME_PATH_MAX]; /* "" if not found */
	char mapping[MORTISE_NAME_MAX + 1];
	char node[MORTISE_NAME_MAX + 16]; /* of the mapping */
	bool active;
	bool discards; /* the mapping passes them on */
	bool foreign;  /* a mapping with this name exists, but belongs to another device */
	char mount_point[VOLUME_PATH_MAX];
};

/* device: from volume_locate(). */
static void find_place(const struct volume_run *run, const struct config_volume *volume,
		       const char *device, struct place *place)
{
	struct mortise_mapping_info info = { .struct_size = sizeof(info) };
	struct mortise_error ignored;
	bool known, on_device;

	snprintf(place->device, sizeof(place->device), "%s", device);
	volume_mapping_name(volume, place->mapping);
	snprintf(place->node, sizeof(place->node), "/dev/mapper/%s", place->mapping);
	volume_mount_path(run, volume, place->mount_point);
	known = !volume_mapping_info(place->mapping, &info, &ignored);
	on_device = known && (!*device || disk_mapping_is_on(&info, device));
	place->foreign = known && !on_device;
	place->active = on_device && info.luks2;
	place->discards = info.flags & MORTISE_ALLOW_DISCARDS;
}

/*
 * Where up has mounted the volume: links that lead there may have changed since then, and the root
 * may have become "/", as after an initramfs. False: nothing is mounted there any more.
 */
static bool find_mounted(const struct config_volume *volume, char path[static PATH_MAX])
{
	struct volume_opening opening;
	bool found;

	volume_opening_read(volume, &opening);
	found = opening.mount_id && mountinfo_find_path(opening.mount_id, path);
	volume_opening_clear(&opening);
	return found;
}

static enum mortise_code unmount_place(const struct config_volume *volume,
				       const struct place *place, const char *root,
				       struct mortise_error *err)
{
	const char *const nodes[] = { place->foreign ? "" : place->node, place->device };
	char path[PATH_MAX];
	const bool remembered = find_mounted(volume, path);
	enum mortise_code code = MORTISE_OK;

	if (!*place->mount_point)
		return MORTISE_OK;
	for (size_t i = 0; !code && i < sizeof(nodes) / sizeof(nodes[0]); i++) {
		code = disk_unmount(nodes[i], root, place->mount_point, err);
		if (!code && remembered)
			code = disk_unmount(nodes[i], NULL, path, err);
	}
	return code;
}

/* What keeps the mapping or device in use after its mount point was unmounted. */
static enum mortise_code name_users(const char *node, struct mortise_error *err)
{
	char users[DISK_USE_ROOM] = "";
	struct stat st;

	if (!stat(node, &st))
		disk_describe_use(st.st_rdev, NULL, users);
	return error_set(err, MORTISE_E_BUSY, 0, "%s is still in use%s%s", node, *users ? ": " : "",
			 users);
}

static enum mortise_code close_place(const struct config_volume *volume, const struct place *place,
				     const char *root, struct mortise_error *err)
{
	enum mortise_code code;

	if (volume->encrypted && place->foreign)
		return error_set(err, MORTISE_E_EXISTS, 0,
				 "mapping %s is active, but does not belong to %s; not closed",
				 place->mapping, place->device);
	code = unmount_place(volume, place, root, err);
	if (code)
		return code;
	if (place->active || volume->encrypted) {
		code = mortise_deactivate(place->mapping, MORTISE_CLOSE_NOW, err);
		if (code == MORTISE_E_BUSY)
			return name_users(place->node, err);
		if (code && code != MORTISE_E_INACTIVE)
			return code;
	}
	/* Other programs may use an unencrypted raw volume freely. */
	if (volume->filesystem != CONFIG_FS_NONE && disk_is_mounted(place->device, NULL, NULL))
		return name_users(place->device, err);
	return MORTISE_OK;
}

static void close_volume(const struct volume_run *run, const struct config_volume *volume,
			 struct volume_entry *entry)
{
	struct mortise_error why;
	struct place place = { 0 };
	int lock = -1;

	if (volume_locate(volume, run->options, entry->device, sizeof(entry->device), &why))
		entry->device[0] = '\0';
	find_place(run, volume, entry->device, &place);
	entry->phase = MORTISE_PHASE_CLOSED;
	if (volume_continue_stop(volume, run->options->events, &lock, &why) ||
	    close_place(volume, &place, run->options->root, &why)) {
		entry->phase = MORTISE_PHASE_FAILED;
		set_error(entry, &why);
	} else {
		volume_opening_forget(volume);
	}
	if (lock >= 0)
		close(lock);
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
	if (code)
		return code;
	/* The configuration is META's, because STATE was closed before: check no names. */
	if (!only_state) {
		code = volume_check_names(config, &wanted, err);
		if (code)
			return code;
	}
	code = volume_run_lock(wanted.events, &lock, err);
	if (code)
		return code;
	run.config = config->volumes;
	code = volume_report_new(run.config, report, err);
	if (code)
		goto out;
	for (size_t i = run.config->volume_count; i > 0; i--) {
		const struct config_volume *volume = &run.config->volumes[i - 1];
		struct volume_entry *entry;

		if (!volume_is_wanted(volume, &wanted))
			continue;
		entry = volume_report_add(*report, volume);
		close_volume(&run, volume, entry);
		failed += entry->phase == MORTISE_PHASE_FAILED;
	}
	if (failed)
		code = error_set(err, MORTISE_E_BUSY, 0, "cannot close %zu of %zu volumes", failed,
				 (*report)->count);
	else if (only_state)
		code = volume_close_remembered(run.config, &wanted, err);
out:
	close(lock);
	return code;
}

/* The volume is open, but encrypted although declared plain, or the reverse. */
static void report_previous_state(const struct volume_run *run, const struct config_volume *volume,
				  struct volume_entry *entry)
{
	char command[VOLUME_RESET_COMMAND];

	if (volume->in_place && !volume->encrypted) {
		snprintf(entry->error, sizeof(entry->error),
			 "still open and encrypted; the next boot decrypts it in place");
		return;
	}
	volume_reset_command(run, volume, entry->device, command);
	snprintf(entry->error, sizeof(entry->error),
		 "still open in its previous state (%s), not as declared; to erase it for the "
		 "declared state, run `%.300s` before the next boot",
		 volume->encrypted ? "not encrypted" : "encrypted", command);
}

static bool is_mounted(const char *node, const struct place *place, const char *root)
{
	return *place->mount_point && disk_is_mounted(node, root, place->mount_point);
}

static void examine_volume(struct volume_run *run, const struct config_volume *volume,
			   struct volume_entry *entry)
{
	struct mortise_error why;
	struct place place = { 0 };
	bool mounted, plain;

	volume_status_last_up(entry);
	if (volume_locate(volume, run->options, entry->device, sizeof(entry->device), &why)) {
		entry->phase = MORTISE_PHASE_MISSING;
		set_error(entry, &why);
		return;
	}
	find_place(run, volume, entry->device, &place);
	plain = is_mounted(entry->device, &place, run->options->root);
	mounted = plain || (place.active && is_mounted(place.node, &place, run->options->root));
	entry->phase = MORTISE_PHASE_LOCATED;
	if (mounted)
		snprintf(entry->mount_point, sizeof(entry->mount_point), "%s", place.mount_point);
	if (config_filesystem_is_persistent(volume->filesystem))
		volume_status_use(run->options->root, entry->mount_point, &entry->facts.use);
	if (place.active) {
		entry->facts.discards = place.discards;
		snprintf(entry->mapping, sizeof(entry->mapping), "%s", place.node);
		entry->phase = MORTISE_PHASE_PREPARED;
		volume_opening_read(volume, &entry->opening);
	}
	volume_status_examine(&run->known, entry);
	if (volume->encrypted ? plain : place.active)
		report_previous_state(run, volume, entry);
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
	if (code)
		return code;
	code = volume_check_names(config, &wanted, err);
	if (code)
		return code;
	code = volume_trust_load(wanted.trust, &run.trust, err);
	if (code)
		return code;
	/* The next up would not start with a bad trust file; nothing else depends on it here. */
	config_trust_free(run.trust);
	run.config = config->volumes;
	code = volume_report_new(run.config, report, err);
	if (code)
		return code;
	volume_status_begin(&run.known, run.config, &wanted);
	for (size_t i = 0; i < run.config->volume_count; i++)
		if (volume_is_wanted(&run.config->volumes[i], &wanted))
			examine_volume(&run, &run.config->volumes[i],
				       volume_report_add(*report, &run.config->volumes[i]));
	volume_status_end(&run.known);
	volume_status_trims(*report, &wanted);
	return MORTISE_OK;
}
