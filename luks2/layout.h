/* SPDX-License-Identifier: MIT */
/* Offsets and sizes on a device: header copies, keyslots area, data. */
#ifndef LUKS2_LAYOUT_H
#define LUKS2_LAYOUT_H

#include "luks2/device.h"
#include "luks2/json.h"

struct luks2_layout {
	uint64_t copy_size;	/* bytes of one header copy */
	uint64_t keyslots_size;	/* bytes */
	uint64_t data_offset;	/* bytes */
	uint32_t sector_size;	/* bytes */
};

/* The size of the part of the header's device that a format writes, in bytes. */
uint64_t luks2_layout_end(const struct luks2_layout *layout, bool attached);

/*
 * The bytes of the keyslots area if nothing requests its size: it fills the default header or, unless
 * header->grows, a smaller device. copies: bytes of both header copies.
 */
uint64_t luks2_layout_default_keyslots(const struct luks2_device *header, uint64_t copies);

/*
 * Chooses the layout for a format. header and data are the same object unless the header is
 * detached. MORTISE_E_USAGE and MORTISE_E_NO_SPACE with cryptsetup's messages. The header fits on its
 * device, which only a file with header->grows extends.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_layout_choose(const struct mortise_format *format,
							 const struct luks2_device *header,
							 const struct luks2_device *data,
							 struct luks2_layout *layout,
							 struct mortise_error *err);

/*
 * Finds the lowest gap of room bytes in the keyslots area. It is free in metadata and in on_disk,
 * the header on disk until metadata is committed: an area in use is never overwritten.
 * MORTISE_E_NO_SPACE: "No space for new keyslot."
 */
MORTISE_MUST_CHECK enum mortise_code luks2_layout_find_area(struct json_object *metadata,
							    struct json_object *on_disk,
							    uint64_t room, uint64_t *offset,
							    struct mortise_error *err);

/*
 * Finds the largest gap of the keyslots area, in units of 4096 bytes. Free as above.
 * MORTISE_E_NO_SPACE.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_layout_largest_gap(struct json_object *metadata,
							      struct json_object *on_disk,
							      uint64_t *offset, uint64_t *size,
							      struct mortise_error *err);

/*
 * Extends the keyslots area by room bytes towards the data, if these bytes of the header's device
 * belong to nothing and are zero, as a format leaves them. False: metadata is unchanged.
 */
bool luks2_layout_extend(struct json_object *metadata, const struct luks2_device *device,
			 uint64_t room);

#endif
