/* SPDX-License-Identifier: MIT */
#include "luks2/layout.h"

#include <inttypes.h>

#include "base/error.h"
#include "luks2/binary.h"
#include "luks2/metadata.h"

/* cryptsetup's defaults, bytes. */
#define ALIGNMENT_DEFAULT (1u << 20)
#define HEADER_DEFAULT	  (16u << 20) /* both copies and the keyslots area */
#define PAGE		  4096u	      /* unit of the keyslots area and of data offsets */

static uint64_t round_up(uint64_t value, uint64_t unit)
{
	return (value + unit - 1) / unit * unit;
}

static enum mortise_code check_sizes(const struct mortise_format *format, uint64_t copy_size,
				     struct mortise_error *err)
{
	if (!luks2_copy_size_valid(copy_size) || format->keyslots_size % PAGE ||
	    format->keyslots_size > LUKS2_KEYSLOTS_SIZE_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Unsupported LUKS2 metadata size options. (metadata: a power of "
				 "two from 16 KiB to 4 MiB; keyslots: a multiple of 4096 up to "
				 "128 MiB)");
	if (format->data_offset % PAGE)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Data offset is not multiple of 4096 bytes.");
	return MORTISE_OK;
}

static uint64_t choose_alignment(const struct mortise_format *format,
				 const struct luks2_device *header)
{
	if (format->data_alignment)
		return format->data_alignment;
	if (header->optimal_io && header->optimal_io % PAGE == 0)
		return round_up(ALIGNMENT_DEFAULT, header->optimal_io);
	return ALIGNMENT_DEFAULT;
}

uint64_t luks2_layout_default_keyslots(const struct luks2_device *header, uint64_t copies)
{
	if (!header->grows && header->size < HEADER_DEFAULT && header->size > copies)
		return (header->size - copies) / PAGE * PAGE;
	return HEADER_DEFAULT - copies;
}

/* The space before the data, up to the maximum, where requested is zero. */
static uint64_t choose_keyslots_size(uint64_t requested, uint64_t data_offset, uint64_t copies,
				     const struct luks2_device *header)
{
	uint64_t size = requested;

	if (!size && data_offset)
		size = data_offset - copies;
	size -= size % PAGE;
	if (size > LUKS2_KEYSLOTS_SIZE_MAX)
		size = LUKS2_KEYSLOTS_SIZE_MAX;
	if (!size)
		size = luks2_layout_default_keyslots(header, copies);
	if (data_offset && copies + size > data_offset)
		size = data_offset - copies;
	return size;
}

/* Header and data on one device. */
static enum mortise_code place_attached(const struct mortise_format *format,
					const struct luks2_device *header,
					struct luks2_layout *layout, struct mortise_error *err)
{
	uint64_t copies = 2 * layout->copy_size;

	layout->data_offset = format->data_offset;
	if ((layout->data_offset || format->data_offset_given) && layout->data_offset < copies)
		return error_set(err, MORTISE_E_USAGE, 0, "Requested data offset is too small.");
	layout->keyslots_size =
		choose_keyslots_size(format->keyslots_size, layout->data_offset, copies, header);
	if (layout->data_offset)
		return MORTISE_OK;
	layout->data_offset =
		round_up(copies + layout->keyslots_size, choose_alignment(format, header));
	/* The data begins where a physical block begins, unless an alignment is requested. */
	if (!format->data_alignment)
		layout->data_offset += header->alignment_offset;
	return MORTISE_OK;
}

/* The data offset is on another device: it limits the keyslots area, but does not set its size. */
static void place_detached(const struct mortise_format *format, const struct luks2_device *header,
			   struct luks2_layout *layout)
{
	uint64_t copies = 2 * layout->copy_size, data_offset;

	data_offset = format->data_offset_given ? format->data_offset : format->data_alignment;
	layout->data_offset = data_offset;
	layout->keyslots_size = choose_keyslots_size(format->keyslots_size, 0, copies, header);
	if (data_offset && data_offset < copies + layout->keyslots_size)
		layout->keyslots_size = data_offset > copies ? data_offset - copies : 0;
}

uint64_t luks2_layout_end(const struct luks2_layout *layout, bool attached)
{
	const uint64_t end = 2 * layout->copy_size + layout->keyslots_size;

	return attached && layout->data_offset > end ? layout->data_offset : end;
}

/* Everything that is written fits on the device, which is checked before the first write. */
static enum mortise_code check_size(const struct luks2_layout *layout,
				    const struct luks2_device *header, bool attached,
				    struct mortise_error *err)
{
	const uint64_t end = luks2_layout_end(layout, attached);

	if (!header->grows && header->size < end)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Device %s is too small. Need at least %" PRIu64 " bytes.",
				 header->path, end);
	if (!layout->keyslots_size)
		return error_set(err, MORTISE_E_USAGE, 0, "Requested data offset is too small.");
	return MORTISE_OK;
}

/* The kernel counts only whole sectors of 512 bytes of a file. */
static bool is_data_aligned(const struct luks2_layout *layout, const struct luks2_device *data,
			    uint32_t sector_size)
{
	const uint64_t size = data->size - data->size % 512;

	if (layout->data_offset % sector_size)
		return false;
	return size <= layout->data_offset || (size - layout->data_offset) % sector_size == 0;
}

/* The physical block size, up to 4096, if the data is a multiple of it. */
static uint32_t default_sector_size(const struct luks2_layout *layout,
				    const struct luks2_device *data)
{
	uint32_t size = data->physical_block > 4096 ? 4096 : data->physical_block;

	if (size < 512 || (size & (size - 1)) || !is_data_aligned(layout, data, size))
		return 512;
	return size;
}

static enum mortise_code choose_sector_size(const struct mortise_format *format,
					    const struct luks2_device *data,
					    struct luks2_layout *layout, struct mortise_error *err)
{
	uint32_t size =
		format->integrity_inline ? data->logical_block : default_sector_size(layout, data);

	if (format->sector_size)
		size = format->sector_size;

	if (size < 512 || size > 4096 || (size & (size - 1)))
		return error_set(err, MORTISE_E_USAGE, 0, "Unsupported encryption sector size.");
	if (format->integrity_inline && size != data->logical_block)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Sector must be the same as device hardware sector (%u bytes).",
				 data->logical_block);
	/* dm-integrity rounds the size of the data itself. */
	if ((!format->integrity || format->integrity_inline) &&
	    !is_data_aligned(layout, data, size))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Device size is not aligned to requested sector size.");
	layout->sector_size = size;
	return MORTISE_OK;
}

enum mortise_code luks2_layout_choose(const struct mortise_format *format,
				      const struct luks2_device *header,
				      const struct luks2_device *data, struct luks2_layout *layout,
				      struct mortise_error *err)
{
	enum mortise_code code;

	layout->copy_size = format->metadata_size ? format->metadata_size : LUKS2_COPY_SIZE_MIN;
	code = check_sizes(format, layout->copy_size, err);
	if (code)
		return code;
	if (header == data) {
		code = place_attached(format, header, layout, err);
		if (code)
			return code;
	} else {
		place_detached(format, header, layout);
	}
	code = check_size(layout, header, header == data, err);
	if (code)
		return code;
	return choose_sector_size(format, data, layout, err);
}

/* True if an area overlaps the room bytes at from. *end receives its end. */
static bool find_overlap(struct json_object *metadata, uint64_t from, uint64_t room, uint64_t *end)
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

/* The lowest offset of an area at or behind from; limit: no area follows. */
static uint64_t next_area(struct json_object *metadata, uint64_t from, uint64_t limit)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);

	json_object_object_foreach(keyslots, id, keyslot) {
		struct json_object *area = luks2_json_get(keyslot, "area", json_type_object);
		uint64_t offset;

		(void)id;
		if (luks2_json_decimal(area, "offset", &offset) && offset >= from && offset < limit)
			limit = offset;
	}
	return limit;
}

enum mortise_code luks2_layout_largest_gap(struct json_object *metadata,
					   struct json_object *on_disk, uint64_t *offset,
					   uint64_t *size, struct mortise_error *err)
{
	struct json_object *config = luks2_json_get(metadata, "config", json_type_object);
	const uint64_t limit = luks2_keyslots_end(metadata);
	uint64_t json_size = 0, at, end;

	*size = 0;
	if (!luks2_json_decimal(config, "json_size", &json_size))
		return error_set(err, MORTISE_E_CORRUPT, 0, "config: json_size is missing");
	for (at = 2 * (json_size + LUKS2_BINARY_SIZE); at + PAGE <= limit;) {
		if (find_overlap(metadata, at, PAGE, &end) ||
		    find_overlap(on_disk, at, PAGE, &end)) {
			at = round_up(end, PAGE);
			continue;
		}
		end = next_area(on_disk, at, next_area(metadata, at, limit));
		end -= end % PAGE;
		if (end - at > *size) {
			*offset = at;
			*size = end - at;
		}
		at = end + PAGE;
	}
	if (*size)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_NO_SPACE, 0, "No space for new keyslot.");
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
		if (!find_overlap(metadata, at, room, &end) &&
		    !find_overlap(on_disk, at, room, &end)) {
			*offset = at;
			return MORTISE_OK;
		}
		at = round_up(end, PAGE);
	}
	return error_set(err, MORTISE_E_NO_SPACE, 0, "No space for new keyslot.");
}

/* The first byte that a segment uses. */
static uint64_t find_data_start(struct json_object *metadata)
{
	struct json_object *segments = luks2_json_get(metadata, "segments", json_type_object);
	uint64_t start = UINT64_MAX, offset;

	json_object_object_foreach(segments, id, segment) {
		(void)id;
		if (!luks2_json_decimal(segment, "offset", &offset))
			return 0;
		if (offset < start)
			start = offset;
	}
	return start;
}

static bool is_zero(const struct luks2_device *device, uint64_t offset, uint64_t size)
{
	uint8_t page[PAGE], any = 0;

	for (uint64_t done = 0; done < size; done += PAGE) {
		if (luks2_device_read(device, page, PAGE, offset + done, NULL))
			return false;
		for (size_t i = 0; i < PAGE; i++)
			any |= page[i];
	}
	return !any;
}

bool luks2_layout_extend(struct json_object *metadata, const struct luks2_device *device,
			 uint64_t room)
{
	struct json_object *config = luks2_json_get(metadata, "config", json_type_object);
	const uint64_t end = luks2_keyslots_end(metadata), data = find_data_start(metadata);
	uint64_t size;

	return luks2_json_decimal(config, "keyslots_size", &size) && room % PAGE == 0 &&
	       size + room <= LUKS2_KEYSLOTS_SIZE_MAX && data >= end && data - end >= room &&
	       is_zero(device, end, room) &&
	       luks2_json_add(config, "keyslots_size", luks2_json_new_decimal(size + room));
}
