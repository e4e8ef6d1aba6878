/* SPDX-License-Identifier: MIT */
/* Where things lie on a device: choosing the layout, finding room for a keyslot area. */
#include "luks2/layout.h"

#include <inttypes.h>

#include "base/error.h"
#include "luks2/binary.h"
#include "luks2/validate.h"

#define ALIGNMENT_DEFAULT (1u << 20)
#define HEADER_DEFAULT	  (16u << 20) /* copies and keyslots area */
#define KEYSLOTS_SIZE_MAX (128u << 20)

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static uint32_t auto_sector_size(const struct luks2_layout *layout, const struct luks2_device *data)
{
	uint32_t size = data->physical_block;

	if (size > 4096)
		size = 4096;
	if (size < 512 || (size & (size - 1)) || layout->data_offset % size ||
	    (data->size > layout->data_offset && (data->size - layout->data_offset) % size))
		return 512;
	return size;
}

/* Zero keyslots_size and data_offset in layout mean "not given". */
static void fill_sizes(struct luks2_layout *layout, const struct luks2_device *header,
		       uint64_t alignment, bool detached)
{
	uint64_t copies = 2 * layout->copy_size;

	if (!layout->keyslots_size && layout->data_offset)
		layout->keyslots_size = layout->data_offset - copies;
	layout->keyslots_size -= layout->keyslots_size % 4096;
	if (layout->keyslots_size > KEYSLOTS_SIZE_MAX)
		layout->keyslots_size = KEYSLOTS_SIZE_MAX;
	if (!layout->keyslots_size) {
		layout->keyslots_size = HEADER_DEFAULT - copies;
		/* A file grows; a small device has to do with less. */
		if (header->block && header->size < HEADER_DEFAULT && header->size > copies)
			layout->keyslots_size = (header->size - copies) / 4096 * 4096;
	}
	if (layout->data_offset && copies + layout->keyslots_size > layout->data_offset)
		layout->keyslots_size = layout->data_offset - copies;
	if (!layout->data_offset && !detached)
		layout->data_offset = round_up(copies + layout->keyslots_size, alignment);
}

enum mortise_code luks2_layout_choose(const struct mortise_format *format,
				      const struct luks2_device *header,
				      const struct luks2_device *data, struct luks2_layout *layout,
				      struct mortise_error *err)
{
	uint64_t alignment = format->data_alignment;
	bool detached = header != data;

	layout->copy_size = format->metadata_size ? format->metadata_size : LUKS2_COPY_SIZE_MIN;
	if (!luks2_copy_size_valid(layout->copy_size) || format->keyslots_size % 4096 ||
	    format->keyslots_size > KEYSLOTS_SIZE_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Unsupported LUKS2 metadata size options. (metadata: a power of "
				 "two from 16 KiB to 4 MiB; keyslots: a multiple of 4096 up to "
				 "128 MiB)");
	layout->keyslots_size = format->keyslots_size;
	layout->data_offset = format->data_offset;
	if (layout->data_offset % 4096)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Data offset is not multiple of 4096 bytes.");
	if (detached && !format->data_offset_given)
		layout->data_offset = format->data_alignment;
	if (!detached && (layout->data_offset || format->data_offset_given) &&
	    layout->data_offset < 2 * layout->copy_size)
		return error_set(err, MORTISE_E_USAGE, 0, "Requested data offset is too small.");
	if (!alignment)
		alignment = header->optimal_io && header->optimal_io % 4096 == 0
				    ? round_up(ALIGNMENT_DEFAULT, header->optimal_io)
				    : ALIGNMENT_DEFAULT;
	/* The data offset of a detached header says nothing about the header's own device. */
	if (detached) {
		uint64_t data_offset = layout->data_offset;

		layout->data_offset = 0;
		fill_sizes(layout, header, alignment, true);
		layout->data_offset = data_offset;
		if (data_offset && data_offset < 2 * layout->copy_size + layout->keyslots_size)
			layout->keyslots_size = data_offset > 2 * layout->copy_size
							? data_offset - 2 * layout->copy_size
							: 0;
	} else {
		fill_sizes(layout, header, alignment, false);
	}
	if (header->block && header->size < 2 * layout->copy_size + layout->keyslots_size)
		return error_set(err, MORTISE_E_NO_SPACE, 0, "Device %s is too small.",
				 header->path);
	if (!layout->keyslots_size)
		return error_set(err, MORTISE_E_USAGE, 0, "Requested data offset is too small.");
	layout->sector_size =
		format->sector_size ? format->sector_size : auto_sector_size(layout, data);
	if (layout->sector_size < 512 || layout->sector_size > 4096 ||
	    (layout->sector_size & (layout->sector_size - 1)))
		return error_set(err, MORTISE_E_USAGE, 0, "Unsupported encryption sector size.");
	if (layout->data_offset % layout->sector_size ||
	    (data->size > layout->data_offset &&
	     (data->size - layout->data_offset) % layout->sector_size))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Device size is not aligned to requested sector size.");
	return MORTISE_OK;
}

/* The keyslot whose area covers or begins in [from, from + room), its end in *end. */
static bool occupied(struct json_object *metadata, uint64_t from, uint64_t room, uint64_t *end)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);

	json_object_object_foreach(keyslots, id, keyslot) {
		struct json_object *area = luks2_json_get(keyslot, "area", json_type_object);
		uint64_t offset, size;

		(void)id;
		if (luks2_json_decimal(area, "offset", &offset) &&
		    luks2_json_decimal(area, "size", &size) && offset < from + room &&
		    offset + size > from) {
			*end = offset + size;
			return true;
		}
	}
	return false;
}

enum mortise_code luks2_layout_find_area(struct json_object *metadata, struct json_object *on_disk,
					 uint64_t room, uint64_t *offset, struct mortise_error *err)
{
	struct json_object *config = luks2_json_get(metadata, "config", json_type_object);
	uint64_t json_size = 0, limit = luks2_keyslots_end(metadata), at, end;

	if (!luks2_json_decimal(config, "json_size", &json_size))
		return error_set(err, MORTISE_E_CORRUPT, 0, "config: json_size is missing");
	at = 2 * (json_size + LUKS2_BINARY_SIZE);
	while (at + room <= limit) {
		if (!occupied(metadata, at, room, &end) && !occupied(on_disk, at, room, &end)) {
			*offset = at;
			return MORTISE_OK;
		}
		at = round_up(end, 4096);
	}
	return error_set(err, MORTISE_E_NO_SPACE, 0, "No space for new keyslot.");
}
