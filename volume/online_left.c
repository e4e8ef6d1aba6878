/* SPDX-License-Identifier: MIT */
/* Online reencryption: mappings that a process has left, because it was killed. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "luks2/metadata.h"
#include "volume/activate.h"
#include "volume/online.h"

bool online_has_helper(struct dm_control *control, const struct mortise_luks2 *header,
		       const char *name, const char *suffix, struct dm_info *info)
{
	char helper[DM_UUID_MAX + 1], uuid[DM_UUID_MAX + 1];

	snprintf(helper, sizeof(helper), "%.80s%s", name, suffix);
	volume_helper_uuid(header, helper, uuid);
	return !dm_info(control, helper, info, NULL) && !strcmp(info->uuid, uuid);
}

enum mortise_code mortise_reencrypt_is_left(const struct mortise_luks2 *header, const char *name,
					    struct mortise_error *err)
{
	struct luks2_reencryption state;
	struct dm_control *control = NULL;
	struct dm_info info;
	enum mortise_code code = dm_open(&control, err);

	if (!code && (luks2_reencryption_get(luks2_header_metadata(header), &state, NULL) !=
			      MORTISE_E_USAGE ||
		      !online_has_helper(control, header, name, VOLUME_HELPER, &info)))
		code = error_set(err, MORTISE_E_INACTIVE, 0,
				 "mapping %s has no helper of a reencryption that has ended", name);
	dm_close(control);
	return code;
}

enum mortise_code online_check_overlay(struct dm_control *control,
				       const struct mortise_luks2 *header, const char *name,
				       struct mortise_error *err)
{
	struct dm_info info;

	if (!online_has_helper(control, header, name, VOLUME_OVERLAY, &info))
		return MORTISE_OK;
	return error_set(
		err, MORTISE_E_BUSY, 0,
		"cryptsetup was interrupted while it re-encrypted mapping %s, and left its "
		"own mappings; unmount and close %s, then open it, which finishes the "
		"interrupted zone",
		name, name);
}

enum mortise_code online_complete(struct continuation *run, const struct mortise_reencrypt_run *how,
				  const struct mortise_secret *passphrase,
				  struct mortise_error *err)
{
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = how->keyslot };
	struct luks2_segment parts[LUKS2_PARTS_MAX];
	unsigned count;
	enum mortise_code code =
		luks2_parts_get(luks2_header_metadata(run->header), parts, &count, err);

	if (!code && parts[0].cipher)
		code = mortise_keyslot_open(run->header, &search, passphrase, &run->old_key, NULL,
					    err);
	if (code)
		return code;
	/* All data has one form. */
	run->state.before.digest = run->state.after.digest = parts[0].digest;
	code = online_open(run, how->active_name, &run->online, err);
	if (!code)
		code = online_begin(run->online, err);
	return code ? code : online_finish(run->online, MORTISE_OK, err);
}
