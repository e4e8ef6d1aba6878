/* SPDX-License-Identifier: MIT */
/* Making a header. It is marked as unfinished until its first keyslot is committed. */
#ifndef LUKS2_FORMAT_H
#define LUKS2_FORMAT_H

#include "luks2/header.h"

/*
 * The mark of an unfinished format: the subsystem of both binary headers, and the first member of
 * the JSON, which is the requested subsystem. A device that holds nothing but one of these may be
 * formatted again; a header with a keyslot or a token never.
 */
#define LUKS2_UNFINISHED_SUBSYSTEM	"mortise-unfinished"
#define LUKS2_UNFINISHED_MEMBER		"mortise-unfinished"
#define LUKS2_UNFINISHED_JSON		"{\"mortise-unfinished\":"

/* True if the format was interrupted: the mark is set, and the header has no keyslot and no token. */
bool luks2_format_unfinished(const struct mortise_luks2 *header);

/*
 * Formats. device and data are the same object unless the header is detached. On success the
 * header owns device. The caller has checked the cipher, and that the devices may be overwritten.
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_format(const struct mortise_format *format, struct luks2_device *device,
	     struct luks2_device *data, struct mortise_luks2 **out, struct mortise_error *err);

/*
 * Checks cipher and key size before anything is opened or written: MORTISE_E_POLICY if the cipher is
 * neither on the list of ciphers.h nor allowed (may be NULL), or does not encrypt.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_format_check_cipher(const struct mortise_format *format,
							       const char *allowed,
							       struct mortise_error *err);

/* The size of the volume key in bytes: as requested, else the default for the cipher. */
uint32_t luks2_volume_key_size(const struct mortise_format *format);

/* Removes the mark of the unfinished format from an update. */
void luks2_format_finish(struct luks2_update *update);

#endif
