/* SPDX-License-Identifier: MIT */
/* Closing what up remembers to have opened, when STATE, which names it, is unmounted already. */
#include <dirent.h>
#include <stdio.h>
#include <string.h>

#include "volume/declared.h"
#include "volume/run_dir.h"
#include "volume/swap.h"

#define SUFFIX ".json"

static bool is_named(const struct meta_config *config, const char *id)
{
	for (size_t i = 0; i < config->volume_count; i++)
		if (!strcmp(config->volumes[i].id, id))
			return true;
	return false;
}

static enum mortise_code close_one(char *id, struct mortise_error *err)
{
	const struct meta_volume volume = { .name = id, .id = id, .encrypted = true };
	char mapping[MORTISE_NAME_MAX + 1], node[VOLUME_PATH_MAX];
	enum mortise_code code;

	volume_mapping_name(&volume, mapping);
	snprintf(node, sizeof(node), "/dev/mapper/%s", mapping);
	code = mortise_is_active(mapping, err);
	if (!code)
		code = volume_swap_off(node, err);
	if (!code)
		code = mortise_deactivate(mapping, MORTISE_CLOSE_NOW, err);
	if (code == MORTISE_E_INACTIVE)
		code = MORTISE_OK;
	if (!code)
		volume_opening_forget(&volume);
	return code;
}

enum mortise_code volume_close_remembered(const struct meta_config *config,
					  struct mortise_error *err)
{
	DIR *dir = opendir(VOLUME_RUN_DIR);
	enum mortise_code code = MORTISE_OK;
	struct mortise_error why;
	struct dirent *entry;

	while (dir && (entry = readdir(dir))) {
		char *suffix = strrchr(entry->d_name, '.');

		if (!suffix || strcmp(suffix, SUFFIX))
			continue;
		*suffix = '\0';
		if (is_named(config, entry->d_name) || !close_one(entry->d_name, &why) || code)
			continue;
		code = why.code;
		*err = why;
	}
	if (dir)
		closedir(dir);
	return code;
}
