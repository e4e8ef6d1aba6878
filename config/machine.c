/* SPDX-License-Identifier: MIT */
/*
 * The v1alpha1 machine configuration, of which machine.systemDiskEncryption is read, and the disk
 * of machine.install. A misspelled key on the path to the former is an error: ignoring it would
 * leave a volume unencrypted.
 */
#include <string.h>

#include "config/volume.h"

enum { F_VERSION, F_DEBUG, F_PERSIST, F_MACHINE, F_CLUSTER, F_COUNT };

static const char *const field_names[F_COUNT] = {
	[F_VERSION] = "version", [F_DEBUG] = "debug",	  [F_PERSIST] = "persist",
	[F_MACHINE] = "machine", [F_CLUSTER] = "cluster",
};

#define ENCRYPTION "systemDiskEncryption"

bool config_is_machine_document(const struct config_node *root)
{
	for (const struct config_node *key = root->child; key; key = key->next->next)
		for (size_t i = 0; i < F_COUNT; i++)
			if (config_node_is(key, field_names[i]))
				return true;
	return false;
}

static void check_version(struct config_log *log, const struct config_field *field)
{
	const char *text = "v1alpha1";
	char shown[CONFIG_PRINTABLE_SIZE];

	if (config_field_text(log, field, &text) && strcmp(text, "v1alpha1") != 0)
		config_error(log, field->value->position,
			     "unsupported version \"%s\"; use v1alpha1",
			     config_printable(text, strlen(text), shown));
}

/* Recognizes systemDiskEncryption and its misspellings; all other keys are ignored. */
static void check_machine_key(struct config_log *log, const struct config_node *key,
			      struct config_field *found)
{
	char shown[CONFIG_PRINTABLE_SIZE];

	if (key->kind != CONFIG_SCALAR)
		return;
	if (!config_node_is(key, ENCRYPTION)) {
		if (config_node_distance(key, ENCRYPTION) <= CONFIG_TYPO_MAX)
			config_error(log, key->position,
				     "unknown key \"%s\": did you mean \"" ENCRYPTION "\"?",
				     config_printable(config_node_text(key), config_node_size(key),
						      shown));
	} else if (found->key) {
		config_error(log, key->position,
			     "\"" ENCRYPTION "\" is given twice, first in line %u",
			     found->key->position.line);
	} else {
		found->key = key;
		found->value = config_node_null(key->next) ? NULL : key->next;
	}
}

static void read_volume(struct config_log *log, const struct config_field *field, const char *name,
			struct config_declaration *declared)
{
	if (!config_field_mapping(log, field))
		return;
	declared->origin = CONFIG_ORIGIN_MACHINE;
	declared->position = field->key->position;
	declared->encryption = field->value;
	declared->volume.line = field->key->position.line;
	config_system_volume_init(log, name, &declared->volume);
	if (!log->out_of_memory)
		config_encryption_read(log, field, CONFIG_ORIGIN_MACHINE, &declared->volume);
}

void config_machine_read(struct config_log *log, const struct config_node *root,
			 struct config_declaration declared[static CONFIG_MACHINE_VOLUMES],
			 struct config_install *install)
{
	static const char *const names[CONFIG_MACHINE_VOLUMES] = { "state", "ephemeral" };
	static const struct config_schema root_schema = { .names = field_names, .count = F_COUNT };
	static const struct config_schema schema = { .names = names,
						     .count = CONFIG_MACHINE_VOLUMES };
	struct config_field encryption = { .name = ENCRYPTION };
	struct config_field volume[CONFIG_MACHINE_VOLUMES];
	struct config_field field[F_COUNT];

	config_fields_read(log, root, &root_schema, field);
	check_version(log, &field[F_VERSION]);
	if (!config_field_mapping(log, &field[F_MACHINE]))
		return;
	for (const struct config_node *key = field[F_MACHINE].value->child; key;
	     key = key->next->next)
		check_machine_key(log, key, &encryption);
	config_install_read(log, field[F_MACHINE].value, install);
	if (!encryption.value)
		return;
	if (!config_field_mapping(log, &encryption))
		return;
	config_fields_read(log, encryption.value, &schema, volume);
	read_volume(log, &volume[0], CONFIG_STATE, &declared[0]);
	read_volume(log, &volume[1], "EPHEMERAL", &declared[1]);
}
