/* SPDX-License-Identifier: MIT */
#include "disk/wipe.h"

#include <blkid/blkid.h>
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/error.h"
#include "base/secret.h"
#include "luks2/header.h"
#include "luks2/metadata.h"
#include "disk/reset_mark.h"

#define EDGE		(1u << 20)   /* bytes at either end that are zero on an empty device */
#define PIECE		(128u << 10) /* bytes written at once: small machines have little memory */
#define PIECE_FULL	(1u << 20)
#define FLUSH_EVERY	(64u << 20) /* bytes: progress counts what is on the disk */
#define DISCARD_PIECE	(UINT64_C(1) << 30)
#define SIGNATURE_BLOCK 4096u /* bytes wiped around a magic */
#define SIGNATURES_MAX	64u   /* if there are more, the device does not keep what is written */

static bool report_progress(const struct disk_wipe *how, const char *step, uint64_t done,
			    uint64_t total)
{
	return !how->progress || how->progress(how->context, step, done, total);
}

static enum mortise_code set_interrupted(const struct luks2_device *device,
					 struct mortise_error *err)
{
	return error_set(err, MORTISE_E_CANCELED, 0,
			 "cannot finish the reset of %s, whose keys are erased; run it again",
			 device->path);
}

/* A range to overwrite with random bytes or zeros. */
struct range {
	const char *step;
	uint64_t from, to; /* bytes */
	size_t piece;
	bool random;
	bool cancelable; /* and ends at the first error */
};

/*
 * After a piece that cannot be written the others are written nevertheless, unless the range is
 * cancelable. Returns the first failure.
 */
static enum mortise_code overwrite(const struct luks2_device *device, const struct range *range,
				   const struct disk_wipe *how, struct mortise_error *err)
{
	uint8_t *piece = range->from < range->to ? calloc(1, range->piece) : NULL;
	enum mortise_code code, first = MORTISE_OK;
	uint64_t unflushed = 0;
	size_t now;

	if (range->from >= range->to)
		return MORTISE_OK;
	if (!piece)
		return error_memory(err);
	for (uint64_t at = range->from; at < range->to; at += now) {
		/* A shorter first piece aligns the others. */
		now = range->piece - (size_t)(at % range->piece);
		if (now > range->to - at)
			now = (size_t)(range->to - at);
		code = range->random ? random_bytes(piece, now, first ? NULL : err) : MORTISE_OK;
		if (!code)
			code = luks2_device_write(device, piece, now, at, first ? NULL : err);
		unflushed += now;
		if (!code && unflushed >= FLUSH_EVERY) {
			code = luks2_device_flush(device, first ? NULL : err);
			unflushed = 0;
		}
		if (!first)
			first = code;
		if (!report_progress(how, range->step, at + now - range->from,
				     range->to - range->from) &&
		    range->cancelable && !first)
			first = set_interrupted(device, err);
		if (first && range->cancelable)
			break;
	}
	free(piece);
	code = luks2_device_flush(device, first ? NULL : err);
	return first ? first : code;
}

/*
 * Finds where key material may end: at the start of the data, or at the limit of the format if the
 * header cannot be read.
 */
static enum mortise_code find_keys_end(const struct luks2_device *device,
				       const struct disk_mark *mark, uint64_t *end,
				       struct mortise_error *err)
{
	const struct mortise_location location = {
		.struct_size = sizeof(location),
		.device = device->path,
		.readonly = true,
		.no_locks = true, /* held by the caller */
	};
	struct mortise_luks2 *header = NULL;
	struct mortise_error why;
	enum mortise_code code = mortise_luks2_load(&location, &header, &why);
	uint64_t data = 0;

	*end = mark->keys_end;
	if (code == MORTISE_E_MEMORY)
		return error_memory(err);
	if (!code) {
		struct json_object *metadata = luks2_header_metadata(header);

		data = luks2_first_data_offset(metadata);
		if (data < luks2_keyslots_end(metadata))
			data = luks2_keyslots_end(metadata);
	} else if (code != MORTISE_E_NOT_LUKS2 || mark->second_header) {
		data = DISK_KEYS_END_MAX;
	}
	mortise_luks2_free(&header);
	if (*end < data)
		*end = data;
	if (*end < DISK_KEYS_END_MIN)
		*end = DISK_KEYS_END_MIN;
	if (*end > DISK_KEYS_END_MAX)
		*end = DISK_KEYS_END_MAX;
	if (*end > device->size)
		*end = device->size;
	return MORTISE_OK;
}

/* Random bytes: a disk that only records that a block is zero may keep the old one. */
static enum mortise_code overwrite_keys(const struct luks2_device *device, uint64_t end,
					const struct disk_wipe *how, struct mortise_error *err)
{
	const struct range random = {
		.step = "overwriting keys",
		.from = DISK_MARK_SIZE,
		.to = end,
		.piece = PIECE,
		.random = true,
	};

	return overwrite(device, &random, how, err);
}

static enum mortise_code write_zeros(const struct luks2_device *device, uint64_t keys_end,
				     const struct disk_wipe *how, struct mortise_error *err)
{
	const uint64_t front = keys_end > EDGE ? keys_end : EDGE;
	const uint64_t tail = device->size > EDGE ? device->size - EDGE : 0;
	struct range range = {
		.step = "wiping the ends",
		.from = DISK_MARK_SIZE,
		.to = front < device->size ? front : device->size,
		.piece = PIECE,
	};
	enum mortise_code code;

	if (how->full) {
		range = (struct range){
			.step = "overwriting everything",
			.from = DISK_MARK_SIZE,
			.to = device->size,
			.piece = PIECE_FULL,
			.cancelable = true,
		};
		return overwrite(device, &range, how, err);
	}
	code = overwrite(device, &range, how, err);
	range.from = range.to > tail ? range.to : tail;
	range.to = device->size;
	return code ? code : overwrite(device, &range, how, err);
}

/* The offset of the magic that libblkid has found. */
static bool get_magic_offset(blkid_probe probe, uint64_t *offset)
{
	const char *text;

	if (blkid_probe_lookup_value(probe, "SBMAGIC_OFFSET", &text, NULL) &&
	    blkid_probe_lookup_value(probe, "PTMAGIC_OFFSET", &text, NULL))
		return false;
	*offset = strtoull(text, NULL, 10);
	return true;
}

static enum mortise_code wipe_magic(const struct luks2_device *device, const struct range *where,
				    uint64_t offset, const struct disk_wipe *how,
				    struct mortise_error *err)
{
	struct range range = { .step = "wiping signatures", .piece = SIGNATURE_BLOCK };

	range.from = offset / SIGNATURE_BLOCK * SIGNATURE_BLOCK;
	range.to = range.from + SIGNATURE_BLOCK;
	if (range.from < where->from)
		range.from = where->from;
	if (range.to > where->to)
		range.to = where->to;
	return overwrite(device, &range, how, err);
}

/*
 * Wipes the signatures of what begins at byte start, inside where. Some lie at neither end, where
 * zeros have been written.
 */
static enum mortise_code wipe_signatures(const struct luks2_device *device, uint64_t start,
					 const struct range *where, const struct disk_wipe *how,
					 struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	uint64_t offset = 0;
	int answer = 0;

	for (unsigned i = 0; !code && !answer; i++) {
		blkid_probe probe = blkid_new_probe();

		if (!probe ||
		    blkid_probe_set_device(probe, device->fd, (blkid_loff_t)start,
					   (blkid_loff_t)(where->to - start)) ||
		    blkid_probe_enable_superblocks(probe, 1) ||
		    blkid_probe_set_superblocks_flags(probe,
						      BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC) ||
		    blkid_probe_enable_partitions(probe, 1) ||
		    blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC))
			answer = -1;
		else
			answer = blkid_do_probe(probe);
		if (answer < 0)
			code = error_set(err, MORTISE_E_SYSTEM, 0,
					 "cannot probe %s: libblkid failed", device->path);
		else if (!answer && (i == SIGNATURES_MAX || !get_magic_offset(probe, &offset)))
			code = error_set(err, MORTISE_E_NOT_EMPTY, 0,
					 "cannot wipe a signature on %s: the device does not keep "
					 "what is written",
					 device->path);
		else if (!answer)
			code = wipe_magic(device, where, start + offset, how, err);
		blkid_free_probe(probe);
	}
	return code;
}

static int discard(const struct luks2_device *device, uint64_t from, uint64_t size)
{
	uint64_t range[2] = { from, size };

	return device->block ? ioctl(device->fd, BLKDISCARD, range)
			     : fallocate(device->fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE,
					 (off_t)from, (off_t)size);
}

/*
 * Discards the data, which is noise without its key or has been overwritten. Both ends stay zero
 * and are not discarded: discarded blocks may read back as anything. Failures are ignored, since
 * many disks cannot discard.
 */
static enum mortise_code discard_data(const struct luks2_device *device, uint64_t keys_end,
				      const struct disk_wipe *how, struct mortise_error *err)
{
	const uint64_t from = ((keys_end > EDGE ? keys_end : EDGE) + EDGE - 1) / EDGE * EDGE;
	const uint64_t to = device->size > EDGE ? (device->size - EDGE) / EDGE * EDGE : 0;
	uint64_t range[2] = { from, DISCARD_PIECE };
	int sys = 0;

	for (; !sys && range[0] < to; range[0] += range[1]) {
		if (!report_progress(how, "discarding", range[0] - from, to - from))
			return set_interrupted(device, err);
		if (range[1] > to - range[0])
			range[1] = to - range[0];
		sys = discard(device, range[0], range[1]);
	}
	return MORTISE_OK;
}

enum mortise_code disk_wipe(const struct luks2_device *device, const struct disk_wipe *how,
			    struct mortise_error *err)
{
	const struct range rest = { .from = DISK_MARK_SIZE, .to = device->size };
	struct disk_mark mark;
	uint64_t keys_end = 0;
	enum mortise_code code;

	code = disk_mark_read(device, &mark, err);
	if (code)
		return code;
	code = find_keys_end(device, &mark, &keys_end, err);
	if (code)
		return code;
	code = disk_mark_put(device, keys_end, err);
	if (code)
		return code;
	code = overwrite_keys(device, keys_end, how, err);
	if (code)
		return code;
	code = write_zeros(device, keys_end, how, err);
	if (code)
		return code;
	code = wipe_signatures(device, 0, &rest, how, err);
	if (code)
		return code;
	return discard_data(device, keys_end, how, err);
}

enum mortise_code disk_wipe_range(const struct luks2_device *device, uint64_t from, uint64_t size,
				  struct mortise_error *err)
{
	static const struct disk_wipe quiet = { .full = false };
	const struct range all = { .from = from, .to = from + size };
	struct range end = { .from = from, .to = all.to, .piece = PIECE };
	enum mortise_code code;

	/* Discarded blocks may read as anything: the zeros come afterwards. */
	(void)discard(device, from, size);
	if (size > DISK_KEYS_END_MIN)
		end.to = from + DISK_KEYS_END_MIN;
	code = overwrite(device, &end, &quiet, err);
	end.from = all.to - end.to > EDGE ? all.to - EDGE : end.to;
	end.to = all.to;
	if (!code)
		code = overwrite(device, &end, &quiet, err);
	if (!code)
		code = wipe_signatures(device, from, &all, &quiet, err);
	/* The next probe must read the disk, not the page cache. */
	if (!code)
		(void)posix_fadvise(device->fd, 0, 0, POSIX_FADV_DONTNEED);
	return code;
}

enum mortise_code disk_wipe_end(const struct luks2_device *device, struct mortise_error *err)
{
	enum mortise_code code = disk_mark_remove(device, err);

	/* The next probe must read the disk, not the page cache. */
	if (!code)
		(void)posix_fadvise(device->fd, 0, 0, POSIX_FADV_DONTNEED);
	return code;
}
