/* SPDX-License-Identifier: MIT */
/* The whole configuration: all documents, no volume twice, STATE before the others. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/config.h"
#include "config/volume.h"

/* What has been read of the documents so far. */
struct reading {
	struct config_declared *declared;
	size_t count;
	struct config_declared machine[CONFIG_MACHINE_VOLUMES];
	unsigned machine_line; /* 0: there was no machine configuration yet */
	const struct config_node *other[CONFIG_DOCUMENTS_MAX];
	size_t other_count;
};

/* Documents are told apart by kind and name. */
static void repeated_check(struct config_log *log, const struct reading *reading)
{
	const struct config_declared *last = &reading->declared[reading->count - 1];
	char shown[CONFIG_SHOW_ROOM];

	if (!last->volume.name || !*last->volume.name)
		return;
	for (const struct config_declared *at = reading->declared; at < last; at++) {
		if (at->volume.kind != last->volume.kind || !at->volume.name ||
		    strcmp(at->volume.name, last->volume.name) != 0)
			continue;
		config_show(last->volume.name, strlen(last->volume.name), shown);
		config_error(log, last->place,
			     "%s \"%s\" in line %u is declared already in line %u",
			     config_document_name(last->volume.kind), shown, last->volume.line,
			     at->volume.line);
		return;
	}
}

static void volume_document(struct config_log *log, const struct config_node *root,
			    enum config_volume_kind kind, struct reading *reading)
{
	struct config_declared *declared = &reading->declared[reading->count++];

	declared->place = root->place;
	declared->volume.line = root->place.line;
	if (kind == CONFIG_VOLUME_SYSTEM)
		config_system_read(log, root, declared);
	else
		config_user_read(log, root, kind, declared);
	repeated_check(log, reading);
}

static void document_read(struct config_log *log, const struct config_node *root,
			  struct reading *reading)
{
	enum config_volume_kind kind = CONFIG_VOLUME_SYSTEM;

	switch (config_document_kind(log, root, &kind)) {
	case CONFIG_DOCUMENT_VOLUME:
		volume_document(log, root, kind, reading);
		break;
	case CONFIG_DOCUMENT_MACHINE:
		if (reading->machine_line)
			config_error(
				log, root->place,
				"a second v1alpha1 machine configuration; the first is in line "
				"%u",
				reading->machine_line);
		else
			config_machine_read(log, root, reading->machine);
		if (!reading->machine_line)
			reading->machine_line = root->place.line;
		break;
	case CONFIG_DOCUMENT_OTHER:
		reading->other[reading->other_count++] = root;
		break;
	case CONFIG_DOCUMENT_NOTHING:
		break;
	}
}

static struct config_declared *system_find(struct reading *reading, const char *name)
{
	for (size_t i = 0; i < reading->count; i++) {
		struct config_declared *declared = &reading->declared[i];

		if (declared->volume.kind == CONFIG_VOLUME_SYSTEM && declared->volume.name &&
		    strcmp(declared->volume.name, name) == 0)
			return declared;
	}
	return NULL;
}

/*
 * What the machine configuration says of a volume: how it is encrypted, in whichever way it is
 * declared otherwise. Takes the volume over.
 */
static void machine_join(struct config_log *log, struct config_declared *machine,
			 struct reading *reading)
{
	struct config_declared *declared;

	if (!machine->volume.name)
		return;
	declared = system_find(reading, machine->volume.name);
	if (!declared) {
		reading->declared[reading->count++] = *machine;
	} else if (declared->volume.encrypted) {
		config_error(log, machine->place,
			     "system disk encryption for \"%s\" is configured in both "
			     "v1alpha1.Config and VolumeConfig",
			     machine->volume.name);
		return;
	} else {
		config_volume_encrypt_as(&declared->volume, &machine->volume);
		declared->encryption = machine->encryption;
		declared->form = CONFIG_FORM_MACHINE;
		config_volume_clear(&machine->volume);
	}
	*machine = (struct config_declared){ 0 };
}

#define RANKS 8u

/*
 * STATE comes first; then by depth of the mount point, so that /var is there before /var/mnt/x;
 * what is not mounted comes last.
 */
static unsigned rank_of(const struct config_volume *volume)
{
	unsigned depth = 0;

	if (strcmp(volume->id, "STATE") == 0)
		return 0;
	if (!volume->mount_point)
		return RANKS - 1;
	for (const char *at = volume->mount_point; *at; at++)
		depth += *at == '/' && depth < RANKS - 2;
	return depth;
}

/* Moves the volumes that there is something to do for, in the order of their rank. */
static struct config *config_make(struct config_log *log, struct reading *reading)
{
	const struct config_declared *state = system_find(reading, "STATE");
	struct config *config = calloc(1, sizeof(*config));

	if (config)
		config->volumes = calloc(reading->count + 1, sizeof(*config->volumes));
	if (config)
		config->state_json = config_state_json(log, state ? state->encryption : NULL,
						       state ? state->form : CONFIG_FORM_VOLUME);
	if (!config || !config->volumes || !config->state_json) {
		log->no_memory = true;
		return config;
	}
	for (unsigned rank = 0; rank < RANKS; rank++) {
		for (size_t i = 0; i < reading->count; i++) {
			struct config_volume *volume = &reading->declared[i].volume;

			if (!volume->id || rank_of(volume) != rank)
				continue;
			config->volumes[config->volume_count++] = *volume;
			*volume = (struct config_volume){ 0 };
		}
	}
	return config;
}

static struct config *documents_read(struct config_log *log, const struct config_tree *tree)
{
	struct reading reading = { 0 };
	struct config *config = NULL;

	reading.declared =
		calloc(tree->document_count + CONFIG_MACHINE_VOLUMES, sizeof(*reading.declared));
	if (!reading.declared) {
		log->no_memory = true;
		return NULL;
	}
	for (size_t i = 0; i < tree->document_count; i++)
		document_read(log, tree->document[i], &reading);
	config_document_pass_over(log, reading.other, reading.other_count);
	for (size_t i = 0; i < CONFIG_MACHINE_VOLUMES && !log->no_memory; i++)
		machine_join(log, &reading.machine[i], &reading);
	if (log->errors == 0 && !log->no_memory)
		config = config_make(log, &reading);
	if (config && config->volume_count == 0)
		config_notice(log, (struct config_place){ 0 }, "no volume is declared");
	for (size_t i = 0; i < reading.count; i++)
		config_volume_clear(&reading.declared[i].volume);
	for (size_t i = 0; i < CONFIG_MACHINE_VOLUMES; i++)
		config_volume_clear(&reading.machine[i].volume);
	free(reading.declared);
	return config;
}

enum mortise_code config_parse(const char *text, size_t size, const char *source,
			       struct config **config, struct config_remarks *remarks,
			       struct mortise_error *err)
{
	struct config_log log = { .remarks = remarks };
	struct config_tree *tree = NULL;

	*config = NULL;
	*remarks = (struct config_remarks){ 0 };
	if (size > CONFIG_TEXT_MAX) {
		config_error(&log, (struct config_place){ 0 },
			     "larger than 1 MiB: this is no configuration");
	} else {
		tree = config_tree_parse_lax(text, size, &log);
		if (tree)
			*config = documents_read(&log, tree);
	}
	config_tree_free(tree);
	config_remarks_sort(remarks);
	if (log.no_memory) {
		config_free(*config);
		*config = NULL;
		return error_set(err, MORTISE_E_MEMORY, 0,
				 "%s: not enough memory to read the configuration", source);
	}
	if (log.errors)
		return config_errors_report(&log, source, err);
	return MORTISE_OK;
}

void config_free(struct config *config)
{
	if (!config)
		return;
	for (size_t i = 0; i < config->volume_count; i++)
		config_volume_clear(&config->volumes[i]);
	free(config->volumes);
	mortise_secret_free(&config->state_json);
	free(config);
}
