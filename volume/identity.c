/* SPDX-License-Identifier: MIT */
/* The identity of an encrypted volume, as systemd-cryptsetup measures it. */
#include "volume/identity.h"

#include <string.h>

#include "base/error.h"
#include "base/secret.h"
#include "keys/hash.h"

/*
 * systemd escapes these characters in the name. The names of declared volumes contain none of
 * them.
 */
static bool is_plain(const char *name)
{
	for (const char *at = name; *at; at++) {
		if (*at <= ' ' || *at > '~' || *at == ':' || *at == '\\')
			return false;
	}
	return *name;
}

enum mortise_code volume_identity(const struct mortise_luks2 *header, const char *mapping,
				  uint8_t identity[static VOLUME_IDENTITY_SIZE],
				  struct mortise_error *err)
{
	return volume_identity_of(header, luks2_header_volume_key(header), mapping, identity, err);
}

enum mortise_code volume_identity_of(const struct mortise_luks2 *header,
				     const struct mortise_secret *key, const char *mapping,
				     uint8_t identity[static VOLUME_IDENTITY_SIZE],
				     struct mortise_error *err)
{
	const char *uuid = luks2_header_uuid(header);
	const struct keys_bytes part[] = {
		{ "cryptsetup:", strlen("cryptsetup:") },
		{ mapping, strlen(mapping) },
		{ ":", 1 },
		{ uuid, strlen(uuid) },
	};

	if (!key)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot compute the identity of a volume that is not open");
	if (!is_plain(mapping))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot compute the identity of a volume with this mapping name");
	return keys_hmac_sha256(
		(struct keys_bytes){ mortise_secret_data(key), mortise_secret_size(key) }, part,
		sizeof(part) / sizeof(part[0]), identity, err);
}
