/* SPDX-License-Identifier: MIT */
/* For builds without LUKS1 (MORTISE_LUKS1). */
#include "base/error.h"
#include "luks2/luks1.h"

static enum mortise_code unsupported(const char *path, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "%s: this build does not support LUKS1; use one with MORTISE_LUKS1", path);
}

enum mortise_code luks1_to_luks2(struct mortise_luks2 *header, struct mortise_error *err)
{
	return unsupported(luks2_header_device(header)->path, err);
}

enum mortise_code luks2_to_luks1(struct mortise_luks2 *header, struct mortise_error *err)
{
	return unsupported(luks2_header_device(header)->path, err);
}

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
