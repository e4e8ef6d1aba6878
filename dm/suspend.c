/* SPDX-License-Identifier: MIT */
/* Suspending a dm-crypt mapping without its key, and resuming it. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "dm/crypt_table.h"
#include "dm/load.h"

#define MESSAGE_ROOM (16u + 2 * DM_KEY_MAX) /* bytes: "key set ", the key and a NUL */

/* dm-crypt replaces the key by random bytes first, so that the cipher forgets it, too. */
static int wipe_key(struct dm_control *control, const char *encoded)
{
	static const char message[] = "key wipe";

	return dm_message(control, encoded, message, sizeof(message));
}

enum mortise_code dm_crypt_suspend(struct dm_control *control, const char *name,
				   struct mortise_error *err)
{
	char encoded[DM_NAME_LEN];
	const struct dm_call call = { .request = DM_DEV_SUSPEND,
				      .name = encoded,
				      .flags = DM_SUSPEND_FLAG };
	enum mortise_code code = dm_name_encode(name, encoded, err);
	struct dm_reply reply;
	int sys;

	if (code)
		return code;
	sys = dm_run(control, &call, &reply);
	dm_reply_clear(&reply);
	if (sys)
		return dm_call_error(err, sys, "suspend mapping", name);
	sys = wipe_key(control, encoded);
	if (!sys)
		return MORTISE_OK;
	(void)dm_resume(control, encoded, 0, false);
	return dm_call_error(err, sys, "wipe the key of mapping", name);
}

static enum mortise_code set_key(struct dm_control *control, const char *encoded,
				 const struct dm_crypt_target *target, bool keyring, int *sys,
				 struct mortise_error *err)
{
	static const char set[] = "key set ";
	const struct dm_host *host = &control->host;
	struct mortise_secret *message = NULL;
	enum mortise_code code;
	int32_t serial = 0;
	size_t used;
	char *out;

	code = mortise_secret_new(MESSAGE_ROOM, &message, err);
	if (code)
		return code;
	out = (char *)mortise_secret_writable(message);
	used = sizeof(set) - 1;
	memcpy(out, set, used);
	used += dm_crypt_put_key(out + used, target, keyring);
	*sys = keyring ? host->key_add(host->context, target->key_description, target->key, &serial)
		       : 0;
	if (!*sys) {
		*sys = dm_message(control, encoded, out, used + 1);
		/* dm-crypt has its own copy. */
		if (keyring)
			host->key_remove(host->context, serial);
	}
	mortise_secret_free(&message);
	return MORTISE_OK;
}

enum mortise_code dm_crypt_resume(struct dm_control *control, const char *name,
				  const struct dm_crypt_target *target, struct mortise_error *err)
{
	bool keyring = target->key_description && !dm_crypt_cipher_null(target->cipher);
	char encoded[DM_NAME_LEN];
	enum mortise_code code;
	int sys = 0;

	code = dm_name_encode(name, encoded, err);
	if (!code)
		code = set_key(control, encoded, target, keyring, &sys, err);
	if (!code && keyring && dm_may_be_keyring_error(sys))
		code = set_key(control, encoded, target, false, &sys, err);
	if (code)
		return code;
	if (sys)
		return dm_call_error(err, sys, "set the key of mapping", name);
	sys = dm_resume(control, encoded, 0, false);
	if (!sys)
		return MORTISE_OK;
	(void)wipe_key(control, encoded);
	return dm_call_error(err, sys, "resume mapping", name);
}
