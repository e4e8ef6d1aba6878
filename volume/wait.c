/* SPDX-License-Identifier: MIT */
/* Waiting for devices by looking at sysfs: an initramfs may have neither udev nor netlink. */
#include "volume/wait.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>

#include "volume/declared.h"
#include "volume/disks.h"
#include "volume/locate.h"

enum {
	POLL_MS = 50,
	SETTLE_MS = 1000,
};

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void sleep_ms(uint64_t milliseconds)
{
	const struct timespec pause = {
		.tv_sec = (time_t)(milliseconds / 1000),
		.tv_nsec = (long)(milliseconds % 1000) * 1000000,
	};

	(void)nanosleep(&pause, NULL);
}

static size_t disk_count(void)
{
	struct volume_disks disks;
	struct mortise_error ignored;
	size_t count = 0;

	if (!volume_disks_read("", &disks, &ignored))
		count = disks.count;
	volume_disks_clear(&disks);
	return count;
}

enum standing {
	THERE,
	FRESH, /* a whole disk that would be formatted */
	MISSING,
};

static enum standing look(const struct meta_volume *volume,
			  const struct mortise_up_options *options)
{
	char path[VOLUME_PATH_MAX];
	struct volume_probe probe;
	struct mortise_error ignored;
	struct stat st;

	/* sysfs has a device before devtmpfs has its node. */
	if (volume_locate(volume, options, path, sizeof(path), &ignored) || stat(path, &st))
		return MISSING;
	if (!volume->disk_selector || volume_probe(path, &probe, &ignored))
		return THERE;
	return probe.content == VOLUME_EMPTY || probe.content == VOLUME_UNFINISHED ? FRESH : THERE;
}

/* The least of what the volumes are; there[i] is set for those that need no other look. */
static enum standing look_at_all(const struct meta_config *volumes,
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

void volume_wait_for_devices(const struct meta_config *volumes,
			     const struct mortise_up_options *options)
{
	const uint64_t begin = now_ms(), end = begin + options->device_wait_ms;
	uint64_t now = begin, changed = begin;
	size_t count = 0, before = 0;
	bool *there;

	if (!options->device_wait_ms)
		return;
	there = calloc(volumes->volume_count + 1, sizeof(*there));
	while (there && now < end) {
		const enum standing worst = look_at_all(volumes, options, there);

		if (worst == THERE)
			break;
		count = disk_count();
		if (count != before)
			changed = now;
		before = count;
		if (worst == FRESH && now - changed >= SETTLE_MS)
			break;
		sleep_ms(end - now < POLL_MS ? end - now : POLL_MS);
		now = now_ms();
	}
	free(there);
}

void volume_wait_for_state(const struct mortise_up_options *options)
{
	char name[] = "STATE";
	struct mortise_up_options of_state = *options;
	struct meta_volume state = { .name = name, .id = name };
	const struct meta_config volumes = { .volumes = &state, .volume_count = 1 };

	/* It is needed whatever volumes were asked for. */
	of_state.name_count = 0;
	volume_wait_for_devices(&volumes, &of_state);
}
