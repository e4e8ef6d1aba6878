/* SPDX-License-Identifier: MIT */
/* Beginning to encrypt a device whose data is plain, in place. */
#include <unistd.h>

#include "base/error.h"
#include "base/sized.h"
#include "luks2/layout.h"
#include "volume/filesystem.h"
#include "volume/header_place.h"
#include "volume/reencrypt_begin.h"

#define METADATA_SIZE 16384u	   /* bytes of a header copy by default */
#define KEYSLOTS_MAX  (128u << 20) /* bytes that the format allows */
#define AREA_UNIT     4096u	   /* bytes */

/* Formats a header, and records in it that the encryption begins. */
static enum mortise_code make_header(const struct mortise_location *location,
				     const struct mortise_format *format,
				     const struct mortise_encrypt_new *what,
				     struct mortise_luks2 **out, struct mortise_error *err)
{
	struct reencrypt_beginning beginning = {
		.what = { .mode = MORTISE_ENCRYPT,
			  .resilience = what->resilience,
			  .resilience_hash = what->resilience_hash,
			  .device_size = what->device_size },
		.shifts = !!what->reduction,
	};
	enum mortise_code code = mortise_luks2_format(location, format, out, err);

	if (!code)
		code = what->fill(what->context, *out, err);
	if (!code)
		code = reencrypt_stage(*out, &beginning, err);
	if (!code)
		code = luks2_update_commit(&beginning.update, err);
	reencrypt_beginning_clear(&beginning);
	return code;
}

/* The header and as much free space take the reduction. */
static enum mortise_code fit_header(const struct luks2_device *device, uint64_t reduction,
				    struct mortise_format *format, struct mortise_error *err)
{
	const uint64_t shift = reduction / 2;
	const uint64_t copies = 2 * (format->metadata_size ? format->metadata_size : METADATA_SIZE);

	if (reduction % (2 * 512) || shift < copies + AREA_UNIT)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot reduce %s by %llu bytes: half of it holds the header, and "
				 "is a multiple of 512 bytes",
				 device->path, (unsigned long long)reduction);
	if (device->size <= reduction)
		return error_set(err, MORTISE_E_NO_SPACE, 0, "Device %s is too small.",
				 device->path);
	format->data_offset = shift;
	format->data_offset_given = true;
	if (!format->keyslots_size)
		format->keyslots_size = (shift - copies) / AREA_UNIT * AREA_UNIT;
	if (format->keyslots_size > KEYSLOTS_MAX)
		format->keyslots_size = KEYSLOTS_MAX;
	if (format->keyslots_size > shift - copies)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "LUKS2 metadata size is larger than data shift value.");
	return filesystem_check_fits(device, device->size - reduction, err);
}

/* *fd: the file in memory that path names, to be closed also after an error; -1: none. */
static enum mortise_code make_in_memory(const struct mortise_location *location,
					struct mortise_format *format,
					const struct mortise_encrypt_new *what, int *fd,
					char path[static HEADER_FILE_ROOM],
					struct mortise_luks2 **header, struct mortise_error *err)
{
	struct mortise_location in_memory = *location;
	enum mortise_code code = header_place_file(fd, path, err);

	if (code) {
		*fd = -1;
		return code;
	}
	in_memory.header = path;
	in_memory.no_locks = true;
	return make_header(&in_memory, format, what, header, err);
}

/* The header is made in memory, because its place on the device holds data. */
static enum mortise_code make_and_place(const struct mortise_location *location,
					struct mortise_format *format,
					const struct mortise_encrypt_new *what,
					struct luks2_device *device, struct mortise_error *err)
{
	struct mortise_luks2 *header = NULL;
	char path[HEADER_FILE_ROOM];
	int fd;
	enum mortise_code code = make_in_memory(location, format, what, &fd, path, &header, err);

	if (!code)
		code = header_place(header, device, err);
	mortise_luks2_free(&header);
	if (fd >= 0)
		close(fd);
	return code;
}

/* The size that mortise_luks2_format() would choose on the device. */
static void fit_keyslots(struct luks2_device *device, struct mortise_format *format)
{
	const uint64_t copies = 2 * (format->metadata_size ? format->metadata_size : METADATA_SIZE);

	device->grows = luks2_device_is_blank(device);
	if (!format->keyslots_size)
		format->keyslots_size = luks2_layout_default_keyslots(device, copies);
}

/*
 * The device or file of the header gets it complete, with the record that the encryption begins. With a
 * header that does not say so, plain data would count as encrypted.
 */
static enum mortise_code begin_detached(const struct mortise_location *location,
					struct mortise_format *format,
					const struct mortise_encrypt_new *what,
					struct mortise_luks2 **out, struct mortise_error *err)
{
	char path[HEADER_FILE_ROOM];
	const struct mortise_restore how = { .struct_size = sizeof(how),
					     .file = path,
					     .allow = ~(uint32_t)MORTISE_RESTORE_IN_USE };
	struct mortise_luks2 *header = NULL;
	struct luks2_device *device;
	int fd;
	enum mortise_code code = luks2_device_open_location(location, &device, err);

	if (code)
		return code;
	code = luks2_device_unused(device, err);
	if (!code)
		code = luks2_device_writable(device, err);
	fit_keyslots(device, format);
	luks2_device_close(device);
	if (code)
		return code;
	code = make_in_memory(location, format, what, &fd, path, &header, err);
	mortise_luks2_free(&header);
	if (!code)
		code = mortise_header_restore(location, &how, NULL, err);
	if (fd >= 0)
		close(fd);
	return code ? code : mortise_luks2_load(location, out, err);
}

static enum mortise_code begin_attached(const struct mortise_location *location,
					struct mortise_format *format,
					const struct mortise_encrypt_new *what,
					struct mortise_luks2 **out, struct mortise_error *err)
{
	struct luks2_device *device;
	bool done = false;
	enum mortise_code code = luks2_device_open_location(location, &device, err);

	if (code)
		return code;
	code = luks2_device_unused(device, err);
	if (!code)
		code = header_place_resume(device, what->reduction / 2, &done, err);
	if (!code && !done)
		code = fit_header(device, what->reduction, format, err);
	if (!code && !done)
		code = make_and_place(location, format, what, device, err);
	luks2_device_close(device);
	return code ? code : mortise_luks2_load(location, out, err);
}

enum mortise_code mortise_encrypt_begin(const struct mortise_location *location,
					const struct mortise_format *format,
					const struct mortise_encrypt_new *what,
					struct mortise_luks2 **out, struct mortise_error *err)
{
	struct mortise_encrypt_new wanted;
	struct mortise_location where;
	struct mortise_format form;
	enum mortise_code code;

	*out = NULL;
	code = sized_input(SIZED_SINCE(mortise_location, allow_cipher), &where, location, err);
	if (!code)
		code = sized_input(SIZED_SINCE(mortise_format, integrity), &form, format, err);
	if (!code)
		code = sized_input(SIZED(mortise_encrypt_new), &wanted, what, err);
	if (code)
		return code;
	where.struct_size = sizeof(where);
	form.struct_size = sizeof(form);
	/* Larger sectors than the blocks of the file system would make it unusable. */
	if (!form.sector_size)
		form.sector_size = 512;
	if (!where.header && !wanted.reduction)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Encryption without detached header (--header) is not possible "
				 "without data device size reduction (--reduce-device-size).");
	if (!where.header)
		return begin_attached(&where, &form, &wanted, out, err);
	/* The data does not move: a header on another device needs no room here. */
	wanted.reduction = 0;
	return begin_detached(&where, &form, &wanted, out, err);
}
