/* SPDX-License-Identifier: MIT */
/* Refreshing a live mapping: another table with the same data and other flags. */
#include "dm/dm.h"
#include "luks2/header.h"
#include "volume/activate.h"
#include "volume/flags.h"
#include "volume/live.h"

/* Flags that dm-crypt has and the library cannot change. */
#define KEPT ((uint32_t)DM_CRYPT_IV_LARGE_SECTORS)

enum mortise_code mortise_refresh(struct mortise_luks2 *header, const char *name,
				  const struct mortise_secret *volume_key, uint32_t flags,
				  uint32_t *dropped, struct mortise_error *err)
{
	const uint32_t all = volume_flags_choose(header, flags);
	struct dm_crypt_target target;
	struct luks2_segment segment;
	struct volume_live live;
	enum mortise_code code;
	uint32_t unknown = 0;
	char path[4096];

	code = volume_live_open(header, name, false, &live, err);
	if (!code)
		code = volume_check_key(header, volume_key, &segment, err);
	if (!code)
		code = dm_device_path(live.table.device, path, sizeof(path), err);
	if (code)
		goto out;
	target = volume_live_target(&live, volume_key);
	target.key = volume_key;
	target.key_description = flags & MORTISE_NO_KEYRING ? NULL : live.description;
	target.device = path;
	target.flags = volume_flags_to_dm(all) | (live.table.flags & KEPT);
	code = dm_crypt_reload(live.control, name, &target, &unknown, err);
	unknown = volume_flags_from_dm(unknown);
	if (dropped)
		*dropped = unknown;
	if (!code)
		code = volume_flags_persist(header, name, all & ~unknown, err);
out:
	volume_live_close(&live);
	return code;
}
