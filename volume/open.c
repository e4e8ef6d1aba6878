/* SPDX-License-Identifier: MIT */
/* Loading a header, and formatting. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "luks2/format.h"
#include "luks2/policy.h"
#include "volume/kernel_cipher.h"

static enum mortise_code open_header_device(const struct mortise_location *location,
					    struct luks2_device **device, struct mortise_error *err)
{
	const char *path = location->header ? location->header : location->device;

	return luks2_device_open(path, !location->no_locks, device, err);
}

static enum mortise_code set_data_path(struct mortise_luks2 *header,
				       const struct mortise_location *location,
				       struct mortise_error *err)
{
	if (!location->header)
		return MORTISE_OK;
	return luks2_header_set_data_path(
		header, location->device ? location->device : location->header, err);
}

enum mortise_code mortise_luks2_load(const struct mortise_location *location,
				     struct mortise_luks2 **out, struct mortise_error *err)
{
	struct luks2_device *device = NULL;
	struct mortise_luks2 *header = NULL;
	enum mortise_code code;

	*out = NULL;
	code = open_header_device(location, &device, err);
	if (code)
		return code;
	code = luks2_header_read(device,
				 location->readonly ? LUKS2_MEND_NEVER : LUKS2_MEND_UNLESS_FOREIGN,
				 &header, err);
	if (code) {
		luks2_device_close(device);
		return code;
	}
	if (location->readonly)
		luks2_header_set_readonly(header);
	luks2_header_set_kernel_cipher(header, &volume_kernel_cipher);
	code = set_data_path(header, location, err);
	if (code)
		mortise_luks2_free(&header);
	else
		*out = header;
	return code;
}

enum mortise_code mortise_luks2_probe(const struct mortise_location *location,
				      struct mortise_error *err)
{
	struct mortise_location look = *location;
	struct mortise_luks2 *header = NULL;
	enum mortise_code code;

	look.readonly = true;
	code = mortise_luks2_load(&look, &header, err);
	mortise_luks2_free(&header);
	return code;
}

enum mortise_code mortise_luks2_format(const struct mortise_location *location,
				       const struct mortise_format *format,
				       struct mortise_luks2 **out, struct mortise_error *err)
{
	struct luks2_device *header = NULL, *data = NULL;
	enum mortise_code code;

	*out = NULL;
	code = open_header_device(location, &header, err);
	if (!code)
		code = luks2_device_unused(header, err);
	if (!code && location->header && location->device)
		code = luks2_device_open(location->device, false, &data, err);
	if (!code && format->cipher && !luks2_cipher_is_null(format->cipher))
		code = volume_cipher_check(data ? data : header, format->cipher,
					   luks2_volume_key_size(format), err);
	if (!code)
		code = luks2_format(format, header, data ? data : header, out, err);
	luks2_device_close(data);
	if (code) {
		luks2_device_close(header);
		return code;
	}
	luks2_header_set_kernel_cipher(*out, &volume_kernel_cipher);
	code = set_data_path(*out, location, err);
	if (code) {
		mortise_luks2_free(out);
		*out = NULL;
	}
	return code;
}
