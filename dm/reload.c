/* SPDX-License-Identifier: MIT */
/* Replacing the table of a live dm-crypt mapping: another size or other options. */
#include "base/error.h"
#include "dm/crypt_table.h"
#include "dm/load.h"

/* Removes a table that was loaded, but is not live. */
static void clear_table(struct dm_control *control, const char *encoded)
{
	const struct dm_call call = { .request = DM_TABLE_CLEAR, .name = encoded };
	struct dm_reply reply;
	int ignored = dm_run(control, &call, &reply);

	(void)ignored;
	dm_reply_clear(&reply);
}

enum mortise_code dm_crypt_reload(struct dm_control *control, const char *name,
				  const struct dm_crypt_target *target, uint32_t *dropped,
				  struct mortise_error *err)
{
	struct dm_load load = { .control = control, .name = name, .target = *target };
	enum mortise_code code;
	struct dm_info info;
	int sys;

	code = dm_name_encode(name, load.encoded, err);
	if (code)
		return code;
	code = dm_crypt_target_check(target, err);
	if (code)
		return code;
	code = dm_info(control, name, &info, err);
	if (code)
		return code;
	load.readonly = info.readonly;
	code = dm_load_check(&load, false, err);
	if (code)
		return code;
	code = dm_load_table(&load, err);
	if (code)
		return code;
	if (dropped)
		*dropped = target->flags & ~load.target.flags;
	/* The kernel waits for the I/O of the old table before it replaces it. */
	sys = dm_resume(control, load.encoded, false);
	if (!sys)
		return MORTISE_OK;
	clear_table(control, load.encoded);
	return dm_call_error(err, sys, "resume mapping", name);
}
