/* SPDX-License-Identifier: MIT */
/* Suspending a mapping so that the kernel forgets its key, and resuming it. */
#include <string.h>

#include "base/error.h"
#include "luks2/header.h"
#include "volume/activate.h"
#include "volume/live.h"

/* The header is not needed, which may be detached: the UUID says whether it can be resumed. */
enum mortise_code mortise_suspend(const char *name, struct mortise_error *err)
{
	static const char prefix[] = "CRYPT-LUKS";
	struct dm_crypt_table table = { 0 };
	struct dm_control *control = NULL;
	enum mortise_code code;
	struct dm_info info = { .suspended = false };

	code = dm_open(&control, err);
	if (!code)
		code = dm_info(control, name, &info, err);
	if (!code && strncmp(info.uuid, prefix, sizeof(prefix) - 1))
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "This operation is supported only for LUKS device.");
	if (!code && info.suspended)
		code = error_set(err, MORTISE_E_USAGE, 0, "Volume %s is already suspended.", name);
	if (!code)
		code = dm_crypt_table(control, name, &table, err);
	if (!code)
		code = dm_crypt_suspend(control, name, err);
	dm_crypt_table_clear(&table);
	dm_close(control);
	return code;
}

enum mortise_code mortise_resume(struct mortise_luks2 *header, const char *name,
				 const struct mortise_secret *volume_key, uint32_t flags,
				 struct mortise_error *err)
{
	struct dm_crypt_target target;
	struct luks2_segment segment;
	struct volume_live live;
	enum mortise_code code;

	code = volume_live_open(header, name, true, &live, err);
	if (!code)
		code = volume_check_key(header, volume_key, &segment, err);
	if (!code) {
		target = volume_live_target(&live, NULL);
		target.key = volume_key;
		if (luks2_header_is_luks1(header))
			flags |= MORTISE_NO_KEYRING;
		target.key_description = flags & MORTISE_NO_KEYRING ? NULL : live.description;
		code = dm_crypt_resume(live.control, name, &target, err);
	}
	volume_live_close(&live);
	return code;
}
