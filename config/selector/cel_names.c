/* SPDX-License-Identifier: MIT */
/* Resolving names: fields of a disk, Talos's units of size, variables of exists(). */
#include <stddef.h>
#include <string.h>

#include "config/selector/cel.h"

#define LIST_OF_STRINGS (CONFIG_CEL_LIST | CONFIG_CEL_STRING << CONFIG_CEL_SHIFT)

#define FIELD(member, kind)                                        \
	{                                                          \
#member, kind, offsetof(struct disk_facts, member) \
	}

static const struct config_cel_field fields[] = {
	FIELD(bus_path, CONFIG_CEL_STRING),	 FIELD(cdrom, CONFIG_CEL_BOOL),
	FIELD(dev_path, CONFIG_CEL_STRING),	 FIELD(firmware_version, CONFIG_CEL_STRING),
	FIELD(io_size, CONFIG_CEL_UINT),	 FIELD(modalias, CONFIG_CEL_STRING),
	FIELD(model, CONFIG_CEL_STRING),	 FIELD(pretty_size, CONFIG_CEL_STRING),
	FIELD(readonly, CONFIG_CEL_BOOL),	 FIELD(rotational, CONFIG_CEL_BOOL),
	FIELD(secondary_disks, LIST_OF_STRINGS), FIELD(sector_size, CONFIG_CEL_UINT),
	FIELD(serial, CONFIG_CEL_STRING),	 FIELD(size, CONFIG_CEL_UINT),
	FIELD(sub_system, CONFIG_CEL_STRING),	 FIELD(symlinks, LIST_OF_STRINGS),
	FIELD(transport, CONFIG_CEL_STRING),	 FIELD(uuid, CONFIG_CEL_STRING),
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
	if (config_cel_named(reader, name, "null"))
		return config_cel_node(reader, CONFIG_CEL_CONSTANT, CONFIG_CEL_NULL, name->at,
				       NULL);
	for (unsigned i = CONFIG_CEL_NULL; i <= CONFIG_CEL_MAP; i++)
		if (i != CONFIG_CEL_DISK && config_cel_named(reader, name, config_cel_base_name(i)))
			return create_constant(reader, name, CONFIG_CEL_TYPE,
					       (union config_cel_constant){ .number = i });
	if (config_cel_named(reader, name, "system_disk"))
		return config_cel_node(reader, CONFIG_CEL_SYSTEM_DISK, CONFIG_CEL_BOOL, name->at,
				       NULL);
	if (config_cel_named(reader, name, "disk"))
		return config_cel_node(reader, CONFIG_CEL_CONSTANT, CONFIG_CEL_DISK, name->at,
				       NULL);
	if (config_cel_field_find(reader->text + name->at, name->size) >= 0)
		config_cel_fail(reader, name->at,
				"undeclared reference to \"%.*s\"; did you mean disk.%.*s?",
				limit_name(name), reader->text + name->at, limit_name(name),
				reader->text + name->at);
	else
		config_cel_fail(
			reader, name->at,
			"undeclared reference to \"%.*s\"; use disk, system_disk, or a unit "
			"from KiB to EiB or kB to EB",
			limit_name(name), reader->text + name->at);
	return NULL;
}

/* The name follows in the strings, which have room for it: the dot is not used. */
static struct config_cel_node *create_member(struct config_cel_reader *reader,
					     struct config_cel_node *of,
					     const struct config_cel_token *name)
{
	struct config_cel_node *node;
	char *string = reader->strings + reader->strings_size;
	unsigned type = of->type >> 2 * CONFIG_CEL_SHIFT;

	node = config_cel_node(reader, CONFIG_CEL_MEMBER, type, name->at,
			       (struct config_cel_node *[3]){ of });
	if (!node)
		return NULL;
	memcpy(string, reader->text + name->at, name->size);
	string[name->size] = '\0';
	reader->strings_size += name->size + 1;
	node->value.string = string;
	return node;
}

struct config_cel_node *config_cel_field(struct config_cel_reader *reader,
					 struct config_cel_node *of,
					 const struct config_cel_token *name)
{
	const int number = config_cel_field_find(reader->text + name->at, name->size);
	char type[CONFIG_CEL_NAME_SIZE];
	struct config_cel_node *node;

	if (of->type == CONFIG_CEL_DYN ||
	    ((of->type & CONFIG_CEL_BASE) == CONFIG_CEL_MAP &&
	     config_cel_compatible(config_cel_item_type(of->type), CONFIG_CEL_STRING)))
		return create_member(reader, of, name);
	if (of->type != CONFIG_CEL_DISK) {
		config_cel_fail(reader, name->at, "a %s has no fields",
				config_cel_type_name(of->type, type));
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
	node = config_cel_node(reader, CONFIG_CEL_FIELD, fields[number].type, name->at,
			       (struct config_cel_node *[3]){ of });
	if (node)
		node->value.number = (unsigned)number;
	return node;
}
