/* SPDX-License-Identifier: MIT */
/* Creating a dm-crypt mapping: create, load, resume, node. A failure undoes all of it. */
#include <errno.h>
#include <stdio.h>

#include "base/error.h"
#include "dm/crypt_table.h"
#include "dm/load.h"

struct creation {
	struct dm_load load;
	struct dm_mapping_options options;
	dev_t device; /* of the mapping */
};

int dm_resume(struct dm_control *control, const char *encoded, uint32_t flags, bool hidden)
{
	uint32_t udev = DM_UDEV_PRIMARY_SOURCE | DM_UDEV_NO_LIBRARY_FALLBACK;
	struct dm_call call = { .request = DM_DEV_SUSPEND, .name = encoded, .flags = flags };
	struct dm_reply reply;
	int sys;

	if (hidden)
		udev |= DM_UDEV_NO_SUBSYSTEM_RULES | DM_UDEV_NO_DISK_RULES | DM_UDEV_NO_OTHER_RULES;
	/* No cookie in the lower half: nothing waits for the udev rules to finish. */
	call.event_nr = udev << DM_UDEV_SHIFT;
	sys = dm_run(control, &call, &reply);
	dm_reply_clear(&reply);
	return sys;
}

static enum mortise_code exists_error(const struct creation *creation, const char *uuid,
				      struct mortise_error *err)
{
	const struct dm_call call = { .request = DM_DEV_STATUS, .uuid = uuid };
	char other[DM_NAME_LEN] = "";
	struct dm_reply reply;
	struct dm_info info;

	if (dm_info(creation->load.control, creation->load.name, &info, NULL) && *uuid) {
		if (!dm_run(creation->load.control, &call, &reply))
			dm_name_decode(reply.header.name, other);
		dm_reply_clear(&reply);
	}
	if (*other)
		return error_set(err, MORTISE_E_EXISTS, 0,
				 "Device %s is already active as %s; close that mapping first.",
				 creation->load.target->device, other);
	return error_set(err, MORTISE_E_EXISTS, 0, "Device %s already exists.",
			 creation->load.name);
}

static enum mortise_code create_device(struct creation *creation, struct mortise_error *err)
{
	char uuid[DM_UUID_LEN] = "";
	const struct dm_call call = { .request = DM_DEV_CREATE,
				      .name = creation->load.encoded,
				      .uuid = uuid };
	struct dm_reply reply;
	int sys;

	if (creation->options.uuid)
		dm_uuid_encode(creation->options.uuid, uuid);
	sys = dm_run(creation->load.control, &call, &reply);
	creation->device = dm_decode_device(reply.header.dev);
	dm_reply_clear(&reply);
	if (sys == EBUSY)
		return exists_error(creation, uuid, err);
	return sys ? dm_call_error(err, sys, "create mapping", creation->load.name) : MORTISE_OK;
}

static enum mortise_code resume_mapping(struct creation *creation, struct mortise_error *err)
{
	int sys = dm_resume(creation->load.control, creation->load.encoded, 0,
			    creation->options.hidden);

	return sys ? dm_call_error(err, sys, "resume mapping", creation->load.name) : MORTISE_OK;
}

/* Checks everything before the first change. */
static enum mortise_code check_creation(struct creation *creation, struct mortise_error *err)
{
	struct dm_control *control = creation->load.control;
	enum mortise_code code;
	struct dm_info info;

	code = dm_name_encode(creation->load.name, creation->load.encoded, err);
	if (code)
		return code;
	code = dm_crypt_targets_check(creation->load.target, err);
	if (code)
		return code;
	/* Before the device below: if the mapping is already active, the device is busy. */
	code = dm_info(control, creation->load.name, &info, err);
	if (!code)
		return error_set(err, MORTISE_E_EXISTS, 0, "Device %s already exists.",
				 creation->load.name);
	if (code != MORTISE_E_INACTIVE)
		return code;
	/* Another mapping may hold the device of a temporary one. */
	return dm_load_check(&creation->load,
			     !creation->options.hidden && !creation->options.shared, err);
}

static void undo_creation(struct creation *creation)
{
	if (dm_remove_encoded(creation->load.control, creation->load.encoded, 0, NULL) == EBUSY)
		(void)dm_remove_encoded(creation->load.control, creation->load.encoded,
					DM_DEFERRED_REMOVE, NULL);
	if (creation->load.control->nodes)
		dm_node_remove(creation->load.encoded, creation->device);
}

enum mortise_code dm_crypt_create(struct dm_control *control, const char *name,
				  const struct dm_mapping_options *options,
				  const struct dm_crypt_target *target, uint32_t *dropped,
				  struct mortise_error *err)
{
	struct creation creation = {
		.load = { .control = control,
			  .name = name,
			  .target = target,
			  .readonly = options->readonly },
		.options = *options,
	};
	enum mortise_code code;

	if (dropped)
		*dropped = 0;
	code = check_creation(&creation, err);
	if (code)
		return code;
	code = create_device(&creation, err);
	if (code)
		return code;
	code = dm_load_table(&creation.load, err);
	if (code)
		goto out;
	code = resume_mapping(&creation, err);
	if (code)
		goto out;
	if (control->nodes) {
		dm_sysfs_read_ahead(creation.device, creation.load.block[0].read_ahead);
		code = dm_node_create(creation.load.encoded, creation.device, err);
		if (code)
			goto out;
	}
	if (dropped)
		*dropped = creation.load.omitted;
out:
	if (code)
		undo_creation(&creation);
	return code;
}
