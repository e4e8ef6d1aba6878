/* SPDX-License-Identifier: MIT */
/* Waiting for devices by polling sysfs: an initramfs may have neither udev nor netlink. */
#include "declared/wait.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/events.h"
#include "declared/declared.h"
#include "declared/locate.h"
#include "declared/meta_state.h"
#include "declared/plan.h"
#include "declared/state_store.h"
#include "disk/disks.h"

enum {
	POLL_MS = 50,
	SETTLE_MS = 1000,
	TPM_SETTLE_MS = 5000,
};

static size_t count_disks(void)
{
	struct disk_list disks;
	struct mortise_error ignored;
	size_t count = 0;

	if (!disk_list_read("", &disks, &ignored))
		count = disks.count;
	disk_list_clear(&disks);
	return count;
}

/* Counts all block devices, including partitions. Only changes of the number matter. */
static size_t count_nodes(void)
{
	DIR *directory = opendir("/sys/class/block");
	size_t count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

static bool is_open(const struct config_volume *volume)
{
	char mapping[MORTISE_NAME_MAX + 1];
	struct mortise_error ignored;

	volume_mapping_name(volume, mapping);
	return !mortise_is_active(mapping, &ignored);
}

enum presence {
	PRESENT,
	/* An empty disk that matches a selector, a partition to create, no META: wait for disks. */
	UNSETTLED,
	MISSING,
};

/* An operator who names the system disk does not wait for what is to be created. */
static bool is_to_be_created(const struct config_volume *volume,
			     const struct mortise_up_options *options)
{
	return options->provision && options->system_disk && volume_has_place(volume) &&
	       !volume_given_device(volume, options);
}

static enum presence check_volume(const struct config_volume *volume,
				  const struct mortise_up_options *options)
{
	char path[VOLUME_PATH_MAX];
	struct disk_probe probe;
	struct mortise_error ignored;
	struct stat st;

	/* sysfs has a device before devtmpfs has its node. */
	if (volume_locate(volume, options, path, sizeof(path), &ignored) || stat(path, &st))
		return is_to_be_created(volume, options) ? UNSETTLED : MISSING;
	if (!volume->disk_selector || disk_probe(path, options->events, &probe, &ignored))
		return PRESENT;
	return probe.content == DISK_EMPTY || probe.content == DISK_UNFINISHED ? UNSETTLED
									       : PRESENT;
}

/* Returns the worst result. present[i] marks the volumes that need no further check. */
static enum presence check_volumes(const struct config *volumes,
				   const struct mortise_up_options *options, bool *present)
{
	enum presence worst = PRESENT;

	for (size_t i = 0; i < volumes->volume_count; i++) {
		enum presence one;

		if (present[i] || !volume_is_wanted(&volumes->volumes[i], options))
			continue;
		one = check_volume(&volumes->volumes[i], options);
		present[i] = one == PRESENT;
		worst = one > worst ? one : worst;
	}
	return worst;
}

static bool meta_is_present(const struct mortise_up_options *options)
{
	const struct volume_devices devices = { options->devices, options->device_count };
	struct volume_meta_place place;
	struct mortise_error ignored;
	struct stat st;

	/* If several partitions have the label, planning reports it. */
	if (volume_meta_find(&devices, &place, &ignored))
		return true;
	return *place.path && !place.foreign && !stat(place.path, &st);
}

/*
 * META may hold the machine's UUID and, with from_meta, holds the keys of STATE: then a STATE that is
 * LUKS2 cannot be opened without it.
 */
static enum presence check_meta(const struct config *volumes,
				const struct mortise_up_options *options, bool from_meta)
{
	char path[VOLUME_PATH_MAX];
	struct disk_probe probe;
	struct mortise_error ignored;

	if (!from_meta &&
	    ((options->sources && options->sources->node_uuid) || !volume_needs_node_uuid(volumes)))
		return PRESENT;
	/* The run that mounted STATE has waited for META already. */
	volume_state_dir(options, path);
	if (*path || meta_is_present(options))
		return PRESENT;
	if (from_meta &&
	    !volume_locate(&volumes->volumes[0], options, path, sizeof(path), &ignored) &&
	    !disk_probe(path, options->events, &probe, &ignored) && probe.content == DISK_LUKS2)
		return MISSING;
	return UNSETTLED;
}

/*
 * A TPM that comes late must be there before any volume is opened: PCR 15 is extended first. The
 * whole time is waited only for a TPM that certainly comes, or without which a volume stays closed.
 */
static enum presence check_tpm(const struct config *volumes,
			       const struct mortise_up_options *options, uint64_t waited)
{
	const char *tcti = options->sources ? options->sources->tcti : NULL;
	bool wanted = false, needed = false;

	for (size_t i = 0; i < volumes->volume_count; i++) {
		const struct config_volume *volume = &volumes->volumes[i];
		size_t count = 0;

		if (!volume_is_wanted(volume, options) || is_open(volume))
			continue;
		for (size_t j = 0; j < volume->key_count; j++)
			count += volume->keys[j].kind == CONFIG_KEY_TPM;
		wanted |= count;
		needed |= count && count == volume->key_count;
	}
	if (!MORTISE_TPM || !wanted || keys_tpm_exists(tcti))
		return PRESENT;
	return needed || waited < TPM_SETTLE_MS || keys_tpm_is_announced() ? MISSING : PRESENT;
}

/* Not every machine has META, and a selector may match a later disk: both get time to settle. */
static enum mortise_code wait_for(const struct config *volumes,
				  const struct mortise_up_options *options, bool from_meta,
				  struct mortise_error *err)
{
	const uint64_t begin = clock_now_ms(), end = begin + options->device_wait_ms;
	uint64_t now = begin, changed = begin;
	enum presence before = MISSING;
	enum mortise_code code = MORTISE_OK;
	size_t count_before = 0;
	bool *present;

	if (!options->device_wait_ms)
		return MORTISE_OK;
	present = calloc(volumes->volume_count + 1, sizeof(*present));
	if (!present)
		return MORTISE_OK;
	while (now < end) {
		enum presence worst = check_volumes(volumes, options, present);
		size_t count;

		if (worst != MISSING) {
			const enum presence meta = check_meta(volumes, options, from_meta);

			worst = meta > worst ? meta : worst;
		}
		if (check_tpm(volumes, options, now - begin) == MISSING)
			worst = MISSING;
		if (worst == PRESENT)
			break;
		count = count_disks() + count_nodes();
		if (count != count_before || worst != before)
			changed = now;
		count_before = count;
		before = worst;
		if (worst == UNSETTLED && now - changed >= SETTLE_MS)
			break;
		if (!events_sleep_ms(options->events, end - now < POLL_MS ? end - now : POLL_MS)) {
			code = events_cancel_error(err);
			break;
		}
		now = clock_now_ms();
	}
	free(present);
	return code;
}

enum mortise_code volume_wait_for_devices(const struct config *volumes,
					  const struct mortise_up_options *options,
					  struct mortise_error *err)
{
	return wait_for(volumes, options, false, err);
}

enum mortise_code volume_wait_for_state(const struct mortise_up_options *options,
					struct mortise_error *err)
{
	struct mortise_up_options of_state = *options;
	struct config_volume state = volume_state;
	const struct config volumes = { .volumes = &state, .volume_count = 1 };

	/* STATE is needed whichever volumes were named. */
	of_state.name_count = 0;
	return wait_for(&volumes, &of_state, true, err);
}
