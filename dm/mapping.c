/* SPDX-License-Identifier: MIT */
/* Queries about mappings: properties, table, list. */
#include "dm/control.h"
#include "dm/crypt_table.h"
#include "base/error.h"

#include <errno.h>
#include <inttypes.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define LIST_NAME_AT offsetof(struct dm_name_list, name)

bool dm_uuid_is_integrity(const char *uuid)
{
	return !strncmp(uuid, "CRYPT-INTEGRITY-", 16) || !strncmp(uuid, "CRYPT-SUBDEV-", 13);
}

enum mortise_code dm_info(struct dm_control *control, const char *name, struct dm_info *info,
			  struct mortise_error *err)
{
	char encoded[DM_NAME_LEN];
	const struct dm_call call = { .request = DM_DEV_STATUS, .name = encoded };
	struct dm_reply reply;
	enum mortise_code code;
	int sys;

	memset(info, 0, sizeof(*info));
	code = dm_name_encode(name, encoded, err);
	if (code)
		return code;
	sys = dm_run(control, &call, &reply);
	if (!sys) {
		const struct dm_ioctl *header = &reply.header;

		dm_name_decode(header->name, info->name);
		dm_name_decode(header->uuid, info->uuid);
		info->device = dm_decode_device(header->dev);
		info->open_count = header->open_count > 0 ? (uint32_t)header->open_count : 0;
		info->target_count = header->target_count;
		info->readonly = header->flags & DM_READONLY_FLAG;
		info->suspended = header->flags & DM_SUSPEND_FLAG;
		info->deferred_remove = header->flags & DM_DEFERRED_REMOVE;
		info->has_table = header->flags & DM_ACTIVE_PRESENT_FLAG;
	}
	dm_reply_clear(&reply);
	return sys ? dm_call_error(err, sys, "query mapping", name) : MORTISE_OK;
}

/* Reads the first target of a status reply, its parameters and their length. */
static bool read_target(const struct dm_reply *reply, struct dm_target_spec *spec,
			const char **params, size_t *length)
{
	if (reply->size < sizeof(*spec))
		return false;
	memcpy(spec, reply->data, sizeof(*spec));
	spec->target_type[sizeof(spec->target_type) - 1] = '\0';
	*params = (const char *)reply->data + sizeof(*spec);
	*length = strnlen(*params, reply->size - sizeof(*spec));
	return *length < reply->size - sizeof(*spec);
}

/* Reads the target of a mapping, which must be a single one of this type. */
static enum mortise_code read_single(const struct dm_reply *reply, const char *name,
				     const char *type, struct dm_target_spec *spec,
				     const char **params, size_t *length, struct mortise_error *err)
{
	if (!reply->header.target_count)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Device %s has no table: it is being created, or its creation was "
				 "interrupted",
				 name);
	if (!read_target(reply, spec, params, length))
		return dm_call_error(err, EPROTO, "read the table of", name);
	if (reply->header.target_count > 1)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Device %s is not a single dm-%s target, but %u targets, the "
				 "first of which is \"%s\".",
				 name, type, reply->header.target_count, spec->target_type);
	if (strcmp(spec->target_type, type))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Device %s is not a dm-%s target, but \"%s\".", name, type,
				 spec->target_type);
	if (spec->length > UINT64_MAX / DM_SECTOR)
		return dm_call_error(err, EPROTO, "read the table of", name);
	return MORTISE_OK;
}

/* *reply: call dm_reply_clear() in every case. */
static enum mortise_code query_table(struct dm_control *control, const char *name,
				     struct dm_reply *reply, struct mortise_error *err)
{
	char encoded[DM_NAME_LEN];
	const struct dm_call call = {
		.request = DM_TABLE_STATUS,
		.name = encoded,
		.flags = DM_STATUS_TABLE_FLAG | DM_NOFLUSH_FLAG | DM_SECURE_DATA_FLAG,
	};
	enum mortise_code code = dm_name_encode(name, encoded, err);
	int sys;

	*reply = (struct dm_reply){ .memory = NULL };
	if (code)
		return code;
	sys = dm_run(control, &call, reply);
	return sys ? dm_call_error(err, sys, "read the table of", name) : MORTISE_OK;
}

enum mortise_code dm_crypt_table(struct dm_control *control, const char *name,
				 struct dm_crypt_table *table, struct mortise_error *err)
{
	struct dm_target_spec spec;
	struct dm_reply reply;
	enum mortise_code code;
	const char *params;
	size_t length;

	memset(table, 0, sizeof(*table));
	code = query_table(control, name, &reply, err);
	if (!code)
		code = read_single(&reply, name, "crypt", &spec, &params, &length, err);
	if (code)
		goto out;
	code = dm_crypt_params_parse(params, length, table, err);
	if (code)
		error_prefix(err, "Device %s", name);
	else
		table->size = spec.length * DM_SECTOR;
out:
	dm_reply_clear(&reply);
	return code;
}

/* The target at an offset of a status reply. next counts from the start of the reply. */
static bool target_at(const struct dm_reply *reply, size_t at, struct dm_target_spec *spec,
		      const char **params, size_t *length)
{
	struct dm_reply rest = { .data = reply->data + at, .size = reply->size - at };

	return at <= reply->size && read_target(&rest, spec, params, length) &&
	       spec->length <= UINT64_MAX / DM_SECTOR;
}

static bool parse_linear(const char *params, struct dm_crypt_table *table)
{
	unsigned above, below;
	uint64_t offset;

	if (sscanf(params, "%u:%u %" SCNu64, &above, &below, &offset) != 3 ||
	    offset > UINT64_MAX / DM_SECTOR)
		return false;
	*table = (struct dm_crypt_table){ .device = makedev(above, below),
					  .device_offset = offset * DM_SECTOR };
	return true;
}

enum mortise_code dm_crypt_tables(struct dm_control *control, const char *name,
				  struct dm_crypt_table tables[static DM_TARGETS_MAX],
				  size_t *count, struct mortise_error *err)
{
	struct dm_target_spec spec = { .next = 0 };
	struct dm_reply reply;
	enum mortise_code code;

	*count = 0;
	memset(tables, 0, DM_TARGETS_MAX * sizeof(*tables));
	code = query_table(control, name, &reply, err);
	if (!code && reply.header.target_count > DM_TARGETS_MAX)
		code = error_set(err, MORTISE_E_UNSUPPORTED, 0, "Device %s has %u targets.", name,
				 reply.header.target_count);
	while (!code && *count < reply.header.target_count) {
		struct dm_crypt_table *table = &tables[*count];
		const char *params;
		size_t length;

		if (!target_at(&reply, *count ? spec.next : 0, &spec, &params, &length))
			code = dm_call_error(err, EPROTO, "read the table of", name);
		else if (!strcmp(spec.target_type, "crypt"))
			code = dm_crypt_params_parse(params, length, table, err);
		else if (strcmp(spec.target_type, "linear") || !parse_linear(params, table))
			code = error_set(err, MORTISE_E_UNSUPPORTED, 0,
					 "Device %s has a \"%s\" target.", name, spec.target_type);
		table->size = code ? 0 : spec.length * DM_SECTOR;
		*count += !code;
	}
	dm_reply_clear(&reply);
	return code;
}

void dm_crypt_tables_clear(struct dm_crypt_table tables[static DM_TARGETS_MAX])
{
	for (size_t i = 0; i < DM_TARGETS_MAX; i++)
		dm_crypt_table_clear(&tables[i]);
}

enum mortise_code dm_integrity_table(struct dm_control *control, const char *name,
				     struct dm_integrity_table *table, struct mortise_error *err)
{
	struct dm_target_spec spec;
	struct dm_reply reply;
	enum mortise_code code;
	const char *params;
	size_t length;

	memset(table, 0, sizeof(*table));
	code = query_table(control, name, &reply, err);
	if (!code)
		code = read_single(&reply, name, "integrity", &spec, &params, &length, err);
	/* The parameters end with a NUL. */
	if (!code)
		code = dm_integrity_params_parse(params, table, err);
	dm_reply_clear(&reply);
	return code;
}

/* Walks struct dm_name_list. next is relative to the record itself, 0 ends the list. */
static int walk_names(const struct dm_reply *reply,
		      bool (*each)(void *context, const char *name, dev_t dev), void *context)
{
	char decoded[DM_NAME_LEN];
	struct dm_name_list record;
	size_t at = 0;

	/* An empty list is one record without a device, or no record. */
	while (reply->size > LIST_NAME_AT) {
		const char *name = (const char *)reply->data + at + LIST_NAME_AT;
		size_t room = reply->size - LIST_NAME_AT - at;

		memcpy(&record, reply->data + at, LIST_NAME_AT);
		if (!record.dev && !at)
			return 0;
		if (room > DM_NAME_LEN)
			room = DM_NAME_LEN;
		if (strnlen(name, room) == room)
			return EPROTO;
		dm_name_decode(name, decoded);
		if (!each(context, decoded, dm_decode_device(record.dev)) || !record.next)
			return 0;
		if (record.next <= LIST_NAME_AT || record.next >= reply->size - LIST_NAME_AT - at)
			return EPROTO;
		at += record.next;
	}
	return 0;
}

enum mortise_code dm_list(struct dm_control *control,
			  bool (*each)(void *context, const char *name, dev_t dev), void *context,
			  struct mortise_error *err)
{
	const struct dm_call call = { .request = DM_LIST_DEVICES };
	struct dm_reply reply;
	int sys;

	sys = dm_run(control, &call, &reply);
	if (!sys)
		sys = walk_names(&reply, each, context);
	dm_reply_clear(&reply);
	return sys ? dm_call_error(err, sys, "list", "the mappings") : MORTISE_OK;
}
