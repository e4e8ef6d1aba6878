/* SPDX-License-Identifier: MIT */
/* A mapping of one dm-zero target, which has no device below. */
#include "dm/control.h"
#include "dm/crypt_table.h"
#include "base/error.h"

#include <errno.h>
#include <string.h>

static enum mortise_code create_device(struct dm_control *control, const char *name,
				       const char *encoded, dev_t *device,
				       struct mortise_error *err)
{
	const struct dm_call call = { .request = DM_DEV_CREATE, .name = encoded };
	struct dm_reply reply;
	int sys = dm_run(control, &call, &reply);

	*device = dm_decode_device(reply.header.dev);
	dm_reply_clear(&reply);
	if (sys == EBUSY)
		return error_set(err, MORTISE_E_EXISTS, 0, "Device %s already exists.", name);
	return sys ? dm_call_error(err, sys, "create mapping", name) : MORTISE_OK;
}

static enum mortise_code load_table(struct dm_control *control, const char *name,
				    const char *encoded, uint64_t size, struct mortise_error *err)
{
	/* The parameters are an empty string: a NUL, padded to the alignment of the next record. */
	struct dm_target_spec spec = { .length = size / DM_SECTOR, .next = sizeof(spec) + 8 };
	struct dm_call call = { .request = DM_TABLE_LOAD, .name = encoded, .target_count = 1 };
	struct mortise_secret *payload = NULL;
	struct dm_reply reply;
	enum mortise_code code;
	int sys;

	code = mortise_secret_new(spec.next, &payload, err);
	if (code)
		return code;
	memcpy(spec.target_type, "zero", sizeof("zero"));
	memcpy(mortise_secret_writable(payload), &spec, sizeof(spec));
	call.payload = payload;
	sys = dm_run(control, &call, &reply);
	dm_reply_clear(&reply);
	mortise_secret_free(&payload);
	return sys ? dm_call_error(err, sys, "load the table of", name) : MORTISE_OK;
}

enum mortise_code dm_zero_create(struct dm_control *control, const char *name, uint64_t size,
				 struct mortise_error *err)
{
	char encoded[DM_NAME_LEN];
	uint32_t version[3];
	enum mortise_code code;
	bool known;
	dev_t device;
	int sys;

	if (!size || size % 4096)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "the size of mapping %s must be a multiple of 4096 bytes", name);
	code = dm_name_encode(name, encoded, err);
	if (code)
		return code;
	code = dm_target_query(control, "zero", version, &known, err);
	if (code)
		return code;
	code = create_device(control, name, encoded, &device, err);
	if (code)
		return code;
	code = load_table(control, name, encoded, size, err);
	if (code)
		goto out;
	sys = dm_resume(control, encoded, true);
	if (sys) {
		code = dm_call_error(err, sys, "resume mapping", name);
		goto out;
	}
	if (control->nodes)
		code = dm_node_create(encoded, device, err);
out:
	if (code)
		(void)dm_remove_encoded(control, encoded, 0, NULL);
	return code;
}
