/* SPDX-License-Identifier: MIT */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "config/config.h"
#include "config/volume.h"

/* The documents read so far. */
struct reading {
	struct config_declaration *declared;
	size_t count;
	struct config_declaration machine[CONFIG_MACHINE_VOLUMES];
	unsigned machine_line; /* of the machine configuration; 0: none yet */
	const struct config_node *other[CONFIG_DOCUMENTS_MAX];
	size_t other_count;
	struct config_install install;
};

/* Kind and name identify a volume. */
static void check_repeated(struct config_log *log, const struct reading *reading)
{
	const struct config_declaration *last = &reading->declared[reading->count - 1];
	char shown[CONFIG_PRINTABLE_SIZE];

	if (!last->volume.name || !*last->volume.name)
		return;
	for (const struct config_declaration *at = reading->declared; at < last; at++) {
		if (at->volume.kind != last->volume.kind || !at->volume.name ||
		    strcmp(at->volume.name, last->volume.name) != 0)
			continue;
		config_printable(last->volume.name, strlen(last->volume.name), shown);
		config_error(log, last->position,
			     "%s \"%s\" in line %u is already declared in line %u",
			     config_document_name(last->volume.kind), shown, last->volume.line,
			     at->volume.line);
		return;
	}
}

static void read_volume_document(struct config_log *log, const struct config_node *root,
				 enum config_volume_kind kind, struct reading *reading)
{
	struct config_declaration *declared = &reading->declared[reading->count++];

	declared->position = root->position;
	declared->volume.line = root->position.line;
	if (kind == CONFIG_VOLUME_SYSTEM)
		config_system_read(log, root, declared);
	else
		config_user_read(log, root, kind, declared);
	check_repeated(log, reading);
}

static void read_document(struct config_log *log, const struct config_node *root,
			  struct reading *reading)
{
	enum config_volume_kind kind = CONFIG_VOLUME_SYSTEM;

	switch (config_document_kind(log, root, &kind)) {
	case CONFIG_DOCUMENT_VOLUME:
		read_volume_document(log, root, kind, reading);
		break;
	case CONFIG_DOCUMENT_MACHINE:
		if (reading->machine_line)
			config_error(
				log, root->position,
				"a second v1alpha1 machine configuration; the first is in line "
				"%u",
				reading->machine_line);
		else
			config_machine_read(log, root, reading->machine, &reading->install);
		if (!reading->machine_line)
			reading->machine_line = root->position.line;
		break;
	case CONFIG_DOCUMENT_OTHER:
		reading->other[reading->other_count++] = root;
		config_check_repeated(log, reading->other, reading->other_count);
		break;
	case CONFIG_DOCUMENT_NOTHING:
		break;
	}
}

/* The volume mounted last would hide the other one. */
static void check_mount_points(struct config_log *log, const struct reading *reading)
{
	for (size_t i = 0; i < reading->count; i++) {
		const struct config_volume *volume = &reading->declared[i].volume;

		for (size_t j = 0; volume->id && volume->mount_point && j < i; j++) {
			const struct config_volume *other = &reading->declared[j].volume;

			if (other->id && other->mount_point && strcmp(other->id, volume->id) &&
			    !strcmp(other->mount_point, volume->mount_point))
				config_error(log, reading->declared[i].position,
					     "volumes %s and %s have the same mount point %s",
					     other->id, volume->id, volume->mount_point);
		}
	}
}

static struct config_declaration *find_volume(struct reading *reading, enum config_volume_kind kind,
					      const char *name)
{
	for (size_t i = 0; i < reading->count; i++) {
		struct config_declaration *declared = &reading->declared[i];

		if (declared->volume.kind == kind && declared->volume.name &&
		    strcmp(declared->volume.name, name) == 0)
			return declared;
	}
	return NULL;
}

/* Both would be mounted at /var/mnt/NAME. */
static void check_conflicts(struct config_log *log, struct reading *reading)
{
	for (size_t i = 0; i < reading->other_count; i++) {
		const struct config_node *kind = config_node_child(reading->other[i], "kind");
		const struct config_node *name = config_node_child(reading->other[i], "name");
		const struct config_declaration *user;

		if (!config_node_is(kind, "ExistingVolumeConfig") || !name ||
		    name->kind != CONFIG_SCALAR)
			continue;
		user = find_volume(reading, CONFIG_VOLUME_USER, config_node_text(name));
		if (user)
			config_error(log, name->position,
				     "conflicting documents: ExistingVolumeConfig and "
				     "UserVolumeConfig, in line %u, are both named \"%s\"",
				     user->volume.line, user->volume.name);
	}
}

/*
 * Moves a volume of the machine configuration, which declares its encryption only, into the
 * VolumeConfig of the same name, or adds it.
 */
static void join_machine_volume(struct config_log *log, struct config_declaration *machine,
				struct reading *reading)
{
	struct config_declaration *declared;

	if (!machine->volume.name)
		return;
	declared = find_volume(reading, CONFIG_VOLUME_SYSTEM, machine->volume.name);
	if (!declared) {
		reading->declared[reading->count++] = *machine;
	} else if (declared->volume.encrypted || declared->volume.in_place) {
		config_error(log, machine->position,
			     "system disk encryption for \"%s\" is configured in both "
			     "v1alpha1.Config and VolumeConfig",
			     machine->volume.name);
		return;
	} else {
		config_volume_move_encryption(&declared->volume, &machine->volume);
		declared->encryption = machine->encryption;
		declared->origin = CONFIG_ORIGIN_MACHINE;
		config_volume_clear(&machine->volume);
	}
	*machine = (struct config_declaration){ 0 };
}

/* Mount points have at most this many components, and the last rank is for volumes without one. */
#define RANKS (CONFIG_MOUNT_PATH_MAX / 2 + 3)

/*
 * STATE comes first, then volumes by depth of the mount point, so that /var is mounted before
 * /var/mnt/x. Volumes without a mount point come last.
 */
static unsigned get_rank(const struct config_volume *volume)
{
	unsigned depth = 0;

	if (strcmp(volume->id, CONFIG_STATE) == 0)
		return 0;
	if (!volume->mount_point)
		return RANKS - 1;
	for (const char *at = volume->mount_point; *at; at++)
		depth += *at == '/';
	return depth;
}

/* Moves the volumes that this program handles, by rank. */
static struct config *make_config(struct config_log *log, struct reading *reading)
{
	const struct config_declaration *state =
		find_volume(reading, CONFIG_VOLUME_SYSTEM, CONFIG_STATE);
	struct config *config = calloc(1, sizeof(*config));

	if (config)
		config->volumes = calloc(reading->count + 1, sizeof(*config->volumes));
	if (config)
		config->state_json =
			config_state_json(log, state ? state->encryption : NULL,
					  state ? state->origin : CONFIG_ORIGIN_DOCUMENT);
	if (!config || !config->volumes || !config->state_json) {
		log->out_of_memory = true;
		return config;
	}
	config->install = reading->install;
	reading->install = (struct config_install){ .disk = NULL };
	for (unsigned rank = 0; rank < RANKS; rank++) {
		for (size_t i = 0; i < reading->count; i++) {
			struct config_volume *volume = &reading->declared[i].volume;

			if (!volume->id || get_rank(volume) != rank)
				continue;
			config->volumes[config->volume_count++] = *volume;
			*volume = (struct config_volume){ 0 };
		}
	}
	return config;
}

static void clear_install(struct config_install *install)
{
	free(install->disk);
	free(install->selector);
}

static struct config *read_documents(struct config_log *log, const struct config_tree *tree)
{
	struct reading reading = { 0 };
	struct config *config = NULL;

	reading.declared =
		calloc(tree->document_count + CONFIG_MACHINE_VOLUMES, sizeof(*reading.declared));
	if (!reading.declared) {
		log->out_of_memory = true;
		return NULL;
	}
	for (size_t i = 0; i < tree->document_count; i++)
		read_document(log, tree->document[i], &reading);
	check_conflicts(log, &reading);
	config_report_ignored(log, reading.other, reading.other_count);
	for (size_t i = 0; i < CONFIG_MACHINE_VOLUMES && !log->out_of_memory; i++)
		join_machine_volume(log, &reading.machine[i], &reading);
	check_mount_points(log, &reading);
	if (log->errors == 0 && !log->out_of_memory)
		config = make_config(log, &reading);
	if (config && config->volume_count == 0)
		config_notice(log, (struct config_position){ 0 }, "no volume is declared");
	for (size_t i = 0; i < reading.count; i++)
		config_volume_clear(&reading.declared[i].volume);
	for (size_t i = 0; i < CONFIG_MACHINE_VOLUMES; i++)
		config_volume_clear(&reading.machine[i].volume);
	clear_install(&reading.install);
	free(reading.declared);
	return config;
}

enum mortise_code config_parse(const char *text, size_t size, const char *source,
			       struct config **config, struct config_diagnostics *diagnostics,
			       struct mortise_error *err)
{
	struct config_log log = { .diagnostics = diagnostics };
	struct config_tree *tree = NULL;

	*config = NULL;
	*diagnostics = (struct config_diagnostics){ 0 };
	if (size > CONFIG_TEXT_MAX) {
		config_error(&log, (struct config_position){ 0 },
			     "the configuration is larger than 1 MiB");
	} else {
		tree = config_tree_parse(text, size, &log);
		if (tree)
			*config = read_documents(&log, tree);
	}
	config_tree_free(tree);
	config_diagnostics_sort(diagnostics);
	if (log.out_of_memory) {
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
	clear_install(&config->install);
	free(config);
}
