/* SPDX-License-Identifier: MIT */
/* Refreshing a live mapping: another table with the same data and other flags. */
#include "base/error.h"
#include "dm/dm.h"
#include "luks2/header.h"
#include "volume/activate.h"
#include "volume/flags.h"
#include "volume/live.h"

/* Flags that dm-crypt has and the library cannot change. */
#define KEPT ((uint32_t)DM_CRYPT_IV_LARGE_SECTORS)

/* A plain mapping has its key in the table, and nothing else to compare with. */
static enum mortise_code check_key(struct mortise_luks2 *header, const struct volume_live *live,
				   const struct mortise_secret *key, struct mortise_error *err)
{
	struct luks2_segment segment;

	if (header)
		return volume_check_key(header, key, &segment, err);
	if (live->table.key && key && mortise_secret_equal(live->table.key, key))
		return MORTISE_OK;
	return error_set(err, MORTISE_E_KEY, 0,
			 "the key of mapping %s is another one: wrong passphrase or hash",
			 live->name);
}

enum mortise_code mortise_refresh(struct mortise_luks2 *header, const char *name,
				  const struct mortise_secret *volume_key, uint32_t flags,
				  uint32_t *dropped, struct mortise_error *err)
{
	const uint32_t all = header ? volume_flags_choose(header, flags) : flags;
	struct dm_crypt_target target;
	struct volume_live live;
	enum mortise_code code;
	uint32_t unknown = 0;
	char path[4096];

	code = volume_live_open(header, name, false, &live, err);
	if (!code)
		code = check_key(header, &live, volume_key, err);
	if (!code)
		code = dm_device_path(live.table.device, path, sizeof(path), err);
	if (code)
		goto out;
	target = volume_live_target(&live, volume_key);
	target.key = volume_key;
	target.key_description = !header || all & MORTISE_NO_KEYRING ? NULL : live.description;
	target.device = path;
	target.flags = volume_flags_to_dm(all) | (live.table.flags & KEPT);
	code = dm_crypt_reload(live.control, name, &target, &unknown, err);
	unknown = volume_flags_from_dm(unknown);
	if (dropped)
		*dropped = unknown;
	if (header && !code)
		code = volume_flags_persist(header, name, all & ~unknown, err);
out:
	volume_live_close(&live);
	return code;
}
