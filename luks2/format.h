/* SPDX-License-Identifier: MIT */
/* Making a header. It is marked as unfinished until its first keyslot is committed. */
#ifndef LUKS2_FORMAT_H
#define LUKS2_FORMAT_H

#include "luks2/header.h"

/*
 * While a device is being formatted both binary headers carry this subsystem, and the JSON
 * begins with LUKS2_UNFINISHED_JSON: whoever finds either, and nothing else, may begin again.
 */
#define LUKS2_UNFINISHED_SUBSYSTEM	"mortise-unfinished"
#define LUKS2_UNFINISHED_MEMBER		"mortise-unfinished"
#define LUKS2_UNFINISHED_JSON		"{\"mortise-unfinished\":"

/* Is this a header whose format was cut off before it had a keyslot? */
bool luks2_format_unfinished(const struct mortise_luks2 *header);

/*
 * Formats. header and data are the same object unless detached; header is taken over on
 * success. The caller has made sure that the devices may be overwritten.
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_format(const struct mortise_format *format, struct luks2_device *device,
	     struct luks2_device *data, struct mortise_luks2 **out, struct mortise_error *err);

/* Bytes of the volume key that a format asks for, or its cipher's default. */
uint32_t luks2_volume_key_size(const struct mortise_format *format);

/* Takes the mark of the unfinished format out of an update. */
void luks2_format_finish(struct luks2_update *update);

#endif
