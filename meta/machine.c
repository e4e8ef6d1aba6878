/* SPDX-License-Identifier: MIT */
/*
 * The v1alpha1 machine configuration: machine.systemDiskEncryption is read, and whatever else is
 * in it is passed over. That a word on the way there is misspelt must not pass: a volume would
 * stay in plain.
 */
#include <string.h>

#include "meta/volume.h"

enum { F_VERSION, F_DEBUG, F_PERSIST, F_MACHINE, F_CLUSTER, F_COUNT };

static const char *const field_names[F_COUNT] = {
	[F_VERSION] = "version", [F_DEBUG] = "debug",	  [F_PERSIST] = "persist",
	[F_MACHINE] = "machine", [F_CLUSTER] = "cluster",
};

#define ENCRYPTION "systemDiskEncryption"

bool meta_machine_is(const struct meta_node *root)
{
	for (const struct meta_node *key = root->child; key; key = key->next->next)
		for (size_t i = 0; i < F_COUNT; i++)
			if (meta_node_is(key, field_names[i]))
				return true;
	return false;
}

static void version_check(struct meta_log *log, const struct meta_field *field)
{
	const char *text = "v1alpha1";
	char shown[META_SHOW_ROOM];

	if (meta_field_text(log, field, &text) && strcmp(text, "v1alpha1") != 0)
		meta_error(log, field->value->place,
			   "version \"%s\" is not read by this version; v1alpha1 is",
			   meta_show(text, strlen(text), shown));
}

/* An alias in the place of a key may be any of them. */
static void keys_strict(struct meta_log *log, const struct meta_node *mapping)
{
	for (const struct meta_node *key = mapping->child; key; key = key->next->next)
		if (key->kind == META_REFUSED)
			meta_node_strict(log, key);
}

/* Of the machine's many keys only one is known here, and those that look like it. */
static void key_take(struct meta_log *log, const struct meta_node *key, struct meta_field *found)
{
	char shown[META_SHOW_ROOM];

	if (key->kind != META_SCALAR)
		return;
	if (meta_node_plain(key) && meta_node_is(key, "<<")) {
		meta_error(log, key->place, "merge keys are not read: write the keys themselves");
	} else if (!meta_node_is(key, ENCRYPTION)) {
		if (meta_node_distance(key, ENCRYPTION) <= META_TYPO_MAX)
			meta_error(log, key->place,
				   "unknown key \"%s\": did you mean \"" ENCRYPTION "\"?",
				   meta_show(meta_node_text(key), meta_node_size(key), shown));
	} else if (found->key) {
		meta_error(log, key->place, "\"" ENCRYPTION "\" is given twice, first in line %u",
			   found->key->place.line);
	} else {
		found->key = key;
		found->value = meta_node_null(key->next) ? NULL : key->next;
	}
}

static void volume_read(struct meta_log *log, const struct meta_field *field, const char *name,
			struct meta_declared *declared)
{
	if (!meta_field_mapping(log, field))
		return;
	declared->form = META_FORM_MACHINE;
	declared->place = field->key->place;
	declared->encryption = field->value;
	declared->volume.line = field->key->place.line;
	meta_system_volume(log, name, &declared->volume);
	if (!log->no_memory)
		meta_encryption_read(log, field, META_FORM_MACHINE, &declared->volume);
}

void meta_machine_read(struct meta_log *log, const struct meta_node *root,
		       struct meta_declared declared[static META_MACHINE_VOLUMES])
{
	static const char *const names[META_MACHINE_VOLUMES] = { "state", "ephemeral" };
	static const struct meta_schema root_schema = { .names = field_names, .count = F_COUNT };
	static const struct meta_schema schema = { .names = names, .count = META_MACHINE_VOLUMES };
	struct meta_field encryption = { .name = ENCRYPTION };
	struct meta_field volume[META_MACHINE_VOLUMES];
	struct meta_field field[F_COUNT];
	const struct meta_node *machine;

	keys_strict(log, root);
	meta_fields_read(log, root, &root_schema, field);
	version_check(log, &field[F_VERSION]);
	machine = field[F_MACHINE].value;
	if (machine && machine->kind == META_REFUSED)
		meta_node_strict(log, machine);
	if (!meta_field_mapping(log, &field[F_MACHINE]))
		return;
	keys_strict(log, machine);
	for (const struct meta_node *key = machine->child; key; key = key->next->next)
		key_take(log, key, &encryption);
	if (!encryption.value)
		return;
	meta_node_strict(log, encryption.value);
	if (!meta_field_mapping(log, &encryption))
		return;
	meta_fields_read(log, encryption.value, &schema, volume);
	volume_read(log, &volume[0], "STATE", &declared[0]);
	volume_read(log, &volume[1], "EPHEMERAL", &declared[1]);
}
