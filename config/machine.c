/* SPDX-License-Identifier: MIT */
/*
 * The v1alpha1 machine configuration: machine.systemDiskEncryption is read, and whatever else is
 * in it is passed over. That a word on the way there is misspelt must not pass: a volume would
 * stay in plain.
 */
#include <string.h>

#include "config/volume.h"

enum { F_VERSION, F_DEBUG, F_PERSIST, F_MACHINE, F_CLUSTER, F_COUNT };

static const char *const field_names[F_COUNT] = {
	[F_VERSION] = "version", [F_DEBUG] = "debug",	  [F_PERSIST] = "persist",
	[F_MACHINE] = "machine", [F_CLUSTER] = "cluster",
};

#define ENCRYPTION "systemDiskEncryption"

bool config_machine_is(const struct config_node *root)
{
	for (const struct config_node *key = root->child; key; key = key->next->next)
		for (size_t i = 0; i < F_COUNT; i++)
			if (config_node_is(key, field_names[i]))
				return true;
	return false;
}

static void version_check(struct config_log *log, const struct config_field *field)
{
	const char *text = "v1alpha1";
	char shown[CONFIG_SHOW_ROOM];

	if (config_field_text(log, field, &text) && strcmp(text, "v1alpha1") != 0)
		config_error(log, field->value->place,
			     "version \"%s\" is not read by this version; v1alpha1 is",
			     config_show(text, strlen(text), shown));
}

/* An alias in the place of a key may be any of them. */
static void keys_strict(struct config_log *log, const struct config_node *mapping)
{
	for (const struct config_node *key = mapping->child; key; key = key->next->next)
		if (key->kind == CONFIG_REFUSED)
			config_node_strict(log, key);
}

/* Of the machine's many keys only one is known here, and those that look like it. */
static void key_take(struct config_log *log, const struct config_node *key,
		     struct config_field *found)
{
	char shown[CONFIG_SHOW_ROOM];

	if (key->kind != CONFIG_SCALAR)
		return;
	if (config_node_plain(key) && config_node_is(key, "<<")) {
		config_error(log, key->place, "merge keys are not read: write the keys themselves");
	} else if (!config_node_is(key, ENCRYPTION)) {
		if (config_node_distance(key, ENCRYPTION) <= CONFIG_TYPO_MAX)
			config_error(
				log, key->place,
				"unknown key \"%s\": did you mean \"" ENCRYPTION "\"?",
				config_show(config_node_text(key), config_node_size(key), shown));
	} else if (found->key) {
		config_error(log, key->place, "\"" ENCRYPTION "\" is given twice, first in line %u",
			     found->key->place.line);
	} else {
		found->key = key;
		found->value = config_node_null(key->next) ? NULL : key->next;
	}
}

static void volume_read(struct config_log *log, const struct config_field *field, const char *name,
			struct config_declared *declared)
{
	if (!config_field_mapping(log, field))
		return;
	declared->form = CONFIG_FORM_MACHINE;
	declared->place = field->key->place;
	declared->encryption = field->value;
	declared->volume.line = field->key->place.line;
	config_system_volume(log, name, &declared->volume);
	if (!log->no_memory)
		config_encryption_read(log, field, CONFIG_FORM_MACHINE, &declared->volume);
}

void config_machine_read(struct config_log *log, const struct config_node *root,
			 struct config_declared declared[static CONFIG_MACHINE_VOLUMES])
{
	static const char *const names[CONFIG_MACHINE_VOLUMES] = { "state", "ephemeral" };
	static const struct config_schema root_schema = { .names = field_names, .count = F_COUNT };
	static const struct config_schema schema = { .names = names,
						     .count = CONFIG_MACHINE_VOLUMES };
	struct config_field encryption = { .name = ENCRYPTION };
	struct config_field volume[CONFIG_MACHINE_VOLUMES];
	struct config_field field[F_COUNT];
	const struct config_node *machine;

	keys_strict(log, root);
	config_fields_read(log, root, &root_schema, field);
	version_check(log, &field[F_VERSION]);
	machine = field[F_MACHINE].value;
	if (machine && machine->kind == CONFIG_REFUSED)
		config_node_strict(log, machine);
	if (!config_field_mapping(log, &field[F_MACHINE]))
		return;
	keys_strict(log, machine);
	for (const struct config_node *key = machine->child; key; key = key->next->next)
		key_take(log, key, &encryption);
	if (!encryption.value)
		return;
	config_node_strict(log, encryption.value);
	if (!config_field_mapping(log, &encryption))
		return;
	config_fields_read(log, encryption.value, &schema, volume);
	volume_read(log, &volume[0], "STATE", &declared[0]);
	volume_read(log, &volume[1], "EPHEMERAL", &declared[1]);
}
