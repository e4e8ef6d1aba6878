/* SPDX-License-Identifier: MIT */
#include "dm/simple.h"

#include <errno.h>
#include <string.h>

#include "base/error.h"
#include "dm/crypt_table.h"

static enum mortise_code create_device(const struct dm_simple *simple, const char *encoded,
				       dev_t *device, struct mortise_error *err)
{
	char uuid[DM_UUID_LEN] = "";
	const struct dm_call call = { .request = DM_DEV_CREATE, .name = encoded, .uuid = uuid };
	struct dm_reply reply;
	int sys;

	if (simple->uuid)
		dm_uuid_encode(simple->uuid, uuid);
	sys = dm_run(simple->control, &call, &reply);
	*device = dm_decode_device(reply.header.dev);
	dm_reply_clear(&reply);
	if (sys == EBUSY)
		return error_set(err, MORTISE_E_EXISTS, 0, "Device %s already exists.",
				 simple->name);
	return sys ? dm_call_error(err, sys, "create mapping", simple->name) : MORTISE_OK;
}

static enum mortise_code load_table(const struct dm_simple *simple, const char *encoded,
				    struct mortise_error *err)
{
	struct dm_target_spec spec = { .length = simple->size / DM_SECTOR };
	struct dm_call call = { .request = DM_TABLE_LOAD,
				.name = encoded,
				.flags = simple->readonly ? DM_READONLY_FLAG : 0,
				.target_count = 1 };
	const size_t length = strlen(simple->params) + 1;
	struct mortise_secret *payload = NULL;
	struct dm_reply reply;
	enum mortise_code code;
	int sys;

	/* The parameters are padded to the alignment of the next record. */
	spec.next = (uint32_t)((sizeof(spec) + length + 7) / 8 * 8);
	code = mortise_secret_new(spec.next, &payload, err);
	if (code)
		return code;
	strncpy(spec.target_type, simple->type, sizeof(spec.target_type) - 1);
	memcpy(mortise_secret_writable(payload), &spec, sizeof(spec));
	memcpy(mortise_secret_writable(payload) + sizeof(spec), simple->params, length);
	call.payload = payload;
	sys = dm_run(simple->control, &call, &reply);
	dm_reply_clear(&reply);
	mortise_secret_free(&payload);
	return sys ? dm_call_error(err, sys, "load the table of", simple->name) : MORTISE_OK;
}

enum mortise_code dm_simple_create(const struct dm_simple *simple, struct mortise_error *err)
{
	char encoded[DM_NAME_LEN];
	enum mortise_code code;
	dev_t device;
	int sys;

	code = dm_name_encode(simple->name, encoded, err);
	if (!code)
		code = create_device(simple, encoded, &device, err);
	if (code)
		return code;
	code = load_table(simple, encoded, err);
	if (code)
		goto out;
	sys = dm_resume(simple->control, encoded, 0, true);
	if (sys) {
		code = dm_call_error(err, sys, "resume mapping", simple->name);
		goto out;
	}
	if (simple->control->nodes)
		code = dm_node_create(encoded, device, err);
out:
	if (code)
		(void)dm_remove_encoded(simple->control, encoded, 0, NULL);
	return code;
}

/* The target is a part of dm-mod. */
enum mortise_code dm_fail_io(struct dm_control *control, const char *name, uint64_t size,
			     struct mortise_error *err)
{
	const struct dm_simple simple = {
		.control = control, .name = name, .type = "error", .params = "", .size = size
	};
	char encoded[DM_NAME_LEN];
	enum mortise_code code = dm_name_encode(name, encoded, err);

	if (!code)
		code = load_table(&simple, encoded, err);
	return code ? code : dm_release(control, name, err);
}
