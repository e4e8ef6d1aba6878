/* SPDX-License-Identifier: MIT */
/* Which version of a target the kernel runs, loading its module on the way. */
#include "dm/control.h"
#include "base/error.h"

#include <errno.h>
#include <stddef.h>
#include <string.h>

#define NAME_AT offsetof(struct dm_target_versions, name)

/* Walks struct dm_target_versions: next counts from the record itself, 0 ends the list. */
static bool find(const struct dm_reply *reply, const char *target, uint32_t version[static 3])
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

static enum mortise_code no_target(struct mortise_error *err, int sys, const char *target)
{
	return dm_with_errno(
		err, sys,
		error_set(err, MORTISE_E_KERNEL, 0,
			  "The kernel has no device-mapper target \"%s\". Load its module "
			  "(modprobe dm-%s), or use a kernel that has it.",
			  target, target));
}

enum mortise_code dm_target_ask(struct dm_control *control, const char *target,
				uint32_t version[static 3], bool *known, struct mortise_error *err)
{
	struct dm_call call = { .request = DM_GET_TARGET_VERSION, .name = target };
	struct dm_reply reply;
	bool loads;
	int sys;

	*known = false;
	/* Loads the module; Linux 5.4. */
	sys = dm_run(control, &call, &reply);
	loads = sys != ENOTTY;
	if (!loads) {
		dm_reply_clear(&reply);
		call = (struct dm_call){ .request = DM_LIST_VERSIONS };
		sys = dm_run(control, &call, &reply);
	}
	if (!sys)
		*known = find(&reply, target, version);
	dm_reply_clear(&reply);
	if (sys == EINVAL || (!sys && loads && !*known))
		return no_target(err, sys, target);
	if (sys)
		return dm_call_failed(err, sys, "ask for the device-mapper target", target);
	return MORTISE_OK;
}

enum mortise_code dm_target_version(struct dm_control *control, const char *target,
				    uint32_t version[static 3], struct mortise_error *err)
{
	bool known;
	enum mortise_code code = dm_target_ask(control, target, version, &known, err);

	if (code || known)
		return code;
	return no_target(err, 0, target);
}
