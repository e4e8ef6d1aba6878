/* SPDX-License-Identifier: MIT */
/* What plan, up, down and status of declared volumes share. */
#ifndef CLI_VOLUMES_H
#define CLI_VOLUMES_H

#include <mortise-declared.h>

#include <json-c/json.h>

#include "cli/command.h"

#define VOLUMES_CONFIG_DEFAULT "/etc/mortise/config.yaml"

/* The configuration and the options for the library. Do not move: options point into it. */
struct volumes {
	struct mortise_config *config;
	struct mortise_plan *plan;	/* for up and apply to execute; NULL: none yet */
	struct mortise_up_options options;
	struct mortise_key_sources sources;
	struct mortise_kdf_choice cost;
	struct mortise_events events;	/* of options: a signal cancels */
	struct mortise_volume_device *devices;
	char *device_names;		/* what devices[].name point into */
	bool json;			/* --json */
};

/* Both of what follows; nothing is owned when any of them fails. */
enum status volumes_open(const struct command *c, struct volumes *volumes);
/* What the library is told; the configuration is still to be read. */
enum status volumes_options(const struct command *c, struct volumes *volumes);
/*
 * Finds the configuration, by -f, at its default place, or in the machine, and prints its remarks.
 * For up, STATE is opened to read it, and volumes->plan continues with its key.
 */
enum status volumes_read(const struct command *c, struct volumes *volumes);
void volumes_close(struct volumes *volumes);
/* --device alone, for verbs that need no configuration. Ended by volumes_close, also on failure. */
enum status volumes_read_devices(const struct command *c, struct volumes *volumes);

/*
 * Prints the report, as a table or as JSON, and frees it. err is why the whole failed, its
 * code MORTISE_OK when it did not. done is the phase that every volume should have reached.
 * The plan of apply is part of the JSON.
 */
enum status volumes_finish(const struct command *c, const struct volumes *volumes,
			   struct mortise_report *report, enum mortise_phase done,
			   const struct mortise_error *err);

#define TABLE_COLUMNS_MAX 6u

/* A table's cells; widths grow as rows come. */
struct table {
	const char *const *titles;	/* count of them, as of the cells below */
	size_t count;
	int widths[TABLE_COLUMNS_MAX];
};

void table_measure(struct table *table, const char *const *cells);
void table_print_titles(const struct table *table);
void table_print(const struct table *table, const char *const *cells);

/* The start of a JSON document: what was run, and the remarks on config, which may be NULL. */
struct json_object *volumes_json(const struct mortise_config *config, const char *verb);
void json_add_text(struct json_object *object, const char *name, const char *text);
void json_add_keyslot(struct json_object *object, const char *name, int keyslot);
void json_add_error(struct json_object *object, const struct mortise_error *err);
/* Prints the document and frees it. */
enum status json_print(struct json_object *object);

#endif
