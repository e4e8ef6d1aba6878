/* SPDX-License-Identifier: MIT */
/* Waiting for devices by looking at sysfs: an initramfs may have neither udev nor netlink. */
#include "declared/wait.h"

#include <dirent.h>
#include <stdlib.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/events.h"
#include "declared/declared.h"
#include "declared/locate.h"
#include "declared/meta_state.h"
#include "declared/state_store.h"
#include "disk/disks.h"

enum {
	POLL_MS = 50,
	SETTLE_MS = 1000,
};

static size_t disk_count(void)
{
	struct disk_list disks;
	struct mortise_error ignored;
	size_t count = 0;

	if (!disk_list_read("", &disks, &ignored))
		count = disks.count;
	disk_list_clear(&disks);
	return count;
}

/* All block devices, partitions among them: a change of the number is what counts. */
static size_t node_count(void)
{
	DIR *directory = opendir("/sys/class/block");
	size_t count = 0;

	while (directory && readdir(directory))
		count++;
	if (directory)
		closedir(directory);
	return count;
}

enum standing {
	THERE,
	FRESH, /* a whole disk that would be formatted, or no META yet */
	MISSING,
};

static enum standing look(const struct config_volume *volume,
			  const struct mortise_up_options *options)
{
	char path[VOLUME_PATH_MAX];
	struct disk_probe probe;
	struct mortise_error ignored;
	struct stat st;

	/* sysfs has a device before devtmpfs has its node. */
	if (volume_locate(volume, options, path, sizeof(path), &ignored) || stat(path, &st))
		return MISSING;
	if (!volume->disk_selector || disk_probe(path, options->events, &probe, &ignored))
		return THERE;
	return probe.content == DISK_EMPTY || probe.content == DISK_UNFINISHED ? FRESH : THERE;
}

/* The least of what the volumes are; there[i] is set for those that need no other look. */
static enum standing look_at_all(const struct config *volumes,
				 const struct mortise_up_options *options, bool *there)
{
	enum standing worst = THERE;

	for (size_t i = 0; i < volumes->volume_count; i++) {
		enum standing one;

		if (there[i] || !volume_is_wanted(&volumes->volumes[i], options))
			continue;
		one = look(&volumes->volumes[i], options);
		there[i] = one == THERE;
		worst = one > worst ? one : worst;
	}
	return worst;
}

static bool meta_is_there(const struct mortise_up_options *options)
{
	const struct volume_devices devices = { options->devices, options->device_count };
	struct volume_meta_place place;
	struct mortise_error ignored;
	struct stat st;

	/* Planning reports several partitions with the label. */
	if (volume_meta_find(&devices, &place, &ignored))
		return true;
	return *place.path && !stat(place.path, &st);
}

/*
 * META gives the machine's UUID or, with from_meta, the keys of STATE. A STATE that is LUKS2 never
 * opens without META.
 */
static enum standing look_at_meta(const struct config *volumes,
				  const struct mortise_up_options *options, bool from_meta)
{
	char path[VOLUME_PATH_MAX];
	struct disk_probe probe;
	struct mortise_error ignored;

	if (!from_meta &&
	    ((options->sources && options->sources->node_uuid) || !volume_needs_node_uuid(volumes)))
		return THERE;
	/* The run that mounted STATE has waited already. */
	volume_state_dir(options, path);
	if (*path || meta_is_there(options))
		return THERE;
	if (from_meta &&
	    !volume_locate(&volumes->volumes[0], options, path, sizeof(path), &ignored) &&
	    !disk_probe(path, options->events, &probe, &ignored) && probe.content == DISK_LUKS2)
		return MISSING;
	return FRESH;
}

/* Not every machine has META, and a selector may mean another disk: both are given time to settle. */
static enum mortise_code wait_for(const struct config *volumes,
				  const struct mortise_up_options *options, bool from_meta,
				  struct mortise_error *err)
{
	const uint64_t begin = clock_now_ms(), end = begin + options->device_wait_ms;
	uint64_t now = begin, changed = begin;
	enum standing before = MISSING;
	enum mortise_code code = MORTISE_OK;
	size_t count_before = 0;
	bool *there;

	if (!options->device_wait_ms)
		return MORTISE_OK;
	there = calloc(volumes->volume_count + 1, sizeof(*there));
	while (!code && there && now < end) {
		enum standing worst = look_at_all(volumes, options, there);
		size_t count;

		if (worst != MISSING) {
			const enum standing meta = look_at_meta(volumes, options, from_meta);

			worst = meta > worst ? meta : worst;
		}
		if (worst == THERE)
			break;
		count = disk_count() + node_count();
		if (count != count_before || worst != before)
			changed = now;
		count_before = count;
		before = worst;
		if (worst == FRESH && now - changed >= SETTLE_MS)
			break;
		if (!events_sleep_ms(options->events, end - now < POLL_MS ? end - now : POLL_MS))
			code = events_cancel_error(err);
		now = clock_now_ms();
	}
	free(there);
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

	/* It is needed whatever volumes were asked for. */
	of_state.name_count = 0;
	return wait_for(&volumes, &of_state, true, err);
}
