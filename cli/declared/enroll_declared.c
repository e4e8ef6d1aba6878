/* SPDX-License-Identifier: MIT */
/* enroll --from-config: a declared key of the volume is the authority. */
#include "cli/declared/enroll_declared.h"

#include <stdio.h>

#include "cli/declared/volumes.h"
#include "cli/print.h"

enum status enroll_unlock_declared(const struct command *c, struct mortise_luks2 **header,
				   int *keyslot)
{
	struct mortise_error err = { 0 };
	struct volumes volumes;
	enum status status = volumes_open(c, &volumes);

	if (status != STATUS_OK)
		return status;
	if (mortise_volume_unlock(volumes.config, &volumes.options, header, keyslot, &err))
		status = volumes_fail(c, &err);
	volumes_close(&volumes);
	return status;
}
