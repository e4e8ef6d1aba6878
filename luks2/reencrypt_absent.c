/* SPDX-License-Identifier: MIT */
/* For builds without reencryption (MORTISE_REENCRYPT). */
#include "base/error.h"
#include "luks2/metadata.h"
#include "luks2/reencrypt.h"

enum mortise_code luks2_reencryption_get(struct json_object *metadata,
					 struct luks2_reencryption *state,
					 struct mortise_error *err)
{
	*state = (struct luks2_reencryption){ .keyslot = -1 };
	if (!luks2_online_reencrypt_count(metadata))
		return error_set(err, MORTISE_E_USAGE, 0, "Device is not in reencryption.");
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "the volume is in reencryption, which this build does not support; use "
			 "one with MORTISE_REENCRYPT");
}
