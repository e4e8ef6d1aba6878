/* SPDX-License-Identifier: MIT */
#include "volume/hotzone.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "base/error.h"
#include "base/machine.h"
#include "base/secret.h"
#include "keys/area.h"
#include "keys/hash.h"
#include "luks2/metadata.h"

#define SLICE	    (512u << 10) /* bytes that a thread takes at a time */
#define THREADS_MAX 16u

struct hotzone {
	const struct mortise_luks2 *header;
	const struct luks2_reencryption *state;
	const struct mortise_secret *old_key, *new_key;
	const char *path; /* of the data device */
	int fd;
	uint64_t size;	 /* bytes of the data */
	uint8_t *buffer; /* the zone, or a piece of it */
	size_t room;	 /* bytes of the buffer: HOTZONE_MAX, or all data */
	uint8_t *sums;	 /* GUARD_CHECKSUM: of the blocks in the buffer */
	size_t sum_size; /* bytes of one checksum */
};

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

static enum mortise_code device_error(const struct hotzone *hotzone, const char *verb,
				      uint64_t offset, int sys, struct mortise_error *err)
{
	enum mortise_code code =
		error_set(err, MORTISE_E_SYSTEM, sys, "cannot %s %s at byte %" PRIu64, verb,
			  hotzone->path, offset);

	if (err)
		err->offset = offset;
	return code;
}

/* File systems and devices that do not support direct I/O at these offsets answer EINVAL. */
static bool leave_direct(int fd)
{
	const int flags = fcntl(fd, F_GETFL);

	return errno == EINVAL && flags >= 0 && (flags & O_DIRECT) &&
	       !fcntl(fd, F_SETFL, flags & ~O_DIRECT);
}

static enum mortise_code transfer(const struct hotzone *hotzone, uint8_t *bytes, size_t size,
				  uint64_t offset, bool writing, struct mortise_error *err)
{
	for (size_t done = 0; done < size;) {
		const off_t at = (off_t)(offset + done);
		ssize_t moved = writing ? pwrite(hotzone->fd, bytes + done, size - done, at)
					: pread(hotzone->fd, bytes + done, size - done, at);

		if (moved < 0 && (errno == EINTR || leave_direct(hotzone->fd)))
			continue;
		if (moved <= 0)
			return device_error(hotzone, writing ? "write" : "read", offset + done,
					    moved ? errno : EIO, err);
		done += (size_t)moved;
	}
	return MORTISE_OK;
}

static enum mortise_code flush(const struct hotzone *hotzone, struct mortise_error *err)
{
	if (fsync(hotzone->fd))
		return device_error(hotzone, "flush", hotzone->state->after.offset, errno, err);
	return MORTISE_OK;
}

static enum mortise_code crypt_form(const struct luks2_form *form, const struct mortise_secret *key,
				    uint8_t *data, size_t size, uint64_t start, bool encrypt,
				    struct mortise_error *err)
{
	const struct keys_sectors sectors = { data, size, form->sector_size,
					      form->iv_tweak + start / 512 };

	return form->cipher ? keys_sectors_crypt(form->cipher, key, &sectors, encrypt, err)
			    : MORTISE_OK;
}

/* start: bytes from the start of the data. */
static enum mortise_code convert(const struct hotzone *hotzone, uint8_t *data, size_t size,
				 uint64_t start, struct mortise_error *err)
{
	const struct luks2_reencryption *state = hotzone->state;
	enum mortise_code code =
		crypt_form(&state->before, hotzone->old_key, data, size, start, false, err);

	if (!code)
		code = crypt_form(&state->after, hotzone->new_key, data, size, start, true, err);
	return code;
}

/* --- slices of the buffer, in parallel --- */

struct work {
	struct hotzone *hotzone;
	uint64_t start; /* bytes from the start of the data to the start of the buffer */
	size_t size;	/* bytes */
	uint8_t *sums;	/* of the blocks in the buffer; NULL: none are needed */
	enum mortise_code (*slice)(struct work *work, size_t at, size_t size,
				   struct mortise_error *err);
	atomic_size_t next;
	atomic_bool failed;
	pthread_mutex_t lock;
	enum mortise_code code;
	struct mortise_error err; /* the first one */
};

static void *work_thread(void *argument)
{
	struct work *work = argument;
	struct mortise_error err = { 0 };
	enum mortise_code code;
	size_t at;

	while (!work->failed && (at = atomic_fetch_add(&work->next, SLICE)) < work->size) {
		code = work->slice(work, at, work->size - at < SLICE ? work->size - at : SLICE,
				   &err);
		if (!code)
			continue;
		pthread_mutex_lock(&work->lock);
		if (!work->code) {
			work->code = code;
			work->err = err;
		}
		pthread_mutex_unlock(&work->lock);
		work->failed = true;
	}
	return NULL;
}

/* Without threads the caller's thread does everything. */
static enum mortise_code run(struct work *work, struct mortise_error *err)
{
	const size_t slices = (work->size + SLICE - 1) / SLICE;
	pthread_t threads[THREADS_MAX];
	unsigned wanted = machine_cpus(), started = 0;

	pthread_mutex_init(&work->lock, NULL);
	if (wanted > THREADS_MAX)
		wanted = THREADS_MAX;
	if (wanted > slices)
		wanted = (unsigned)slices;
	while (started + 1 < wanted && !pthread_create(&threads[started], NULL, work_thread, work))
		started++;
	work_thread(work);
	while (started)
		pthread_join(threads[--started], NULL);
	pthread_mutex_destroy(&work->lock);
	if (work->code && err)
		*err = work->err;
	return work->code;
}

static enum mortise_code sum_blocks(const struct hotzone *hotzone, const uint8_t *data, size_t size,
				    uint8_t *sums, struct mortise_error *err)
{
	const size_t block = hotzone->state->block_size;
	struct keys_hash *hash;
	enum mortise_code code = keys_hash_new(hotzone->state->hash, &hash, err);

	for (size_t at = 0; !code && at < size; at += block) {
		code = keys_hash_parts(hash, &(struct keys_bytes){ data + at, block }, 1, sums,
				       err);
		sums += hotzone->sum_size;
	}
	keys_hash_free(hash);
	return code;
}

static uint8_t *sums_at(const struct work *work, size_t at)
{
	const struct hotzone *hotzone = work->hotzone;

	return work->sums + at / hotzone->state->block_size * hotzone->sum_size;
}

static enum mortise_code read_slice(struct work *work, size_t at, size_t size,
				    struct mortise_error *err)
{
	struct hotzone *hotzone = work->hotzone;
	uint8_t *data = hotzone->buffer + at;
	enum mortise_code code =
		transfer(hotzone, data, size, luks2_place_before(hotzone->state, work->start + at),
			 false, err);

	if (!code && work->sums)
		code = sum_blocks(hotzone, data, size, sums_at(work, at), err);
	return code;
}

static enum mortise_code convert_slice(struct work *work, size_t at, size_t size,
				       struct mortise_error *err)
{
	struct hotzone *hotzone = work->hotzone;
	uint8_t *data = hotzone->buffer + at;
	enum mortise_code code = convert(hotzone, data, size, work->start + at, err);

	if (!code)
		code = transfer(hotzone, data, size,
				luks2_place_after(hotzone->state, work->start + at), true, err);
	return code;
}

/* Converts the blocks that still have their old checksum; a block is written whole or not at all. */
static enum mortise_code recover_slice(struct work *work, size_t at, size_t size,
				       struct mortise_error *err)
{
	struct hotzone *hotzone = work->hotzone;
	const size_t block = hotzone->state->block_size;
	const uint64_t place = luks2_place_after(hotzone->state, work->start + at);
	uint8_t *data = hotzone->buffer + at;
	const uint8_t *stored = sums_at(work, at);
	uint8_t sum[KEYS_HASH_SIZE_MAX];
	enum mortise_code code = transfer(hotzone, data, size, place, false, err);

	for (size_t done = 0; !code && done < size; done += block) {
		code = sum_blocks(hotzone, data + done, block, sum, err);
		if (!code && !memcmp(sum, stored, hotzone->sum_size))
			code = convert(hotzone, data + done, block, work->start + at + done, err);
		stored += hotzone->sum_size;
	}
	return code ? code : transfer(hotzone, data, size, place, true, err);
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
	return (size_t)(length / hotzone->state->block_size * hotzone->sum_size);
}

enum mortise_code hotzone_protect(struct hotzone *hotzone, const struct luks2_zone *zone,
				  struct mortise_error *err)
{
	const struct luks2_reencryption *state = hotzone->state;
	const enum luks2_guard guard = luks2_guard_of(state, zone);
	enum mortise_code code = MORTISE_OK;

	for (uint64_t done = 0; !code && done < zone->length; done += hotzone->room) {
		const size_t size = piece_size(hotzone, zone, done);
		struct work work = { .hotzone = hotzone,
				     .start = zone->offset + done,
				     .size = size,
				     .slice = read_slice };

		if (guard == LUKS2_GUARD_CHECKSUM)
			work.sums = hotzone->sums + sums_size(hotzone, done);
		code = run(&work, err);
		if (!code && guard == LUKS2_GUARD_JOURNAL)
			code = luks2_reencryption_write_area(hotzone->header, state, done,
							     hotzone->buffer, size, err);
	}
	if (!code && guard == LUKS2_GUARD_CHECKSUM)
		code = luks2_reencryption_write_area(hotzone->header, state, 0, hotzone->sums,
						     sums_size(hotzone, zone->length), err);
	return code;
}

enum mortise_code hotzone_convert(struct hotzone *hotzone, const struct luks2_zone *zone,
				  struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	for (uint64_t done = 0; !code && done < zone->length; done += hotzone->room) {
		struct work work = { .hotzone = hotzone,
				     .start = zone->offset + done,
				     .size = piece_size(hotzone, zone, done),
				     .slice = read_slice };

		/* hotzone_protect() has left the last piece in the buffer. */
		if (zone->length > hotzone->room)
			code = run(&work, err);
		work.slice = convert_slice;
		work.next = 0;
		if (!code)
			code = run(&work, err);
	}
	return code ? code : flush(hotzone, err);
}

static enum mortise_code recover_piece(struct hotzone *hotzone, const struct luks2_zone *zone,
				       uint64_t done, struct mortise_error *err)
{
	const struct luks2_reencryption *state = hotzone->state;
	const enum luks2_guard guard = luks2_guard_of(state, zone);
	const size_t size = piece_size(hotzone, zone, done);
	struct work work = { .hotzone = hotzone, .start = zone->offset + done, .size = size };
	enum mortise_code code;

	if (guard == LUKS2_GUARD_CHECKSUM) {
		work.slice = recover_slice;
		work.sums = hotzone->sums;
		code = luks2_reencryption_read_area(hotzone->header, state,
						    sums_size(hotzone, done), hotzone->sums,
						    sums_size(hotzone, size), err);
	} else if (guard == LUKS2_GUARD_JOURNAL) {
		work.slice = convert_slice;
		code = luks2_reencryption_read_area(hotzone->header, state, done, hotzone->buffer,
						    size, err);
	} else {
		work.slice = read_slice;
		code = run(&work, err);
		work.slice = convert_slice;
		work.next = 0;
	}
	return code ? code : run(&work, err);
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
	return code ? code : flush(hotzone, err);
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

/* Encrypts a sector of zeros: a cipher may also refuse the value of a key. */
static enum mortise_code check_cipher(const struct luks2_form *form,
				      const struct mortise_secret *key, struct mortise_error *err)
{
	uint8_t sector[KEYS_AREA_SECTOR] = { 0 };
	const struct keys_sectors sectors = { sector, sizeof(sector), sizeof(sector), 0 };

	return form->cipher ? keys_sectors_crypt(form->cipher, key, &sectors, true, err)
			    : MORTISE_OK;
}

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

static enum mortise_code allocate(struct hotzone *hotzone, struct mortise_error *err)
{
	const struct luks2_reencryption *state = hotzone->state;
	uint64_t summed;

	hotzone->room = hotzone->size < HOTZONE_MAX ? (size_t)hotzone->size : HOTZONE_MAX;
	summed = hotzone->room;
	/* Direct I/O needs aligned memory. */
	hotzone->buffer = mmap(NULL, hotzone->room, PROT_READ | PROT_WRITE,
			       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (hotzone->buffer == MAP_FAILED) {
		hotzone->buffer = NULL;
		return error_memory(err);
	}
	(void)madvise(hotzone->buffer, hotzone->room, MADV_DONTDUMP);
	if (state->guard != LUKS2_GUARD_CHECKSUM && state->moved_guard != LUKS2_GUARD_CHECKSUM)
		return MORTISE_OK;
	hotzone->sum_size = keys_hash_size(state->hash);
	if (!hotzone->sum_size)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Hash algorithm %.40s not supported.", state->hash);
	if (state->moved_guard == LUKS2_GUARD_CHECKSUM && state->moved_size > summed)
		summed = state->moved_size;
	hotzone->sums = malloc(sums_size(hotzone, summed));
	return hotzone->sums ? MORTISE_OK : error_memory(err);
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
	hotzone->old_key = old_key;
	hotzone->new_key = new_key;
	hotzone->path = luks2_header_data_path(header);
	hotzone->fd = -1;
	code = check_cipher(&state->before, old_key, err);
	if (!code)
		code = check_cipher(&state->after, new_key, err);
	if (!code)
		code = open_device(hotzone, shared, err);
	if (!code)
		code = allocate(hotzone, err);
	if (code)
		hotzone_close(hotzone);
	else
		*out = hotzone;
	return code;
}

void hotzone_close(struct hotzone *hotzone)
{
	if (!hotzone)
		return;
	if (hotzone->buffer) {
		secret_wipe(hotzone->buffer, hotzone->room);
		munmap(hotzone->buffer, hotzone->room);
	}
	free(hotzone->sums);
	if (hotzone->fd >= 0)
		close(hotzone->fd);
	free(hotzone);
}
