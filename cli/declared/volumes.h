/* SPDX-License-Identifier: MIT */
/* The command line and configuration of the verbs for declared volumes. */
#ifndef CLI_VOLUMES_H
#define CLI_VOLUMES_H

#include <mortise-declared.h>

#include "cli/command.h"
#include "cli/declared/said.h"

#define VOLUMES_CONFIG_DEFAULT "/etc/mortise/config.yaml"

/* The configuration and the options for the library. Do not move: options point into it. */
struct json_object;
struct volumes {
	struct mortise_config *config;
	struct mortise_plan *plan;	/* for up and apply to execute; NULL: none yet */
	struct mortise_up_options options;
	struct mortise_events events;	/* of options; by default, a signal cancels */
	struct mortise_key_sources sources;
	struct mortise_kdf_choice cost;
	struct mortise_volume_device *devices;
	char *device_names;		/* the memory that devices[].name point into */
	bool json;			/* --json */
	struct said said;		/* what has been printed about volumes */
	const char *file;		/* the configuration; NULL: the default one */
	struct json_object *opened;	/* the memory of options from an earlier run */
};

/*
 * volumes_options(), then volumes_read(). Each of the three prints what went wrong, and on failure
 * the caller owns nothing.
 */
enum status volumes_open(const struct command *c, struct volumes *volumes);
/* Fills all of *volumes except config and plan. */
enum status volumes_options(const struct command *c, struct volumes *volumes);
/*
 * Reads the configuration of -f, at the default path, or in STATE, and prints its remarks. For up,
 * opens STATE to read it; volumes->plan then continues with STATE's volume key.
 */
enum status volumes_read(const struct command *c, struct volumes *volumes);
/* As volumes_open(), but prints nothing and returns false if there is no valid configuration. */
bool volumes_open_quietly(const struct command *c, struct volumes *volumes);
void volumes_close(struct volumes *volumes);

/*
 * Fills only devices and device_names, for verbs that need no configuration. Call volumes_close()
 * even on failure.
 */
enum status volumes_read_devices(const struct command *c, struct volumes *volumes);

/* Prints "mortise: ERROR" and returns the exit status. */
enum status volumes_fail(const struct command *c, const struct mortise_error *err);

#endif
