/* SPDX-License-Identifier: MIT */
/* Shared by up, plan, down and status: names, the lock, and facts about open volumes. */
#include "declared/continue.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"
#include "luks2/json.h"
#include "declared/fsck.h"
#include "declared/locate.h"
#include "base/run_dir.h"

bool volume_is_state(const struct config_volume *volume)
{
	return !strcmp(volume->id, CONFIG_STATE);
}

const struct config_volume *volume_find_state(const struct config *config)
{
	for (size_t i = 0; i < config->volume_count; i++)
		if (volume_is_state(&config->volumes[i]))
			return &config->volumes[i];
	return NULL;
}

bool volume_is_wanted(const struct config_volume *volume, const struct mortise_up_options *options)
{
	if (!options->name_count)
		return true;
	for (size_t i = 0; i < options->name_count; i++)
		if (volume_is_called(volume, options->names[i]))
			return true;
	return false;
}

static size_t count_called(const struct config *volumes, const char *name)
{
	size_t count = 0;

	for (size_t i = 0; i < volumes->volume_count; i++)
		count += volume_is_called(&volumes->volumes[i], name);
	return count;
}

#define SUGGESTION_ROOM (MORTISE_NAME_MAX + 32)

/* "; did you mean u-STATE?" if a volume has this name but is only found by its label; else "". */
static void suggest_label(const struct config *volumes, const char *name,
			  char text[static SUGGESTION_ROOM])
{
	text[0] = '\0';
	for (size_t i = 0; i < volumes->volume_count; i++)
		if (!strcmp(volumes->volumes[i].name, name))
			snprintf(text, SUGGESTION_ROOM, "; did you mean %s?",
				 volumes->volumes[i].id);
}

/* A device must not be used for two volumes. */
static enum mortise_code check_device(const struct config *volumes, const char *name,
				      struct mortise_error *err)
{
	const size_t count = count_called(volumes, name);
	char suggestion[SUGGESTION_ROOM];

	suggest_label(volumes, name, suggestion);
	if (count > 1)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "a device is given for \"%s\", but %zu volumes have this name; "
				 "use a label instead, such as u-%s",
				 name, count, name);
	if (!count && strcmp(name, META_LABEL) != 0)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "a device is given for \"%s\", which is not declared%s", name,
				 suggestion);
	return MORTISE_OK;
}

enum mortise_code volume_check_names(const struct mortise_config *config,
				     const struct mortise_up_options *options,
				     struct mortise_error *err)
{
	char suggestion[SUGGESTION_ROOM];
	enum mortise_code code = MORTISE_OK;

	if (!config->volumes)
		return error_set(err, MORTISE_E_CONFIG, 0, "the configuration has errors");
	for (size_t i = 0; i < options->name_count; i++) {
		if (count_called(config->volumes, options->names[i]))
			continue;
		suggest_label(config->volumes, options->names[i], suggestion);
		return error_set(err, MORTISE_E_USAGE, 0, "no volume \"%s\" is declared%s",
				 options->names[i], suggestion);
	}
	/* META knows only STATE, so other devices cannot be checked yet. */
	if (!config->text)
		return MORTISE_OK;
	for (size_t i = 0; !code && i < options->device_count; i++)
		code = check_device(config->volumes, options->devices[i].name, err);
	return code;
}

enum mortise_code volume_run_lock(const struct mortise_events *events, int *fd,
				  struct mortise_error *err)
{
	struct mortise_error why;
	enum mortise_code code;

	*fd = run_dir_open_lock(&why);
	if (*fd < 0)
		return error_set(err, MORTISE_E_SYSTEM, 0, "%s", why.text);
	/* If this cancels the run, the next poll says so, too. */
	if (why.code)
		events_notify(events, "/run", why.text);
	code = events_lock(events, *fd, LOCK_EX, UINT64_MAX, RUN_DIR "/lock", err);
	if (code) {
		close(*fd);
		*fd = -1;
	}
	return code;
}

static void get_opening_path(const struct config_volume *volume, char *path, size_t room)
{
	snprintf(path, room, RUN_DIR "/%s.json", volume->id);
}

static bool add_text(struct json_object *object, const char *key, const char *text)
{
	return luks2_json_add(object, key, json_object_new_string(text ? text : ""));
}

static char *copy_text(struct json_object *object, const char *key)
{
	const char *text = luks2_json_text(object, key);

	return text ? strdup(text) : NULL;
}

/* Ignores failures: only status prints these facts. */
void volume_opening_store(const struct config_volume *volume, const struct volume_opening *opening)
{
	char path[VOLUME_PATH_MAX], temporary[VOLUME_PATH_MAX + 8];
	struct json_object *object;

	if (!volume->encrypted && !opening->mount_id)
		return;
	object = json_object_new_object();
	get_opening_path(volume, path, sizeof(path));
	snprintf(temporary, sizeof(temporary), "%s.new", path);
	if (luks2_json_add(object, "keyslot", json_object_new_int(opening->keyslot)) &&
	    luks2_json_add(object, "recoveryKeyslots",
			   json_object_new_int64(opening->recovery_keyslots)) &&
	    add_text(object, "failedSyncs", opening->failed_syncs) &&
	    add_text(object, "notices", opening->notices) &&
	    luks2_json_add(object, "mountId", json_object_new_int64(opening->mount_id)) &&
	    !json_object_to_file_ext(temporary, object, JSON_C_TO_STRING_PLAIN))
		(void)rename(temporary, path);
	json_object_put(object);
}

void volume_opening_read(const struct config_volume *volume, struct volume_opening *opening)
{
	char path[VOLUME_PATH_MAX];
	struct json_object *object;
	uint64_t number;

	*opening = (struct volume_opening){ .keyslot = -1 };
	get_opening_path(volume, path, sizeof(path));
	if (access(path, R_OK))
		return;
	object = json_object_from_file(path);
	if (luks2_json_integer(object, "keyslot", MORTISE_KEYSLOTS_MAX - 1, &number))
		opening->keyslot = (int)number;
	if (luks2_json_integer(object, "recoveryKeyslots", UINT32_MAX, &number))
		opening->recovery_keyslots = (uint32_t)number;
	opening->failed_syncs = copy_text(object, "failedSyncs");
	opening->notices = copy_text(object, "notices");
	if (luks2_json_integer(object, "mountId", UINT32_MAX, &number))
		opening->mount_id = (unsigned)number;
	json_object_put(object);
}

void volume_opening_forget(const struct config_volume *volume)
{
	char path[VOLUME_PATH_MAX];

	get_opening_path(volume, path, sizeof(path));
	(void)unlink(path);
	volume_fsck_forget(volume);
	volume_continue_forget(volume);
}
