/* SPDX-License-Identifier: MIT */
/* Closing volumes that up has recorded, for when STATE and its configuration are closed already. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "declared/continue.h"
#include "disk/mounts.h"
#include "base/run_dir.h"

#define SUFFIX ".json"

static bool is_declared(const struct config *config, const char *id)
{
	for (size_t i = 0; i < config->volume_count; i++)
		if (!strcmp(config->volumes[i].id, id))
			return true;
	return false;
}

static enum mortise_code close_mapping(const struct config_volume *volume,
				       const struct mortise_events *events,
				       struct mortise_error *err)
{
	char mapping[MORTISE_NAME_MAX + 1], node[VOLUME_PATH_MAX];
	enum mortise_code code;
	struct stat st;
	int lock = -1;

	volume_mapping_name(volume, mapping);
	snprintf(node, sizeof(node), "/dev/mapper/%s", mapping);
	code = volume_continue_stop(volume, events, &lock, err);
	if (!code)
		code = mortise_is_active(mapping, err);
	/* Unmount it everywhere: without its configuration, its mount point is not known. */
	if (!code && !stat(node, &st))
		code = disk_number_release(st.st_rdev, err);
	if (!code)
		code = mortise_deactivate(mapping, MORTISE_CLOSE_NOW, err);
	if (code == MORTISE_E_INACTIVE)
		code = MORTISE_OK;
	if (!code)
		volume_opening_forget(volume);
	else
		error_prefix(err, "%s", volume->name);
	if (lock >= 0)
		close(lock);
	return code;
}

/* The id of a user, raw or swap volume is its name with the prefix "u-", "r-" or "s-". */
static char *get_name(char *id)
{
	return id[0] && id[1] == '-' ? id + 2 : id;
}

enum mortise_code volume_close_remembered(const struct config *config,
					  const struct mortise_up_options *options,
					  struct mortise_error *err)
{
	DIR *dir = opendir(RUN_DIR);
	enum mortise_code code = MORTISE_OK;
	struct mortise_error why;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *id = entry->d_name, *suffix = strrchr(id, '.');
		const struct config_volume volume = { .name = get_name(id),
						      .id = id,
						      .encrypted = true };

		if (!suffix || strcmp(suffix, SUFFIX))
			continue;
		*suffix = '\0';
		if (is_declared(config, id) || !volume_is_wanted(&volume, options))
			continue;
		if (close_mapping(&volume, options->events, &why) && !code) {
			code = why.code;
			*err = why;
		}
	}
	if (dir)
		closedir(dir);
	return code;
}
