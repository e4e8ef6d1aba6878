/* SPDX-License-Identifier: MIT */
#include "volume/hotzone_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/secret.h"
#include "luks2/metadata.h"

#define SUMS_MAX (128u << 20) /* bytes: the largest keyslots area */

uint64_t hotzone_guarded(const struct luks2_reencryption *state, enum luks2_guard guard)
{
	switch (guard) {
	case LUKS2_GUARD_CHECKSUM:
		return state->area_size / keys_hash_size(state->hash) * state->block_size;
	case LUKS2_GUARD_JOURNAL:
		return state->area_size;
	case LUKS2_GUARD_SHIFT:
		return state->shift;
	default:
		return 0;
	}
}

/* --- whole zones, which may be larger than the buffer --- */

static size_t piece_size(const struct hotzone *hotzone, const struct luks2_zone *zone,
			 uint64_t done)
{
	const uint64_t left = zone->length - done;

	return left < hotzone->room ? (size_t)left : hotzone->room;
}

static size_t sums_size(const struct hotzone *hotzone, uint64_t length)
{
	return (size_t)(length / hotzone->fixed.block_size * hotzone->sum_size);
}

/* The work on the piece of a zone that begins at byte done: reading it. */
static struct hotzone_work work_on(struct hotzone *hotzone, struct hotzone_buffer *buffer,
				   const struct luks2_zone *zone, uint64_t done)
{
	struct hotzone_work work = { .hotzone = hotzone,
				     .buffer = buffer,
				     .start = zone->offset + done,
				     .done = done,
				     .read = true };

	work.job.size = piece_size(hotzone, zone, done);
	work.job.slice = hotzone_prepare_slice;
	if (buffer->used < work.job.size)
		buffer->used = work.job.size;
	return work;
}

static enum luks2_guard guard_of(const struct hotzone *hotzone, const struct luks2_zone *zone)
{
	return luks2_guard_of(&hotzone->fixed, zone);
}

/* Is it converted in memory before it is written? Else it is read again, in pieces. */
static bool is_whole(const struct hotzone *hotzone, const struct luks2_zone *zone)
{
	return zone->length <= hotzone->room;
}

void hotzone_read_ahead(struct hotzone *hotzone, const struct luks2_zone *zone)
{
	const enum luks2_guard guard = guard_of(hotzone, zone);

	if (hotzone->ahead.length || !is_whole(hotzone, zone))
		return;
	hotzone->ahead = *zone;
	hotzone->reading = work_on(hotzone, hotzone->next, zone, 0);
	if (guard == LUKS2_GUARD_CHECKSUM)
		hotzone->reading.sums = hotzone->next->sums;
	/* The journal still holds the previous zone: this one is copied there before it is converted. */
	hotzone->reading.convert = guard != LUKS2_GUARD_JOURNAL;
	pool_start(hotzone->pool, &hotzone->reading.job);
}

/* Is the zone in the buffer, because it was read ahead? After an error it is read again. */
static bool was_read(struct hotzone *hotzone, const struct luks2_zone *zone)
{
	struct hotzone_buffer *buffer = hotzone->next;
	const bool wanted = zone && zone->offset == hotzone->ahead.offset &&
			    zone->length == hotzone->ahead.length;

	if (!hotzone->ahead.length)
		return false;
	hotzone->ahead.length = 0;
	if (pool_wait(hotzone->pool, !wanted, NULL) || !wanted)
		return false;
	hotzone->next = hotzone->now;
	hotzone->now = buffer;
	return true;
}

enum mortise_code hotzone_protect(struct hotzone *hotzone, const struct luks2_zone *zone,
				  struct mortise_error *err)
{
	const bool read = was_read(hotzone, zone), whole = is_whole(hotzone, zone);
	const enum luks2_guard guard = guard_of(hotzone, zone);
	const bool journal = guard == LUKS2_GUARD_JOURNAL;
	/* This opens the header's device for writing, before threads use it. */
	enum mortise_code code =
		luks2_reencryption_write_area(hotzone->header, &hotzone->fixed, 0, "", 0, err);

	for (uint64_t done = 0; !code && done < zone->length; done += hotzone->room) {
		struct hotzone_work work = work_on(hotzone, hotzone->now, zone, done);

		work.read = !read;
		work.journal = journal;
		work.convert = whole && (!read || journal);
		if (!read && guard == LUKS2_GUARD_CHECKSUM)
			work.sums = hotzone->now->sums + sums_size(hotzone, done);
		if (!read || journal)
			code = pool_run(hotzone->pool, &work.job, err);
	}
	if (!code && guard == LUKS2_GUARD_CHECKSUM)
		code = luks2_reencryption_write_area(hotzone->header, &hotzone->fixed, 0,
						     hotzone->now->sums,
						     sums_size(hotzone, zone->length), err);
	return code;
}

enum mortise_code hotzone_flush_protection(const struct hotzone *hotzone,
					   const struct luks2_zone *zone, struct mortise_error *err)
{
	const enum luks2_guard guard = guard_of(hotzone, zone);

	return guard == LUKS2_GUARD_JOURNAL || guard == LUKS2_GUARD_CHECKSUM
		       ? luks2_device_flush(luks2_header_device(hotzone->header), err)
		       : MORTISE_OK;
}

enum mortise_code hotzone_convert(struct hotzone *hotzone, const struct luks2_zone *zone,
				  struct mortise_error *err)
{
	const bool whole = is_whole(hotzone, zone);
	enum mortise_code code = MORTISE_OK;

	for (uint64_t done = 0; !code && done < zone->length; done += hotzone->room) {
		struct hotzone_work work = work_on(hotzone, hotzone->now, zone, done);

		work.convert = true;
		if (!whole)
			code = pool_run(hotzone->pool, &work.job, err);
		if (!code)
			code = hotzone_write(&work, err);
	}
	return code ? code : hotzone_flush(hotzone, err);
}

static enum mortise_code recover_piece(struct hotzone *hotzone, const struct luks2_zone *zone,
				       uint64_t done, struct mortise_error *err)
{
	const enum luks2_guard guard = guard_of(hotzone, zone);
	struct hotzone_work work = work_on(hotzone, hotzone->now, zone, done);
	const size_t size = work.job.size;
	enum mortise_code code;

	if (guard == LUKS2_GUARD_CHECKSUM) {
		work.job.slice = hotzone_recover_slice;
		work.sums = hotzone->now->sums;
		code = luks2_reencryption_read_area(hotzone->header, hotzone->state,
						    sums_size(hotzone, done), work.sums,
						    sums_size(hotzone, size), err);
		return code ? code : pool_run(hotzone->pool, &work.job, err);
	}
	work.convert = true;
	work.read = guard != LUKS2_GUARD_JOURNAL;
	code = work.read ? MORTISE_OK
			 : luks2_reencryption_read_area(hotzone->header, hotzone->state, done,
							hotzone->now->data, size, err);
	if (!code)
		code = pool_run(hotzone->pool, &work.job, err);
	return code ? code : hotzone_write(&work, err);
}

enum mortise_code hotzone_recover(struct hotzone *hotzone, const struct luks2_zone *zone,
				  struct mortise_error *err)
{
	const struct luks2_reencryption *state = hotzone->state;
	enum mortise_code code = MORTISE_OK;

	if (zone->length > hotzone_guarded(state, luks2_guard_of(state, zone)) ||
	    zone->length % state->block_size || zone->offset > hotzone->size ||
	    zone->length > hotzone->size - zone->offset)
		return error_set(err, MORTISE_E_CORRUPT, 0,
				 "%s: the interrupted zone of %" PRIu64 " bytes at byte %" PRIu64
				 " has no protection to recover it from",
				 hotzone->path, zone->length, zone->offset);
	for (uint64_t done = 0; !code && done < zone->length; done += hotzone->room)
		code = recover_piece(hotzone, zone, done, err);
	return code ? code : hotzone_flush(hotzone, err);
}

uint64_t hotzone_data_size(const struct hotzone *hotzone)
{
	return hotzone->size;
}

uint64_t hotzone_largest(const struct hotzone *hotzone, uint64_t limit)
{
	const struct luks2_reencryption *state = hotzone->state;
	uint64_t length = limit && limit < hotzone->room ? limit : hotzone->room;

	if (state->guard != LUKS2_GUARD_NONE && length > hotzone_guarded(state, state->guard))
		length = hotzone_guarded(state, state->guard);
	length -= length % state->block_size;
	return length ? length : state->block_size;
}

/* --- opening --- */

/* A header file without --header would be the data that is overwritten. */
static enum mortise_code check_header(const struct hotzone *hotzone,
				      const struct luks2_device *data, struct mortise_error *err)
{
	const struct luks2_device *device = luks2_header_device(hotzone->header);

	if (device->number != data->number || device->inode != data->inode ||
	    hotzone->state->after.offset >=
		    luks2_keyslots_end(luks2_header_metadata(hotzone->header)))
		return MORTISE_OK;
	return error_set(
		err, MORTISE_E_USAGE, 0,
		"cannot re-encrypt %s: its header is detached, and the data would overwrite "
		"it; name the data device, and this file with --header",
		hotzone->path);
}

static enum mortise_code check_place(const struct hotzone *hotzone, uint64_t offset, uint64_t size,
				     uint64_t device_size, struct mortise_error *err)
{
	if (size && size <= device_size && offset <= device_size - size)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_NO_SPACE, 0,
			 "Device %s is too small. (the data begins at byte %" PRIu64
			 " and has %" PRIu64 " bytes, the device has %" PRIu64 ")",
			 hotzone->path, offset, size, device_size);
}

static enum mortise_code measure(struct hotzone *hotzone, uint64_t device_size,
				 struct mortise_error *err)
{
	const struct luks2_reencryption *state = hotzone->state;
	const uint64_t before = state->before.offset, after = state->after.offset;
	const uint64_t offset = before > after ? before : after;
	enum mortise_code code;

	hotzone->size = state->fixed_size;
	if (!hotzone->size && device_size > offset)
		hotzone->size = device_size - offset;
	code = check_place(hotzone, offset, hotzone->size, device_size, err);
	if (!code && state->moved_size)
		code = check_place(hotzone, state->moved_offset, state->moved_size, device_size,
				   err);
	/* The device was larger when what is done was done. */
	if (!code && state->border != UINT64_MAX && !(state->whole && state->backward))
		code = check_place(hotzone, offset, state->border ? state->border : 1, device_size,
				   err);
	if (!code && hotzone->size % state->block_size)
		code = error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Data device is not aligned to encryption sector size (%u bytes).",
				 state->block_size);
	return code;
}

static enum mortise_code open_device(struct hotzone *hotzone, bool shared,
				     struct mortise_error *err)
{
	struct luks2_device *device;
	enum mortise_code code = luks2_device_open(hotzone->path, false, &device, err);
	int flags = O_RDWR | O_CLOEXEC | O_DIRECT;

	if (code)
		return code;
	code = check_header(hotzone, device, err);
	if (code)
		goto out;
	flags |= device->block && !shared ? O_EXCL : 0;
	hotzone->fd = open(hotzone->path, flags);
	/* The page cache of the device does not have what its mapping writes. */
	if (hotzone->fd < 0 && errno == EINVAL && !shared)
		hotzone->fd = open(hotzone->path, flags & ~O_DIRECT);
	if (hotzone->fd < 0)
		code = errno == EBUSY
			       ? error_set(
					 err, MORTISE_E_BUSY, 0,
					 "Cannot use device %s which is in use (already mapped or "
					 "mounted).",
					 hotzone->path)
			       : error_set(err, MORTISE_E_DEVICE, errno, "cannot open %s",
					   hotzone->path);
	if (!code)
		code = measure(hotzone, device->size, err);
out:
	luks2_device_close(device);
	return code;
}

static enum mortise_code allocate_buffer(struct hotzone *hotzone, struct hotzone_buffer *buffer,
					 struct mortise_error *err)
{
	const uint64_t moved = hotzone->fixed.moved_size;
	const uint64_t blocks =
		(moved > hotzone->room ? moved : hotzone->room) / hotzone->fixed.block_size;

	/* Direct I/O needs aligned memory. */
	buffer->data = mmap(NULL, hotzone->room, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (buffer->data == MAP_FAILED) {
		buffer->data = NULL;
		return error_memory(err);
	}
	(void)madvise(buffer->data, hotzone->room, MADV_DONTDUMP);
	(void)madvise(buffer->data, hotzone->room, MADV_HUGEPAGE);
	if (!hotzone->sum_size)
		return MORTISE_OK;
	/* The size of the moved data is the header's word, and size_t may have 32 bits. */
	if (blocks > SUMS_MAX / hotzone->sum_size)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Moved segment too large. (%" PRIu64 " bytes)", moved);
	buffer->sums = malloc((size_t)blocks * hotzone->sum_size);
	return buffer->sums ? MORTISE_OK : error_memory(err);
}

static enum mortise_code allocate(struct hotzone *hotzone, struct mortise_error *err)
{
	const struct luks2_reencryption *state = hotzone->state;
	enum mortise_code code;

	hotzone->room = hotzone->size < HOTZONE_MAX ? (size_t)hotzone->size : HOTZONE_MAX;
	if (state->guard == LUKS2_GUARD_CHECKSUM || state->moved_guard == LUKS2_GUARD_CHECKSUM) {
		hotzone->sum_size = keys_hash_size(state->hash);
		if (!hotzone->sum_size)
			return error_set(err, MORTISE_E_UNSUPPORTED, 0,
					 "Hash algorithm %.40s not supported.", state->hash);
	}
	code = allocate_buffer(hotzone, &hotzone->buffer[0], err);
	return code ? code : allocate_buffer(hotzone, &hotzone->buffer[1], err);
}

/* Encrypts a sector of zeros: a cipher may also refuse the value of a key. */
static enum mortise_code new_cipher(const struct luks2_form *form, const struct mortise_secret *key,
				    bool encrypt, struct keys_sectors_cipher **out,
				    struct mortise_error *err)
{
	uint8_t sector[KEYS_AREA_SECTOR] = { 0 };
	const struct keys_sectors sectors = { sector, sizeof(sector), sizeof(sector), 0 };
	enum mortise_code code;

	if (!form->cipher)
		return MORTISE_OK;
	code = keys_sectors_new(form->cipher, key, encrypt, out, err);
	return code ? code : keys_sectors_run(*out, &sectors, err);
}

static enum mortise_code prepare_lanes(struct hotzone *hotzone,
				       const struct mortise_secret *old_key,
				       const struct mortise_secret *new_key,
				       struct mortise_error *err)
{
	const struct luks2_reencryption *state = hotzone->state;
	enum mortise_code code = pool_new(hotzone->size, &hotzone->pool, err);

	for (unsigned i = 0; !code && i < pool_workers(hotzone->pool); i++) {
		struct hotzone_lane *lane = &hotzone->lane[i];

		code = new_cipher(&state->before, old_key, false, &lane->before, err);
		if (!code)
			code = new_cipher(&state->after, new_key, true, &lane->after, err);
		if (!code && hotzone->sum_size)
			code = keys_hash_new(state->hash, &lane->hash, err);
	}
	return code;
}

enum mortise_code hotzone_open(const struct mortise_luks2 *header,
			       const struct luks2_reencryption *state,
			       const struct mortise_secret *old_key,
			       const struct mortise_secret *new_key, bool shared,
			       struct hotzone **out, struct mortise_error *err)
{
	struct hotzone *hotzone = calloc(1, sizeof(*hotzone));
	enum mortise_code code;

	*out = NULL;
	if (!hotzone)
		return error_memory(err);
	hotzone->header = header;
	hotzone->state = state;
	/* Strings belong to the metadata, which each commit replaces. */
	hotzone->fixed = *state;
	hotzone->fixed.resilience = hotzone->fixed.hash = NULL;
	hotzone->fixed.before.cipher = hotzone->fixed.after.cipher = NULL;
	hotzone->path = luks2_header_data_path(header);
	hotzone->fd = -1;
	hotzone->now = &hotzone->buffer[0];
	hotzone->next = &hotzone->buffer[1];
	code = open_device(hotzone, shared, err);
	if (!code)
		code = allocate(hotzone, err);
	if (!code)
		code = prepare_lanes(hotzone, old_key, new_key, err);
	if (code)
		hotzone_close(hotzone);
	else
		*out = hotzone;
	return code;
}

static void free_buffer(struct hotzone *hotzone, struct hotzone_buffer *buffer)
{
	if (buffer->data) {
		secret_wipe(buffer->data, buffer->used);
		munmap(buffer->data, hotzone->room);
	}
	free(buffer->sums);
}

void hotzone_close(struct hotzone *hotzone)
{
	if (!hotzone)
		return;
	(void)was_read(hotzone, NULL);
	pool_free(hotzone->pool);
	for (unsigned i = 0; i < POOL_MAX; i++) {
		keys_sectors_free(hotzone->lane[i].before);
		keys_sectors_free(hotzone->lane[i].after);
		keys_hash_free(hotzone->lane[i].hash);
	}
	free_buffer(hotzone, &hotzone->buffer[0]);
	free_buffer(hotzone, &hotzone->buffer[1]);
	if (hotzone->fd >= 0)
		close(hotzone->fd);
	free(hotzone);
}
