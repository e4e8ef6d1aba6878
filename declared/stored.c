/* SPDX-License-Identifier: MIT */
/* The configuration that a machine carries: META opens STATE, and the rest stands in STATE. */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "config/state_file.h"
#include "declared/locate.h"
#include "disk/partition.h"
#include "declared/meta_state.h"
#include "disk/mount.h"
#include "declared/up.h"
#include "declared/wait.h"

#define STATE_MAPPING "luks2-STATE"
#define STATE_NODE    "/dev/mapper/" STATE_MAPPING

static const struct config_volume state_volume = { .name = (char[]){ "STATE" },
						   .id = (char[]){ "STATE" } };

/* A machine without STATE carries no configuration. */
static enum mortise_code check_state(const struct mortise_up_options *options,
				     struct mortise_error *err)
{
	char device[VOLUME_PATH_MAX];
	enum mortise_code code = volume_locate(&state_volume, options, device, sizeof(device), err);

	if (code)
		error_prefix(err, "no configuration was given, and this machine carries none");
	return code;
}

void volume_state_dir(const struct mortise_up_options *options, char dir[static VOLUME_PATH_MAX])
{
	struct mortise_mapping_info mapping = { .struct_size = sizeof(mapping) };
	char device[VOLUME_PATH_MAX];
	struct mortise_error ignored;

	snprintf(dir, VOLUME_PATH_MAX, "%s/system/state", options->root ? options->root : "");
	if (volume_locate(&state_volume, options, device, sizeof(device), &ignored))
		device[0] = '\0';
	if (*device && disk_is_mounted(device, dir))
		return;
	/* Another STATE may be open: a copy of the disk, or one that --device does not mean. */
	if (!*device || mortise_mapping_info(STATE_MAPPING, &mapping, &ignored) ||
	    !disk_mapping_is_on(&mapping, device) || !disk_is_mounted(STATE_NODE, dir))
		dir[0] = '\0';
}

enum mortise_code volume_store(const struct mortise_config *config,
			       const struct mortise_up_options *options, const char *state_dir,
			       struct mortise_error *err)
{
	const struct config_state_file file = {
		.name = CONFIG_STORED_CONFIG,
		.replace = true,
		.bytes = mortise_secret_data(config->text),
		.size = config->text_size,
	};
	enum mortise_code code;
	int dir;

	code = config_state_dir_open(state_dir, &dir, err);
	if (code)
		return code;
	code = config_state_file_store(dir, state_dir, &file, err);
	close(dir);
	return code ? code : volume_meta_state_store(options, config->volumes, err);
}

/* STATE alone, as META has it. */
static enum mortise_code from_meta(const struct mortise_up_options *options,
				   struct mortise_config **out, struct mortise_error *err)
{
	struct mortise_config *config = calloc(1, sizeof(*config));
	enum mortise_code code;

	if (!config)
		return error_memory(err);
	code = volume_meta_state_read(options, &config->volumes, err);
	if (code)
		mortise_config_free(&config);
	else
		*out = config;
	return code;
}

static enum mortise_code open_state(const struct mortise_up_options *options,
				    const struct mortise_watch *watch, struct volume_known *known,
				    struct mortise_error *err)
{
	struct mortise_up_options of_state = *options;
	struct mortise_config *config = NULL;
	struct mortise_report *report = NULL;
	struct mortise_volume_status status;
	const struct volume_up up = { .options = &of_state, .watch = watch, .learn = known };
	struct volume_up run = up;
	enum mortise_code code = from_meta(options, &config, err);

	if (code)
		return code;
	of_state.names = NULL;
	of_state.name_count = 0;
	of_state.extend_word = NULL;
	of_state.no_mount = false;
	of_state.plan = NULL;
	run.config = config;
	code = volume_up(&run, &report, err);
	/* One volume: its own sentence says more than that none of one is ready. */
	if (code && report && mortise_report_volume(report, 0, &status) && *status.error)
		code = error_set(err, code, 0, "STATE: %s", status.error);
	mortise_report_free(&report);
	mortise_config_free(&config);
	return code;
}

static enum mortise_code read_stored(const char *dir, struct mortise_config **config,
				     struct mortise_error *err)
{
	char path[VOLUME_PATH_MAX + sizeof(CONFIG_STORED_CONFIG)];
	enum mortise_code code;

	snprintf(path, sizeof(path), "%s/" CONFIG_STORED_CONFIG, dir);
	if (access(path, F_OK))
		return error_set(
			err, MORTISE_E_WAIT, 0,
			"STATE holds no configuration (%s); `mortise apply -f config.yaml` "
			"stores one",
			path);
	code = mortise_config_read(path, config, err);
	return code ? code : mortise_config_add_state(*config, err);
}

enum mortise_code mortise_config_stored(const struct mortise_up_options *options, bool open,
					const struct mortise_watch *watch,
					struct mortise_config **config, struct mortise_error *err)
{
	struct volume_known known = { .keyslot = -1 };
	char dir[VOLUME_PATH_MAX];
	enum mortise_code code = MORTISE_OK;

	*config = NULL;
	if (open)
		volume_wait_for_state(options);
	code = check_state(options, err);
	if (code)
		return code;
	volume_state_dir(options, dir);
	if (!*dir && !open)
		return from_meta(options, config, err);
	if (!*dir) {
		code = open_state(options, watch, &known, err);
		if (!code)
			volume_state_dir(options, dir);
	}
	if (!code)
		code = read_stored(dir, config, err);
	if (*config)
		(*config)->state = known;
	else
		volume_known_clear(&known);
	return code;
}

bool mortise_config_is_complete(const struct mortise_config *config)
{
	return config->text != NULL;
}

enum mortise_code mortise_config_add_state(struct mortise_config *config, struct mortise_error *err)
{
	if (!config->volumes)
		return error_set(err, MORTISE_E_CONFIG, 0, "the configuration has errors");
	return config_add_state(config->volumes, err);
}
