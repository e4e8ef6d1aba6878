/* SPDX-License-Identifier: MIT */
/*
 * Which disk is the system disk: the one with STATE or META or, on a blank machine, the one that an
 * operator or the configuration names.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/selector/selector.h"
#include "declared/locate.h"
#include "declared/plan_partition.h"
#include "declared/state_store.h"
#include "disk/partition.h"
#include "disk/place.h"

/* The disk of the partition device, which has this label; if it was not found, "" and layout->why. */
static void use_disk_of(struct partition_layout *layout, const char *label, const char *device,
			char path[static VOLUME_PATH_MAX])
{
	struct disk_place place;

	disk_place_read(device, &place);
	snprintf(path, VOLUME_PATH_MAX, "%s", place.disk);
	if (!*path)
		snprintf(layout->why, sizeof(layout->why),
			 "the system disk is unknown, because %s (%.200s) is not a partition",
			 label, device);
}

/* STATE and META show the system disk of an installed machine. False: both are missing. */
static bool find_installed(const struct mortise_up_options *options,
			   struct partition_layout *layout, char path[static VOLUME_PATH_MAX])
{
	static const char *const labels[] = { CONFIG_STATE, META_LABEL };
	char device[VOLUME_PATH_MAX];
	struct disk_labeled found;
	struct mortise_error why;
	const char *meta;

	path[0] = '\0';
	if (!volume_locate(&volume_state, options, device, sizeof(device), &why)) {
		use_disk_of(layout, CONFIG_STATE, device, path);
		return true;
	}
	meta = volume_device_named(options->devices, options->device_count, META_LABEL);
	if (meta) {
		use_disk_of(layout, META_LABEL, meta, path);
		return true;
	}
	for (unsigned i = 0; i < 2; i++) {
		if (disk_list_labeled(labels[i], &found, &why) || !found.count)
			continue;
		if (found.count == 1) {
			use_disk_of(layout, labels[i], found.path[0], path);
		} else {
			(void)disk_labeled_error(&found, labels[i], labels[i], &why);
			snprintf(layout->why, sizeof(layout->why),
				 "the system disk is unknown: %.300s", why.text);
		}
		return true;
	}
	return false;
}

/* The only disk that machine.install.diskSelector matches; "" and layout->why otherwise. */
static void select_disk(const char *expression, struct partition_layout *layout,
			char path[static VOLUME_PATH_MAX])
{
	struct config_selector *selector = NULL;
	struct mortise_error why;
	char names[200] = "";
	size_t used = 0, count = 0;
	enum mortise_code code = config_selector_parse(expression, &selector, &why);

	for (size_t i = 0; !code && i < layout->list.count; i++) {
		const struct disk_facts *facts = &layout->list.disk[i]->facts;
		bool matches;

		code = config_selector_matches(selector, facts, &matches, &why);
		if (code || !matches)
			continue;
		snprintf(path, VOLUME_PATH_MAX, "%s", facts->dev_path);
		if (used < sizeof(names))
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s",
						 used ? ", " : "", facts->dev_path);
		count++;
	}
	config_selector_free(selector);
	if (!code && count == 1)
		return;
	path[0] = '\0';
	snprintf(layout->why, sizeof(layout->why),
		 "machine.install.diskSelector matches %s%s; use --system-disk /dev/X",
		 count ? "several disks: " : "no disk", code ? "" : names);
}

/* An operator who names the system disk must not mean another one. */
static enum mortise_code check_wanted(const char *wanted, const char *installed,
				      struct mortise_error *err)
{
	char real[PATH_MAX];

	if (!wanted || !*installed)
		return MORTISE_OK;
	if (!realpath(wanted, real))
		return error_set(err, MORTISE_E_DEVICE, errno, "system disk %s", wanted);
	if (!strcmp(real, installed))
		return MORTISE_OK;
	return error_set(err, MORTISE_E_DEVICE, 0,
			 "%s is not the system disk of this machine: STATE or META is on %s",
			 wanted, installed);
}

/* Finds the path of the system disk; "" and layout->why if it is unknown. */
static void find_system_path(const struct volume_run *run, struct partition_layout *layout,
			     char path[static VOLUME_PATH_MAX])
{
	const struct config_install *install = &run->config->install;
	const char *wanted = run->options->system_disk;

	if (!wanted)
		wanted = install->disk;
	if (wanted && strlen(wanted) >= VOLUME_PATH_MAX)
		snprintf(layout->why, sizeof(layout->why),
			 "the path of the system disk is longer than %u bytes",
			 VOLUME_PATH_MAX - 1);
	else if (wanted)
		snprintf(path, VOLUME_PATH_MAX, "%s", wanted);
	else if (install->selector)
		select_disk(install->selector, layout, path);
	else
		snprintf(layout->why, sizeof(layout->why),
			 "the system disk is unknown; use --system-disk /dev/X, or "
			 "machine.install.disk in the configuration");
}

enum mortise_code partition_find_system(const struct volume_run *run,
					struct partition_layout *layout, const struct disk **system,
					struct mortise_error *err)
{
	const char *wanted = run->options->system_disk;
	char path[VOLUME_PATH_MAX] = "";
	enum mortise_code code = MORTISE_OK;
	struct disk *disk = NULL;
	struct mortise_error why;

	*system = NULL;
	if (find_installed(run->options, layout, path))
		code = check_wanted(wanted, path, err);
	else
		find_system_path(run, layout, path);
	if (code || !*path)
		return code;
	code = disk_list_add(&layout->list, path, &disk, &why);
	if (code == MORTISE_E_MEMORY)
		return error_memory(err);
	if (code && wanted)
		return error_set(err, code, 0, "system disk: %.300s", why.text);
	if (code) {
		snprintf(layout->why, sizeof(layout->why), "the system disk: %.300s", why.text);
		return MORTISE_OK;
	}
	for (size_t i = 0; i < layout->list.count; i++) {
		layout->list.disk[i]->facts.system = layout->list.disk[i] == disk;
		layout->list.disk[i]->facts.system_known = true;
	}
	*system = disk;
	return MORTISE_OK;
}
