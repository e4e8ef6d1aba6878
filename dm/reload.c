/* SPDX-License-Identifier: MIT */
/* Replacing the table of a live dm-crypt mapping, and making its I/O wait. */
#include "base/error.h"
#include "dm/crypt_table.h"
#include "dm/load.h"

/* No file system is frozen, and no cached data is written: that could wait for the mapping itself. */
#define UNFROZEN ((uint32_t)(DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG))

/* Removes a table that was loaded, but is not live. */
static void clear_table(struct dm_control *control, const char *encoded)
{
	const struct dm_call call = { .request = DM_TABLE_CLEAR, .name = encoded };
	struct dm_reply reply;
	int ignored = dm_run(control, &call, &reply);

	(void)ignored;
	dm_reply_clear(&reply);
}

/* flags: of DM_DEV_SUSPEND. */
static enum mortise_code reload(struct dm_load *load, uint32_t flags, bool hidden,
				struct mortise_error *err)
{
	enum mortise_code code;
	struct dm_info info;
	int sys;

	code = dm_name_encode(load->name, load->encoded, err);
	if (!code)
		code = dm_crypt_targets_check(load->target, err);
	if (!code)
		code = dm_info(load->control, load->name, &info, err);
	if (code)
		return code;
	load->readonly = info.readonly;
	code = dm_load_check(load, false, err);
	if (!code)
		code = dm_load_table(load, err);
	if (code)
		return code;
	/* The kernel waits for the I/O of the old table before it replaces it. */
	sys = dm_resume(load->control, load->encoded, flags, hidden);
	if (!sys)
		return MORTISE_OK;
	clear_table(load->control, load->encoded);
	return dm_call_error(err, sys, "resume mapping", load->name);
}

enum mortise_code dm_crypt_reload(struct dm_control *control, const char *name,
				  const struct dm_crypt_target *target, uint32_t *dropped,
				  struct mortise_error *err)
{
	struct dm_load load = { .control = control, .name = name, .target = target };
	enum mortise_code code = reload(&load, 0, false, err);

	if (dropped && !code)
		*dropped = load.omitted;
	return code;
}

enum mortise_code dm_crypt_switch(struct dm_control *control, const char *name,
				  const struct dm_crypt_target *target, bool hidden,
				  struct mortise_error *err)
{
	struct dm_load load = { .control = control, .name = name, .target = target };

	return reload(&load, UNFROZEN, hidden, err);
}

static enum mortise_code set_held(struct dm_control *control, const char *name, bool held,
				  struct mortise_error *err)
{
	char encoded[DM_NAME_LEN];
	enum mortise_code code = dm_name_encode(name, encoded, err);
	int sys;

	if (code)
		return code;
	sys = dm_resume(control, encoded, held ? DM_SUSPEND_FLAG | UNFROZEN : 0, true);
	return sys ? dm_call_error(err, sys, held ? "suspend mapping" : "resume mapping", name)
		   : MORTISE_OK;
}

enum mortise_code dm_hold(struct dm_control *control, const char *name, struct mortise_error *err)
{
	return set_held(control, name, true, err);
}

enum mortise_code dm_release(struct dm_control *control, const char *name,
			     struct mortise_error *err)
{
	return set_held(control, name, false, err);
}
