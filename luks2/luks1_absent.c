/* SPDX-License-Identifier: MIT */
/* For builds without LUKS1 (MORTISE_LUKS1). */
#include "base/error.h"
#include "luks2/luks1.h"

enum mortise_code luks1_header_read(struct luks2_device *device, struct mortise_luks2 **out,
				    struct mortise_error *err)
{
	uint8_t bytes[LUKS2_BINARY_SIZE] = { 0 };

	(void)out;
	if (luks2_device_read(device, bytes, sizeof(bytes), 0, NULL) ||
	    !luks2_binary_is_luks1(bytes))
		return MORTISE_E_NOT_LUKS2;
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "Device %s is LUKS1, which this build does not support; use one with "
			 "MORTISE_LUKS1",
			 device->path);
}
