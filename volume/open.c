/* SPDX-License-Identifier: MIT */
/* Loading a header, and formatting. */
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/sized.h"
#include "luks2/format.h"
#include "luks2/luks1.h"
#include "volume/integrity.h"
#include "volume/kernel_cipher.h"

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
	struct mortise_location where;
	struct luks2_device *device = NULL;
	struct mortise_luks2 *header = NULL;
	enum mortise_code code;

	*out = NULL;
	code = sized_input(SIZED_SINCE(mortise_location, allow_cipher), &where, location, err);
	if (code)
		return code;
	code = luks2_device_open_location(&where, &device, err);
	if (code)
		return code;
	code = where.luks1 ? luks1_header_read(device, &header, err) : MORTISE_E_NOT_LUKS2;
	if (code == MORTISE_E_NOT_LUKS2)
		code = luks2_header_read(
			device, where.readonly ? LUKS2_MEND_NEVER : LUKS2_MEND_UNLESS_FOREIGN,
			&header, err);
	if (code) {
		luks2_device_close(device);
		return code;
	}
	if (where.readonly)
		luks2_header_set_readonly(header);
	luks2_header_allow_cipher(header, where.allow_cipher);
	luks2_header_set_max_unlock(header, where.max_unlock_s);
	luks2_header_set_kernel_cipher(header, &volume_kernel_cipher);
	code = set_data_path(header, &where, err);
	if (code)
		mortise_luks2_free(&header);
	else
		*out = header;
	return code;
}

enum mortise_code mortise_luks2_probe(const struct mortise_location *location,
				      struct mortise_error *err)
{
	struct mortise_location where;
	struct luks2_device *device = NULL;
	struct mortise_luks2 *header = NULL;
	enum mortise_code code;

	code = sized_input(SIZED_SINCE(mortise_location, allow_cipher), &where, location, err);
	if (!code)
		code = luks2_device_open_location(&where, &device, err);
	if (code)
		return code;
	code = luks2_header_read(device, LUKS2_MEND_REFUSE, &header, err);
	if (code)
		luks2_device_close(device);
	mortise_luks2_free(&header);
	return code;
}

enum mortise_code mortise_luks2_format(const struct mortise_location *location,
				       const struct mortise_format *format,
				       struct mortise_luks2 **out, struct mortise_error *err)
{
	struct luks2_device *header = NULL, *data = NULL;
	struct mortise_location where;
	struct mortise_format wanted;
	enum mortise_code code;

	*out = NULL;
	code = sized_input(SIZED_SINCE(mortise_location, allow_cipher), &where, location, err);
	if (code)
		return code;
	code = sized_input(SIZED_SINCE(mortise_format, integrity), &wanted, format, err);
	if (code)
		return code;
	/* As in cryptsetup: without authentication and a stored IV, there is nothing to store. */
	if (wanted.integrity && !strcmp(wanted.integrity, "none") &&
	    !(wanted.cipher && strstr(wanted.cipher, "-random")))
		wanted.integrity = NULL;
	code = luks2_format_check_cipher(&wanted, where.allow_cipher, err);
	if (code)
		return code;
	code = luks2_device_open_location(&where, &header, err);
	if (!code)
		code = luks2_device_unused(header, err);
	if (!code && where.header && where.device)
		code = luks2_device_open(where.device, false, &data, err);
	if (!code && data && wanted.integrity)
		code = luks2_device_unused(data, err);
	if (!code && wanted.integrity)
		code = volume_integrity_check(data ? data : header, &wanted, err);
	else if (!code && wanted.cipher)
		code = volume_cipher_check(data ? data : header, wanted.cipher,
					   luks2_volume_key_size(&wanted), NULL, 0, err);
	if (!code)
		code = luks2_format(&wanted, header, data ? data : header, out, err);
	luks2_device_close(data);
	if (code) {
		luks2_device_close(header);
		return code;
	}
	luks2_header_allow_cipher(*out, where.allow_cipher);
	luks2_header_set_kernel_cipher(*out, &volume_kernel_cipher);
	code = set_data_path(*out, &where, err);
	if (!code)
		code = volume_integrity_format(*out, wanted.integrity_legacy_padding, err);
	if (code) {
		mortise_luks2_free(out);
		*out = NULL;
	}
	return code;
}
