/* SPDX-License-Identifier: MIT */
#include "luks2/derive.h"

#include "luks2/private.h"

enum mortise_code luks2_derive(const struct mortise_luks2 *header,
			       const struct luks2_derivation *how,
			       const struct mortise_secret *passphrase, struct mortise_secret *key,
			       struct mortise_error *err)
{
	uint64_t memory = keys_kdf_memory(how->kdf);
	enum mortise_code code;

	if (header->limiter.enter)
		header->limiter.enter(header->limiter.context, memory);
	code = keys_kdf_fits(how->kdf, how->who, err);
	if (!code && how->limited)
		code = keys_kdf_check_time(how->kdf, luks2_header_max_unlock(header), how->who,
					   &header->device->events, err);
	if (!code)
		code = keys_kdf_derive(how->kdf, &header->device->events, passphrase, how->salt,
				       mortise_secret_writable(key), mortise_secret_size(key), err);
	if (header->limiter.leave)
		header->limiter.leave(header->limiter.context, memory);
	return code;
}
