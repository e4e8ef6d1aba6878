/* SPDX-License-Identifier: MIT */
/* The stored configuration: META describes how to open STATE, which holds the configuration. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "config/state_file.h"
#include "declared/heal.h"
#include "declared/locate.h"
#include "declared/meta_state.h"
#include "declared/state_store.h"
#include "declared/up.h"
#include "declared/wait.h"

/* A machine without STATE has no stored configuration. */
static enum mortise_code check_state(const struct mortise_up_options *options,
				     struct mortise_error *err)
{
	char device[VOLUME_PATH_MAX];
	enum mortise_code code = volume_locate(&volume_state, options, device, sizeof(device), err);

	if (code)
		error_prefix(
			err,
			"no configuration file was given, and no configuration is stored on this "
			"machine");
	return code;
}

/* Reads the configuration of STATE from META. */
static enum mortise_code read_meta(const struct mortise_up_options *options,
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

/* Opens STATE with the keys in META. *plan was made from *meta, which must outlive it. */
static enum mortise_code open_state(const struct mortise_up_options *options,
				    struct mortise_config **meta, struct mortise_plan **plan,
				    struct mortise_error *err)
{
	struct mortise_up_options of_state = *options;
	struct mortise_report *report = NULL;
	const struct mortise_volume_status *status;
	const struct volume_up up = { .options = &of_state, .keep_keys = true };
	struct volume_up run = up;
	enum mortise_code code = read_meta(options, meta, err);

	if (code)
		return code;
	of_state.names = NULL;
	of_state.name_count = 0;
	of_state.extend_word = NULL;
	of_state.no_mount = false;
	run.config = *meta;
	code = volume_plans_new(*meta, &of_state, plan, err);
	if (!code) {
		/* The caller has already waited for STATE and META. */
		(*plan)->waited = true;
		code = volume_up(&run, *plan, &report, err);
	}
	/* The message of a single volume says more than the number of ready volumes. */
	if (code && code != MORTISE_E_CANCELED && report &&
	    (status = mortise_report_volume(report, 0)) && *status->error)
		code = error_set(err, code, 0, "STATE: %s", status->error);
	mortise_report_free(&report);
	return code;
}

/* Opens config.yaml, which must be a regular file, in STATE's directory. */
static enum mortise_code open_stored(const char *root, const char *dir, const char *path, int *fd,
				     struct mortise_error *err)
{
	struct stat st;
	int dir_fd, sys;
	enum mortise_code code = config_state_dir_open(root, dir, &dir_fd, err);

	if (code)
		return code;
	*fd = openat(dir_fd, CONFIG_STORED_CONFIG, O_RDONLY | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
	sys = errno;
	close(dir_fd);
	if (*fd < 0 && sys == ENOENT)
		return error_set(err, MORTISE_E_WAIT, 0,
				 "STATE holds no configuration (%s); to store one, run `mortise "
				 "apply -f config.yaml`",
				 path);
	if (*fd < 0)
		return error_set(err, MORTISE_E_DEVICE, sys, "cannot read %s", path);
	if (!fstat(*fd, &st) && S_ISREG(st.st_mode))
		return MORTISE_OK;
	close(*fd);
	return error_set(err, MORTISE_E_DEVICE, 0, "cannot read %s: not a regular file", path);
}

static enum mortise_code read_stored(const char *root, const char *dir,
				     struct mortise_config **config, struct mortise_error *err)
{
	char path[VOLUME_PATH_MAX + sizeof(CONFIG_STORED_CONFIG)];
	enum mortise_code code;
	int fd;

	snprintf(path, sizeof(path), "%s/" CONFIG_STORED_CONFIG, dir);
	code = open_stored(root, dir, path, &fd, err);
	if (code)
		return code;
	code = volume_config_read(fd, path, true, config, err);
	close(fd);
	if (!code)
		(*config)->stored = true;
	return code ? code : mortise_config_add_state(*config, err);
}

/* Creates a plan of config, without steps, and moves STATE's volume key to it. */
static enum mortise_code continue_plan(const struct mortise_config *config,
				       const struct mortise_up_options *options,
				       struct mortise_plan *opened, struct mortise_plan **out,
				       struct mortise_error *err)
{
	enum mortise_code code = volume_plans_new(config, options, out, err);

	if (!code && opened->count && (*out)->count && volume_is_state((*out)->volumes[0]->volume))
		volume_plan_continue((*out)->volumes[0], opened->volumes[0]);
	return code;
}

enum mortise_code mortise_config_stored(const struct mortise_up_options *options,
					struct mortise_config **config, struct mortise_plan **plan,
					struct mortise_error *err)
{
	struct mortise_config *meta = NULL;
	struct mortise_plan *opened = NULL;
	struct mortise_up_options wanted;
	char dir[VOLUME_PATH_MAX];
	enum mortise_code code;

	*config = NULL;
	if (plan)
		*plan = NULL;
	code = volume_options_copy(&wanted, options, err);
	if (code)
		return code;
	if (plan) {
		code = volume_wait_for_state(&wanted, err);
		if (code)
			return code;
		volume_heal_tables(wanted.events);
	}
	code = check_state(&wanted, err);
	if (code)
		return code;
	volume_state_dir(&wanted, dir);
	if (!*dir && !plan)
		return read_meta(&wanted, config, err);
	if (!*dir) {
		code = open_state(&wanted, &meta, &opened, err);
		if (code)
			goto out;
		volume_state_dir(&wanted, dir);
	}
	code = read_stored(wanted.root, dir, config, err);
	if (!code && opened)
		code = continue_plan(*config, &wanted, opened, plan, err);
out:
	mortise_plan_free(&opened);
	mortise_config_free(&meta);
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
