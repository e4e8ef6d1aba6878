/* SPDX-License-Identifier: MIT */
/* What names stand for: a disk's fields, Talos's units of size, variables of exists(). */
#include <stddef.h>
#include <string.h>

#include "meta/cel.h"

#define FIELD(member, kind)                                       \
	{                                                         \
#member, kind, offsetof(struct meta_disk, member) \
	}

static const struct meta_cel_field fields[] = {
	FIELD(bus_path, META_CEL_STRING),   FIELD(cdrom, META_CEL_BOOL),
	FIELD(dev_path, META_CEL_STRING),   FIELD(firmware_version, META_CEL_STRING),
	FIELD(io_size, META_CEL_UINT),	    FIELD(modalias, META_CEL_STRING),
	FIELD(model, META_CEL_STRING),	    FIELD(readonly, META_CEL_BOOL),
	FIELD(rotational, META_CEL_BOOL),   FIELD(sector_size, META_CEL_UINT),
	FIELD(serial, META_CEL_STRING),	    FIELD(size, META_CEL_UINT),
	FIELD(sub_system, META_CEL_STRING), FIELD(symlinks, META_CEL_LIST | META_CEL_STRING),
	FIELD(transport, META_CEL_STRING),  FIELD(uuid, META_CEL_STRING),
	FIELD(wwid, META_CEL_STRING),
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

const struct meta_cel_field *meta_cel_field_at(unsigned number)
{
	return &fields[number];
}

int meta_cel_field_find(const char *name, size_t size)
{
	for (size_t i = 0; i < sizeof(fields) / sizeof(*fields); i++)
		if (strlen(fields[i].name) == size && !memcmp(fields[i].name, name, size))
			return (int)i;
	return -1;
}

const char *meta_cel_type_name(unsigned type)
{
	static const char *const names[] = { "bool", "int", "uint", "double", "string", "disk" };
	static const char *const lists[] = { "list of bool", "list of int", "list of uint",
					     "list of double", "list of string" };

	return type & META_CEL_LIST ? lists[type & ~(unsigned)META_CEL_LIST] : names[type];
}

/* How much of a name is shown in a sentence: it is only letters, digits and _. */
static int shown(const struct meta_cel_token *name)
{
	return name->size < 40 ? (int)name->size : 40;
}

static struct meta_cel_node *variable(struct meta_cel_reader *reader,
				      const struct meta_cel_token *name)
{
	struct meta_cel_node *node;

	/* The innermost of several with one name. */
	for (unsigned i = reader->variable_count; i > 0; i--) {
		if (reader->variable[i - 1].size != name->size ||
		    memcmp(reader->text + reader->variable[i - 1].at, reader->text + name->at,
			   name->size) != 0)
			continue;
		node = meta_cel_node(reader, META_CEL_VARIABLE, reader->variable[i - 1].type,
				     name->at, NULL);
		node->value.number = i - 1;
		return node;
	}
	return NULL;
}

static struct meta_cel_node *known(struct meta_cel_reader *reader,
				   const struct meta_cel_token *name, unsigned type,
				   union meta_cel_constant value)
{
	struct meta_cel_node *node = meta_cel_node(reader, META_CEL_CONSTANT, type, name->at, NULL);

	node->value = value;
	return node;
}

struct meta_cel_node *meta_cel_named_value(struct meta_cel_reader *reader,
					   const struct meta_cel_token *name)
{
	struct meta_cel_node *node = variable(reader, name);

	if (node)
		return node;
	if (meta_cel_named(reader, name, "true") || meta_cel_named(reader, name, "false"))
		return known(reader, name, META_CEL_BOOL,
			     (union meta_cel_constant){ .truth = reader->text[name->at] == 't' });
	for (size_t i = 0; i < sizeof(units) / sizeof(*units); i++)
		if (meta_cel_named(reader, name, units[i].name))
			return known(reader, name, META_CEL_UINT,
				     (union meta_cel_constant){ .natural = units[i].bytes });
	if (meta_cel_named(reader, name, "system_disk"))
		return meta_cel_node(reader, META_CEL_SYSTEM_DISK, META_CEL_BOOL, name->at, NULL);
	if (meta_cel_named(reader, name, "disk"))
		return meta_cel_node(reader, META_CEL_CONSTANT, META_CEL_DISK, name->at, NULL);
	meta_cel_fail(reader, name->at,
		      "undeclared reference to \"%.*s\": there are disk, system_disk, and units "
		      "from KiB to EiB and kB to EB",
		      shown(name), reader->text + name->at);
	return NULL;
}

struct meta_cel_node *meta_cel_field(struct meta_cel_reader *reader, struct meta_cel_node *disk,
				     const struct meta_cel_token *name)
{
	const int number = meta_cel_field_find(reader->text + name->at, name->size);
	struct meta_cel_node *node;

	if (disk->type != META_CEL_DISK) {
		meta_cel_fail(reader, name->at, "a %s has no fields",
			      meta_cel_type_name(disk->type));
		return NULL;
	}
	if (number < 0) {
		meta_cel_fail(reader, name->at,
			      "undefined field \"%.*s\": a disk has bus_path, cdrom, dev_path, "
			      "firmware_version, io_size, modalias, model, readonly, rotational, "
			      "sector_size, serial, size, sub_system, symlinks, transport, uuid, "
			      "wwid",
			      shown(name), reader->text + name->at);
		return NULL;
	}
	node = meta_cel_node(reader, META_CEL_FIELD, fields[number].type, name->at, NULL);
	node->value.number = (unsigned)number;
	return node;
}
