/* SPDX-License-Identifier: MIT */
#include "volume/header_place.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/secret.h"
#include "luks2/area.h"

#define PIECE	   (256u << 10) /* bytes copied at once */
#define SECTOR	   512u		/* bytes: a cut leaves each one old or new */

#define HEADER_MAX ((8 + 128) << 20) /* bytes: two copies and the keyslots area */

static uint64_t used_end(struct json_object *metadata, uint64_t copies)
{
	struct json_object *keyslots = luks2_json_get(metadata, "keyslots", json_type_object);
	uint64_t used = copies, offset, size;

	json_object_object_foreach(keyslots, id, keyslot) {
		struct json_object *area = luks2_json_get(keyslot, "area", json_type_object);

		(void)id;
		if (luks2_json_decimal(area, "offset", &offset) &&
		    luks2_json_decimal(area, "size", &size) && offset + size > used)
			used = offset + size;
	}
	return used;
}

/*
 * Behind the data there is the space of the header, which the first zone overwrites. If the data is
 * smaller than that space, the header's place reaches into it; then what was moved leaves room at the
 * end of the device.
 */
enum mortise_code header_place_find(const struct mortise_luks2 *header, struct header_place *place,
				    struct mortise_error *err)
{
	struct json_object *metadata = luks2_header_metadata(header);
	struct luks2_reencryption *state = &place->state;
	enum mortise_code code = luks2_reencryption_get(metadata, state, err);

	if (code)
		return code;
	if (state->mode != MORTISE_ENCRYPT || !state->moved_size || !state->whole)
		return error_set(err, MORTISE_E_USAGE, 0, "no encryption has just begun");
	place->copies = 2 * luks2_header_binary(header)->copy_size;
	place->used = used_end(metadata, place->copies);
	place->end = luks2_keyslots_end(metadata);
	place->spare = state->old_size >= state->shift ? state->old_size
						       : state->moved_offset + state->moved_size;
	if (place->end <= state->after.offset &&
	    (state->old_size >= state->shift || place->used <= state->shift - state->old_size))
		return MORTISE_OK;
	return error_set(err, MORTISE_E_NO_SPACE, 0, "Device %s is too small.",
			 luks2_header_data_path(header));
}

enum mortise_code header_place_copy(const struct luks2_device *source, uint64_t from,
				    const struct luks2_device *target, uint64_t to, uint64_t size,
				    struct mortise_error *err)
{
	uint8_t *bytes = malloc(PIECE);
	enum mortise_code code = bytes ? MORTISE_OK : error_memory(err);

	for (uint64_t at = 0; !code && at < size; at += PIECE) {
		const size_t now = size - at < PIECE ? (size_t)(size - at) : PIECE;

		code = luks2_device_read(source, bytes, now, from + at, err);
		if (!code)
			code = luks2_device_write(target, bytes, now, to + at, err);
	}
	if (bytes)
		secret_wipe(bytes, PIECE);
	free(bytes);
	return code ? code : luks2_device_flush(target, err);
}

/*
 * The first copy comes first: from then on the device has a header, and no program takes it for the
 * file system that it held.
 */
static enum mortise_code write_front(const struct luks2_device *device,
				     const struct header_place *place, struct mortise_error *err)
{
	const uint64_t copy = place->copies / 2;
	enum mortise_code code = header_place_copy(device, place->spare, device, 0, copy, err);

	if (!code)
		code = header_place_copy(device, place->spare + copy, device, copy,
					 place->used - copy, err);
	if (!code && place->end > place->used)
		code = luks2_area_wipe(device, place->used, place->end - place->used, NULL, err);
	return code;
}

enum mortise_code header_place(const struct mortise_luks2 *header, struct luks2_device *device,
			       struct mortise_error *err)
{
	const struct luks2_device *file = luks2_header_device(header);
	struct header_place place;
	enum mortise_code code = header_place_find(header, &place, err);

	if (!code)
		code = luks2_device_writable(device, err);
	if (!code)
		code = header_place_copy(file, place.copies, device, place.spare + place.copies,
					 place.used - place.copies, err);
	if (!code)
		code = header_place_copy(device, place.state.before.offset, device,
					 place.state.moved_offset, place.state.moved_size, err);
	/* Last: a second header proves that the data has been moved. */
	if (!code)
		code = header_place_copy(file, 0, device, place.spare, place.copies, err);
	return code ? code : write_front(device, &place, err);
}

enum mortise_code header_place_file(int *fd, char path[static HEADER_FILE_ROOM],
				    struct mortise_error *err)
{
	*fd = memfd_create("header", MFD_CLOEXEC);
	if (*fd < 0)
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot create a file in memory");
	snprintf(path, HEADER_FILE_ROOM, "/proc/self/fd/%d", *fd);
	return MORTISE_OK;
}

/* --- after a cut --- */

/* The copies of a header, size bytes at an offset, as a header in memory. */
static enum mortise_code read_copies(const struct luks2_device *device, uint64_t offset,
				     uint64_t size, struct mortise_luks2 **out,
				     struct mortise_error *err)
{
	struct luks2_device *file = NULL;
	struct mortise_error ignored;
	char path[HEADER_FILE_ROOM];
	enum mortise_code code;
	int fd;

	code = header_place_file(&fd, path, err);
	if (code)
		return code;
	if (ftruncate(fd, HEADER_MAX))
		code = error_set(err, MORTISE_E_SYSTEM, errno, "cannot extend a file in memory");
	if (!code)
		code = luks2_device_open(path, false, &file, err);
	if (!code)
		code = luks2_device_writable(file, err);
	if (!code)
		code = header_place_copy(device, offset, file, 0, size, err);
	if (!code && !luks2_header_read(file, LUKS2_MEND_NEVER, out, &ignored)) {
		file = NULL;
		code = luks2_header_set_data_path(*out, device->path, err);
	}
	luks2_device_close(file);
	close(fd);
	if (code)
		mortise_luks2_free(out);
	return code;
}

/* The header at an offset. *out NULL: the offset has none. */
static enum mortise_code read_spare(const struct luks2_device *device, uint64_t offset,
				    struct mortise_luks2 **out, struct mortise_error *err)
{
	uint8_t start[SECTOR];
	uint64_t copy = 0;
	enum mortise_code code = luks2_device_read(device, start, sizeof(start), offset, err);

	*out = NULL;
	/* The size of a copy follows magic and version. */
	for (unsigned i = 8; !code && i < 16; i++)
		copy = copy << 8 | start[i];
	if (code || memcmp(start, "LUKS\xba\xbe", 6) != 0 || copy < 16384 || copy > 4u << 20 ||
	    2 * copy > device->size - offset)
		return code;
	return read_copies(device, offset, 2 * copy, out, err);
}

/* What the sectors at the start of the device hold. */
struct front {
	bool old; /* data that was moved */
	bool new; /* the header */
	bool other;
};

static enum mortise_code compare_front(const struct luks2_device *device,
				       const struct header_place *place, struct front *front,
				       struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	uint8_t now[SECTOR], moved[SECTOR], spare[SECTOR];

	*front = (struct front){ .other = false };
	for (uint64_t at = 0; !code && at < place->state.moved_size; at += SECTOR) {
		bool old, new = false;

		code = luks2_device_read(device, now, SECTOR, at, err);
		if (!code)
			code = luks2_device_read(device, moved, SECTOR,
						 place->state.moved_offset + at, err);
		if (!code && at < place->used)
			code = luks2_device_read(device, spare, SECTOR, place->spare + at, err);
		old = !memcmp(now, moved, SECTOR);
		if (at < place->used)
			new = !memcmp(now, spare, SECTOR);
		front->old |= old && !new;
		front->new |= new && !old;
		/* The unused part of the keyslots area is overwritten last, with random bytes. */
		front->other |= !old && !new && (at < place->used || at >= place->end);
	}
	secret_wipe(moved, sizeof(moved));
	secret_wipe(now, sizeof(now));
	return code;
}

enum mortise_code header_place_resume(struct luks2_device *device, uint64_t shift, bool *done,
				      struct mortise_error *err)
{
	const uint64_t size = device->size;
	struct mortise_luks2 *header = NULL;
	struct mortise_error ignored;
	struct header_place place;
	struct front front;
	enum mortise_code code = MORTISE_OK;

	*done = false;
	/* The unit of zones, up to 4096 bytes, decides where the data ends. */
	for (uint32_t unit = SECTOR; !code && !header && unit <= 4096; unit *= 2) {
		const uint64_t end = size - size % unit;

		if (shift >= SECTOR && end / 2 > shift)
			code = read_spare(device,
					  end - 2 * shift >= shift ? end - 2 * shift
								   : 2 * (end - 2 * shift) + shift,
					  &header, err);
	}
	if (code || !header)
		return code;
	if (header_place_find(header, &place, &ignored) || place.state.shift != shift ||
	    place.state.moved_offset + place.state.moved_size > size)
		goto out;
	code = compare_front(device, &place, &front, err);
	if (code || !front.new)
		goto out;
	if (front.other)
		code = error_set(err, MORTISE_E_CHANGED, 0,
				 "%s has changed since its encryption was interrupted while it "
				 "began; to begin again, overwrite the header at byte %" PRIu64,
				 device->path, place.spare);
	if (!code)
		code = luks2_device_writable(device, err);
	if (!code)
		code = write_front(device, &place, err);
	*done = !code;
out:
	mortise_luks2_free(&header);
	return code;
}

enum mortise_code header_place_complete(const struct mortise_luks2 *header,
					struct mortise_error *err)
{
	struct luks2_device *device = NULL;
	struct mortise_luks2 *spare = NULL;
	struct mortise_error ignored;
	struct header_place place;
	enum mortise_code code;

	if (header_place_find(header, &place, &ignored))
		return MORTISE_OK;
	code = luks2_device_open(luks2_header_data_path(header), false, &device, err);
	if (!code && place.spare < device->size)
		code = read_spare(device, place.spare, &spare, err);
	if (!code && spare && luks2_header_equal(header, spare))
		code = luks2_device_writable(device, err);
	else
		goto out;
	if (!code)
		code = write_front(device, &place, err);
out:
	mortise_luks2_free(&spare);
	luks2_device_close(device);
	return code;
}
