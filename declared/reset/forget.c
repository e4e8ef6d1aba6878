/* SPDX-License-Identifier: MIT */
/* Removing an erased volume from the list of known volumes, so that the next run formats it again. */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "base/error.h"
#include "base/events.h"
#include "base/mountinfo.h"
#include "declared/known.h"
#include "declared/locate.h"
#include "declared/reset/reset.h"
#include "declared/state_header.h"
#include "disk/partition.h"

#define STATE_MOUNT_POINT "/system/state"
#define STATE_MAPPING	  "luks2-STATE"

static bool ends_with(const char *text, const char *end)
{
	size_t length = strlen(text), end_length = strlen(end);

	return length >= end_length && !strcmp(text + length - end_length, end);
}

/* Finds where a run has mounted this device as STATE, below any root. */
static bool find_mount(const char *device, char dir[static VOLUME_PATH_MAX])
{
	struct mountinfo mounts;
	struct stat st;

	dir[0] = '\0';
	if (stat(device, &st) || !S_ISBLK(st.st_mode))
		return false;
	mountinfo_open(&mounts);
	while (!*dir && mountinfo_next(&mounts))
		if (mountinfo_is_of(&mounts, st.st_rdev) &&
		    ends_with(mounts.mount_point, STATE_MOUNT_POINT) &&
		    strlen(mounts.mount_point) < VOLUME_PATH_MAX)
			snprintf(dir, VOLUME_PATH_MAX, "%.255s", mounts.mount_point);
	mountinfo_close(&mounts);
	return *dir;
}

static void find_state_mount(const struct mortise_reset *reset, char dir[static VOLUME_PATH_MAX],
			     bool *exists)
{
	struct mortise_mapping_info mapping = { .struct_size = sizeof(mapping) };
	struct mortise_error ignored;

	dir[0] = '\0';
	*exists = *reset->state;
	if (*exists && find_mount(reset->state, dir))
		return;
	/* The open STATE may be another one, on a copy of the disk. */
	if (!volume_mapping_info(STATE_MAPPING, &mapping, &ignored) &&
	    (!*exists || disk_mapping_is_on(&mapping, reset->state)))
		*exists |= find_mount("/dev/mapper/" STATE_MAPPING, dir);
}

void reset_find_state_dir(const struct mortise_reset *reset, char dir[static VOLUME_PATH_MAX],
			  char root[static VOLUME_PATH_MAX], bool *exists)
{
	root[0] = '\0';
	find_state_mount(reset, dir, exists);
	if (*dir)
		snprintf(root, VOLUME_PATH_MAX, "%.*s",
			 (int)(strlen(dir) - strlen(STATE_MOUNT_POINT)), dir);
}

static void notify(const struct mortise_reset *reset, const struct reset_target *target,
		   const char *why)
{
	char text[MORTISE_ERROR_TEXT];

	snprintf(text, sizeof(text),
		 "%.300s; `mortise up` does not format it again before STATE is mounted and "
		 "`mortise reset` was run once more, or `mortise apply`",
		 why);
	events_notify(reset->events, target->name, text);
}

/* Finds the only entry that the name can mean. False: no entry matches, or several do. */
static bool find_id(struct known_list *list, const struct reset_target *target,
		    struct known_volume *volume)
{
	static const char *const prefixes[] = { "", "u-", "r-", "s-" };
	char id[MORTISE_NAME_MAX + 3];
	struct known_volume found;
	unsigned count = 0;

	if (*target->label)
		return known_find(list, target->label, volume);
	for (size_t i = 0; i < sizeof(prefixes) / sizeof(prefixes[0]); i++) {
		snprintf(id, sizeof(id), "%s%s", prefixes[i], target->name);
		if (!known_find(list, id, &found))
			continue;
		*volume = found;
		count++;
	}
	return count == 1;
}

static enum mortise_code forget(struct known_list *list, const struct reset_target *target,
				struct mortise_error *err)
{
	struct known_volume volume;

	enum mortise_code code;

	if (!find_id(list, target, &volume))
		return MORTISE_OK;
	code = state_header_remove(list->root, list->dir, volume.id, err);
	if (code)
		return code;
	known_remove(list, volume.id);
	return known_store(list, err);
}

enum mortise_code reset_forget_known(const struct mortise_reset *reset,
				     const struct reset_target *target, struct mortise_error *err)
{
	char dir[VOLUME_PATH_MAX], root[VOLUME_PATH_MAX];
	struct mortise_error why;
	struct known_list list;
	enum mortise_code code = MORTISE_OK;
	bool exists;

	/* Resetting STATE erases the list. */
	if (reset->erases_state)
		return MORTISE_OK;
	if (reset->known)
		return forget(reset->known, target, err);
	reset_find_state_dir(reset, dir, root, &exists);
	if (exists && !*dir)
		notify(reset, target,
		       "STATE is not mounted, and its list of known volumes is unchanged");
	if (!*dir)
		return MORTISE_OK;
	known_list_init(&list);
	if (known_load(&list, root, dir, &why))
		notify(reset, target, why.text);
	else
		code = forget(&list, target, err);
	known_list_clear(&list);
	return code;
}
