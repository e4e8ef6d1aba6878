/* SPDX-License-Identifier: MIT */
/* The version of a target in the kernel, after loading its module. */
#include "dm/control.h"
#include "base/error.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define NAME_AT offsetof(struct dm_target_versions, name)

/* Walks struct dm_target_versions. next is relative to the record itself, 0 ends the list. */
static bool find_target(const struct dm_reply *reply, const char *target,
			uint32_t version[static 3])
{
	struct dm_target_versions record;
	size_t at = 0;

	while (reply->size > NAME_AT && at < reply->size - NAME_AT) {
		const char *name = (const char *)reply->data + at + NAME_AT;
		size_t room = reply->size - NAME_AT - at;

		memcpy(&record, reply->data + at, sizeof(record));
		if (strnlen(name, room) < room && !strcmp(name, target)) {
			memcpy(version, record.version, sizeof(record.version));
			return true;
		}
		if (record.next <= NAME_AT)
			return false;
		at += record.next;
	}
	return false;
}

bool dm_version_before(const uint32_t version[static 3], uint32_t major, uint32_t minor,
		       uint32_t patch)
{
	if (version[0] != major)
		return version[0] < major;
	if (version[1] != minor)
		return version[1] < minor;
	return version[2] < patch;
}

static enum mortise_code no_target_error(struct mortise_error *err, int sys, const char *target)
{
	return dm_set_errno(
		err, sys,
		error_set(err, MORTISE_E_KERNEL, 0,
			  "The kernel has no device-mapper target \"%s\". Load its module "
			  "(modprobe dm-%s), or use a kernel that has it.",
			  target, target));
}

enum mortise_code dm_target_query(struct dm_control *control, const char *target,
				  uint32_t version[static 3], bool *known,
				  struct mortise_error *err)
{
	struct dm_call call = { .request = DM_GET_TARGET_VERSION, .name = target };
	struct dm_reply reply;
	bool loads;
	int sys;

	*known = false;
	/* Linux 5.4. It also loads the module. */
	sys = dm_run(control, &call, &reply);
	loads = sys != ENOTTY;
	if (!loads) {
		dm_reply_clear(&reply);
		call = (struct dm_call){ .request = DM_LIST_VERSIONS };
		sys = dm_run(control, &call, &reply);
	}
	if (!sys)
		*known = find_target(&reply, target, version);
	dm_reply_clear(&reply);
	if (sys == EINVAL || (!sys && loads && !*known))
		return no_target_error(err, sys, target);
	if (sys)
		return dm_call_error(err, sys, "query the device-mapper target", target);
	return MORTISE_OK;
}

enum mortise_code dm_target_version(struct dm_control *control, const char *target,
				    uint32_t version[static 3], struct mortise_error *err)
{
	bool known;
	enum mortise_code code = dm_target_query(control, target, version, &known, err);

	if (code || known)
		return code;
	return no_target_error(err, 0, target);
}
