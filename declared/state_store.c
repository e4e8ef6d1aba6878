/* SPDX-License-Identifier: MIT */
#include "declared/state_store.h"

#include <stdio.h>
#include <unistd.h>

#include "config/state_file.h"
#include "declared/locate.h"
#include "declared/meta_state.h"
#include "disk/mount.h"
#include "disk/partition.h"

#define STATE_MAPPING "luks2-STATE"
#define STATE_NODE    "/dev/mapper/" STATE_MAPPING

const struct config_volume volume_state = { .name = (char[]){ CONFIG_STATE },
					    .id = (char[]){ CONFIG_STATE } };

void volume_state_dir(const struct mortise_up_options *options, char dir[static VOLUME_PATH_MAX])
{
	struct mortise_mapping_info mapping = { .struct_size = sizeof(mapping) };
	char device[VOLUME_PATH_MAX];
	struct mortise_error ignored;

	snprintf(dir, VOLUME_PATH_MAX, "%s/system/state", options->root ? options->root : "");
	if (volume_locate(&volume_state, options, device, sizeof(device), &ignored))
		device[0] = '\0';
	if (*device && disk_is_mounted(device, options->root, dir))
		return;
	/* The open STATE may be another one: on a copy of the disk, or not the one of --device. */
	if (!*device || volume_mapping_info(STATE_MAPPING, &mapping, &ignored) ||
	    !disk_mapping_is_on(&mapping, device) ||
	    !disk_is_mounted(STATE_NODE, options->root, dir))
		dir[0] = '\0';
}

bool volume_state_is_encrypted(const struct mortise_up_options *options, const char *dir)
{
	struct mortise_mapping_info mapping = { .struct_size = sizeof(mapping) };
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	struct mortise_location location = { .struct_size = sizeof(location),
					     .device = mapping.device,
					     .readonly = true,
					     .no_locks = true };
	struct mortise_luks2 *header = NULL;
	struct mortise_error ignored;
	enum mortise_code code;

	if (!disk_is_mounted(STATE_NODE, options->root, dir) ||
	    mortise_mapping_info(STATE_MAPPING, &mapping, &ignored) ||
	    mortise_luks2_load(&location, &header, &ignored))
		return false;
	code = mortise_reencrypt_info(header, &info, &ignored);
	mortise_luks2_free(&header);
	return code == MORTISE_E_USAGE || (!code && info.mode != MORTISE_ENCRYPT);
}

enum mortise_code volume_store(const struct mortise_config *config,
			       const struct mortise_up_options *options, const char *state_dir,
			       struct mortise_error *err)
{
	const struct config_state_file file = {
		.name = CONFIG_STORED_CONFIG,
		.replace = true,
		.bytes = mortise_secret_data(config->text),
		.size = mortise_secret_size(config->text),
	};
	enum mortise_code code;
	int dir;

	code = config_state_dir_open(options->root, state_dir, &dir, err);
	if (code)
		return code;
	code = config_state_file_store(dir, state_dir, &file, err);
	close(dir);
	return code ? code : volume_meta_state_store(options, config->volumes, err);
}

enum mortise_code store_state_config(const struct volume_run *run, const struct volume_plan *plan,
				     struct mortise_error *err)
{
	if (!volume_is_state(plan->volume) || run->open_only)
		return MORTISE_OK;
	return run->store ? volume_store(run->machine, run->options, plan->mount_point, err)
			  : volume_meta_state_store(run->options, run->config, err);
}
