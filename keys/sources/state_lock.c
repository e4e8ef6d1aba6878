/* SPDX-License-Identifier: MIT */
/* The lock to STATE: a key of any kind that works only with the salt stored in STATE. */
#include <string.h>

#include "keys/sources/sources.h"

enum mortise_code keys_lock_to_state(const struct mortise_secret *inner,
				     const uint8_t salt[static KEYS_STATE_SALT_SIZE],
				     struct mortise_secret **out, struct mortise_error *err)
{
	const size_t size = mortise_secret_size(inner);
	enum mortise_code code;

	code = mortise_secret_new(size + KEYS_STATE_SALT_SIZE, out, err);
	if (code)
		return code;
	memcpy(mortise_secret_writable(*out), mortise_secret_data(inner), size);
	memcpy(mortise_secret_writable(*out) + size, salt, KEYS_STATE_SALT_SIZE);
	return MORTISE_OK;
}
