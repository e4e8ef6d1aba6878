/* SPDX-License-Identifier: MIT */
#include "volume/hotzone_private.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"

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

enum mortise_code hotzone_flush(const struct hotzone *hotzone, struct mortise_error *err)
{
	if (fsync(hotzone->fd))
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot flush %s", hotzone->path);
	return MORTISE_OK;
}

/* start: bytes from the start of the data. cipher NULL: not encrypted. */
static enum mortise_code crypt_form(const struct luks2_form *form,
				    struct keys_sectors_cipher *cipher, uint8_t *data, size_t size,
				    uint64_t start, struct mortise_error *err)
{
	const struct keys_sectors sectors = { data, size, form->sector_size,
					      form->iv_tweak + start / 512 };

	return cipher ? keys_sectors_run(cipher, &sectors, err) : MORTISE_OK;
}

static enum mortise_code convert(const struct hotzone *hotzone, unsigned worker, uint8_t *data,
				 size_t size, uint64_t start, struct mortise_error *err)
{
	const struct hotzone_lane *lane = &hotzone->lane[worker];
	enum mortise_code code =
		crypt_form(&hotzone->fixed.before, lane->before, data, size, start, err);

	if (!code)
		code = crypt_form(&hotzone->fixed.after, lane->after, data, size, start, err);
	return code;
}

static enum mortise_code sum_blocks(const struct hotzone *hotzone, unsigned worker,
				    const uint8_t *data, size_t size, uint8_t *sums,
				    struct mortise_error *err)
{
	const size_t block = hotzone->fixed.block_size;
	enum mortise_code code = MORTISE_OK;

	for (size_t at = 0; !code && at < size; at += block) {
		code = keys_hash_parts(hotzone->lane[worker].hash,
				       &(struct keys_bytes){ data + at, block }, 1, sums, err);
		sums += hotzone->sum_size;
	}
	return code;
}

/* The job is the first member. */
static const struct hotzone_work *work_of(const struct pool_job *job)
{
	return (const struct hotzone_work *)job;
}

static uint8_t *sums_at(const struct hotzone_work *work, size_t at)
{
	const struct hotzone *hotzone = work->hotzone;

	return work->sums + at / hotzone->fixed.block_size * hotzone->sum_size;
}

enum mortise_code hotzone_prepare_slice(struct pool_job *job, unsigned worker, size_t at,
					size_t size, struct mortise_error *err)
{
	const struct hotzone_work *work = work_of(job);
	const struct hotzone *hotzone = work->hotzone;
	uint8_t *data = work->buffer->data + at;
	enum mortise_code code = MORTISE_OK;

	if (work->read)
		code = transfer(hotzone, data, size,
				luks2_place_before(&hotzone->fixed, work->start + at), false, err);
	if (!code && work->sums)
		code = sum_blocks(hotzone, worker, data, size, sums_at(work, at), err);
	if (!code && work->journal)
		code = luks2_reencryption_write_area(hotzone->header, &hotzone->fixed,
						     work->done + at, data, size, err);
	if (!code && work->convert)
		code = convert(hotzone, worker, data, size, work->start + at, err);
	return code;
}

enum mortise_code hotzone_write(const struct hotzone_work *work, struct mortise_error *err)
{
	return transfer(work->hotzone, work->buffer->data, work->job.size,
			luks2_place_after(&work->hotzone->fixed, work->start), true, err);
}

enum mortise_code hotzone_recover_slice(struct pool_job *job, unsigned worker, size_t at,
					size_t size, struct mortise_error *err)
{
	const struct hotzone_work *work = work_of(job);
	const struct hotzone *hotzone = work->hotzone;
	const size_t block = hotzone->fixed.block_size;
	const uint64_t place = luks2_place_after(&hotzone->fixed, work->start + at);
	uint8_t *data = work->buffer->data + at;
	const uint8_t *stored = sums_at(work, at);
	uint8_t sum[KEYS_HASH_SIZE_MAX];
	enum mortise_code code = transfer(hotzone, data, size, place, false, err);

	for (size_t done = 0; !code && done < size; done += block) {
		code = sum_blocks(hotzone, worker, data + done, block, sum, err);
		if (!code && !memcmp(sum, stored, hotzone->sum_size))
			code = convert(hotzone, worker, data + done, block, work->start + at + done,
				       err);
		stored += hotzone->sum_size;
	}
	return code ? code : transfer(hotzone, data, size, place, true, err);
}
