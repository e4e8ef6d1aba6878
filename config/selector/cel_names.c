/* SPDX-License-Identifier: MIT */
/* Resolving names: fields of a disk, Talos's units of size, variables of exists(). */
#include <stddef.h>
#include <string.h>

#include "config/selector/cel.h"

#define FIELD(member, kind)                                        \
	{                                                          \
#member, kind, offsetof(struct disk_facts, member) \
	}

static const struct config_cel_field fields[] = {
	FIELD(bus_path, CONFIG_CEL_STRING),
	FIELD(cdrom, CONFIG_CEL_BOOL),
	FIELD(dev_path, CONFIG_CEL_STRING),
	FIELD(firmware_version, CONFIG_CEL_STRING),
	FIELD(io_size, CONFIG_CEL_UINT),
	FIELD(modalias, CONFIG_CEL_STRING),
	FIELD(model, CONFIG_CEL_STRING),
	FIELD(pretty_size, CONFIG_CEL_STRING),
	FIELD(readonly, CONFIG_CEL_BOOL),
	FIELD(rotational, CONFIG_CEL_BOOL),
	FIELD(secondary_disks, CONFIG_CEL_LIST | CONFIG_CEL_STRING),
	FIELD(sector_size, CONFIG_CEL_UINT),
	FIELD(serial, CONFIG_CEL_STRING),
	FIELD(size, CONFIG_CEL_UINT),
	FIELD(sub_system, CONFIG_CEL_STRING),
	FIELD(symlinks, CONFIG_CEL_LIST | CONFIG_CEL_STRING),
	FIELD(transport, CONFIG_CEL_STRING),
	FIELD(uuid, CONFIG_CEL_STRING),
	FIELD(wwid, CONFIG_CEL_STRING),
};

static const struct {
	const char *name;
	uint64_t bytes;
} units[] = {
	{ "KiB", UINT64_C(1) << 10 },
	{ "MiB", UINT64_C(1) << 20 },
	{ "GiB", UINT64_C(1) << 30 },
	{ "TiB", UINT64_C(1) << 40 },
	{ "PiB", UINT64_C(1) << 50 },
	{ "EiB", UINT64_C(1) << 60 },
	{ "kB", UINT64_C(1000) },
	{ "MB", UINT64_C(1000000) },
	{ "GB", UINT64_C(1000000000) },
	{ "TB", UINT64_C(1000000000000) },
	{ "PB", UINT64_C(1000000000000000) },
	{ "EB", UINT64_C(1000000000000000000) },
};

const struct config_cel_field *config_cel_field_at(unsigned number)
{
	return &fields[number];
}

int config_cel_field_find(const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (strlen(fields[i].name) == size && !memcmp(fields[i].name, name, size))
			return (int)i;
	return -1;
}

const char *config_cel_type_name(unsigned type)
{
	static const char *const names[] = { "bool", "int", "uint", "double", "string", "disk" };
	static const char *const lists[] = { "list of bool", "list of int", "list of uint",
					     "list of double", "list of string" };

	return type & CONFIG_CEL_LIST ? lists[type & ~(unsigned)CONFIG_CEL_LIST] : names[type];
}

/* Bytes of a name in an error. Names have only letters, digits and _. */
static int limit_name(const struct config_cel_token *name)
{
	return name->size < 40 ? (int)name->size : 40;
}

static struct config_cel_node *find_variable(struct config_cel_reader *reader,
					     const struct config_cel_token *name)
{
	struct config_cel_node *node;

	/* The innermost variable of this name. */
	for (unsigned i = reader->variable_count; i > 0; i--) {
		if (reader->variable[i - 1].size != name->size ||
		    memcmp(reader->text + reader->variable[i - 1].at, reader->text + name->at,
			   name->size) != 0)
			continue;
		node = config_cel_node(reader, CONFIG_CEL_VARIABLE, reader->variable[i - 1].type,
				       name->at, NULL);
		node->value.number = i - 1;
		return node;
	}
	return NULL;
}

static struct config_cel_node *create_constant(struct config_cel_reader *reader,
					       const struct config_cel_token *name, unsigned type,
					       union config_cel_constant value)
{
	struct config_cel_node *node =
		config_cel_node(reader, CONFIG_CEL_CONSTANT, type, name->at, NULL);

	node->value = value;
	return node;
}

struct config_cel_node *config_cel_named_value(struct config_cel_reader *reader,
					       const struct config_cel_token *name)
{
	struct config_cel_node *node = find_variable(reader, name);

	if (node)
		return node;
	if (config_cel_named(reader, name, "true") || config_cel_named(reader, name, "false"))
		return create_constant(
			reader, name, CONFIG_CEL_BOOL,
			(union config_cel_constant){ .truth = reader->text[name->at] == 't' });
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (config_cel_named(reader, name, units[i].name))
			return create_constant(
				reader, name, CONFIG_CEL_UINT,
				(union config_cel_constant){ .natural = units[i].bytes });
	if (config_cel_named(reader, name, "system_disk"))
		return config_cel_node(reader, CONFIG_CEL_SYSTEM_DISK, CONFIG_CEL_BOOL, name->at,
				       NULL);
	if (config_cel_named(reader, name, "disk"))
		return config_cel_node(reader, CONFIG_CEL_CONSTANT, CONFIG_CEL_DISK, name->at,
				       NULL);
	config_cel_fail(reader, name->at,
			"undeclared reference to \"%.*s\"; use disk, system_disk, or a unit from "
			"KiB to EiB or kB to EB",
			limit_name(name), reader->text + name->at);
	return NULL;
}

struct config_cel_node *config_cel_field(struct config_cel_reader *reader,
					 struct config_cel_node *disk,
					 const struct config_cel_token *name)
{
	const int number = config_cel_field_find(reader->text + name->at, name->size);
	struct config_cel_node *node;

	if (disk->type != CONFIG_CEL_DISK) {
		config_cel_fail(reader, name->at, "a %s has no fields",
				config_cel_type_name(disk->type));
		return NULL;
	}
	if (number < 0) {
		config_cel_fail(
			reader, name->at,
			"undefined field \"%.*s\"; use bus_path, cdrom, dev_path, "
			"firmware_version, io_size, modalias, model, pretty_size, readonly, "
			"rotational, secondary_disks, sector_size, serial, size, "
			"sub_system, symlinks, transport, uuid or wwid",
			limit_name(name), reader->text + name->at);
		return NULL;
	}
	node = config_cel_node(reader, CONFIG_CEL_FIELD, fields[number].type, name->at, NULL);
	node->value.number = (unsigned)number;
	return node;
}
