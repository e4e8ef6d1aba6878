/* SPDX-License-Identifier: MIT */
/* Backing up a header: both copies and the keyslots area, byte for byte, as cryptsetup does. */
#include "luks2/backup.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <libgen.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"
#include "luks2/private.h"

#define PIECE (128u << 10) /* bytes: a machine with 64 MB of memory has few to spare */
#define BLOCK 4096u	   /* bytes: keyslot areas are aligned to it */

typedef enum mortise_code visitor(const struct luks2_device *target, const void *bytes, size_t size,
				  uint64_t offset, struct mortise_error *err);

/* Visits the blocks that differ, neighbors at once. have: NULL if target cannot be read. */
static enum mortise_code visit_blocks(const struct luks2_device *target, const uint8_t *bytes,
				      const uint8_t *have, size_t size, uint64_t offset,
				      visitor *visit, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	size_t from = 0, at = 0;

	while (!code && at < size) {
		const size_t block = size - at < BLOCK ? size - at : BLOCK;
		const bool same = have && !memcmp(bytes + at, have + at, block);

		if (same && at > from)
			code = visit(target, bytes + from, at - from, offset + from, err);
		at += block;
		if (same)
			from = at;
	}
	if (!code && at > from)
		code = visit(target, bytes + from, at - from, offset + from, err);
	return code;
}

static enum mortise_code each_difference(const struct luks2_device *source,
					 const struct luks2_device *target,
					 struct luks2_range range, visitor *visit,
					 struct mortise_error *err)
{
	uint8_t *bytes = malloc(2 * PIECE), *have;
	enum mortise_code code = bytes ? MORTISE_OK : error_memory(err);
	struct mortise_error ignored;

	for (uint64_t at = range.from; !code && at < range.to;) {
		const size_t now = range.to - at < PIECE ? (size_t)(range.to - at) : PIECE;

		code = luks2_device_read(source, bytes, now, at, err);
		if (code)
			break;
		/* A sector that cannot be read can often be written. */
		have = luks2_device_read(target, bytes + PIECE, now, at, &ignored) ? NULL
										   : bytes + PIECE;
		code = visit_blocks(target, bytes, have, now, at, visit, err);
		at += now;
		if (!code && events_canceled(&target->events))
			code = events_cancel_error(err);
	}
	free(bytes);
	return code;
}

static enum mortise_code refuse_piece(const struct luks2_device *target, const void *bytes,
				      size_t size, uint64_t offset, struct mortise_error *err)
{
	(void)bytes;
	return error_set_at(err, MORTISE_E_CHANGED, 0, offset,
			    "%s does not hold what was written to bytes %" PRIu64 " to %" PRIu64
			    "; use another medium",
			    target->path, offset, offset + size);
}

enum mortise_code luks2_range_equal(const struct luks2_device *a, const struct luks2_device *b,
				    struct luks2_range range, bool *equal,
				    struct mortise_error *err)
{
	enum mortise_code code = each_difference(a, b, range, refuse_piece, err);

	*equal = code != MORTISE_E_CHANGED;
	return *equal ? code : MORTISE_OK;
}

enum mortise_code luks2_range_copy(const struct luks2_device *source,
				   const struct luks2_device *target, struct luks2_range range,
				   struct mortise_error *err)
{
	enum mortise_code code = each_difference(source, target, range, luks2_device_write, err);

	return code ? code : luks2_device_flush(target, err);
}

enum mortise_code luks2_range_verify(const struct luks2_device *source,
				     const struct luks2_device *target, struct luks2_range range,
				     struct mortise_error *err)
{
	enum mortise_code code;

	(void)posix_fadvise(target->fd, 0, 0, POSIX_FADV_DONTNEED);
	code = each_difference(source, target, range, refuse_piece, err);
	return code == MORTISE_E_CHANGED ? MORTISE_E_SYSTEM : code;
}

/*
 * The copies are written last: a file that a power cut has left incomplete has no header, and a
 * restore refuses it.
 */
static enum mortise_code write_file(const struct mortise_luks2 *header,
				    const struct luks2_device *file, struct mortise_error *err)
{
	const uint64_t copies = 2 * header->binary.copy_size;
	const uint64_t end = luks2_keyslots_end(header->metadata);
	enum mortise_code code;

	/* It may become the header, which is written when no room is left. Not all file systems can. */
	if (ftruncate(file->fd, (off_t)end) ||
	    (fallocate(file->fd, 0, 0, (off_t)end) && errno == ENOSPC))
		return error_set(err, MORTISE_E_SYSTEM, errno, "Cannot write header backup file %s",
				 file->path);
	code = luks2_range_copy(header->device, file, (struct luks2_range){ copies, end }, err);
	if (!code)
		code = luks2_range_copy(header->device, file, (struct luks2_range){ 0, copies },
					err);
	if (!code)
		code = luks2_range_verify(header->device, file, (struct luks2_range){ 0, end },
					  err);
	return code;
}

/* What was written is the header that was loaded: another process has not changed it meanwhile. */
static enum mortise_code check_file(const struct mortise_luks2 *header,
				    const struct luks2_device *file, struct mortise_error *err)
{
	struct luks2_device *reread = NULL;
	struct mortise_luks2 *backup = NULL;
	enum mortise_code code = luks2_device_open(file->path, false, &reread, err);

	if (code)
		return code;
	code = luks2_header_read(reread, LUKS2_MEND_NEVER, &backup, err);
	if (code)
		luks2_device_close(reread);
	else if (!luks2_header_equal(header, backup))
		code = error_set(err, MORTISE_E_CHANGED, 0,
				 "another process has changed the header of %s; run again",
				 header->device->path);
	mortise_luks2_free(&backup);
	return code;
}

/* The name of the new file is on stable storage, too. */
static enum mortise_code flush_directory(const char *file, struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	char *path = strdup(file);
	int fd;

	if (!path)
		return error_memory(err);
	fd = open(dirname(path), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	/* Some file systems cannot flush a directory. */
	if (fd < 0 || (fsync(fd) && errno != EINVAL))
		code = error_set(err, MORTISE_E_SYSTEM, errno, "cannot flush the directory of %s",
				 file);
	if (fd >= 0)
		close(fd);
	free(path);
	return code;
}

enum mortise_code mortise_header_backup(const struct mortise_luks2 *header, const char *file,
					struct mortise_error *err)
{
	struct luks2_device target = { .path = strdup(file),
				       .lock_fd = -1,
				       .events = header->device->events };
	enum mortise_code code;

	if (header->luks1) {
		free(target.path);
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "cannot back up the header of %s: it is LUKS1, not LUKS2",
				 header->device->path);
	}
	code = target.path ? luks2_device_lock(header->device, false, err) : error_memory(err);
	if (code) {
		free(target.path);
		return code;
	}
	target.fd = open(file, O_CREAT | O_EXCL | O_RDWR | O_CLOEXEC | O_NOCTTY, 0400);
	if (target.fd < 0) {
		code = errno == EEXIST
			       ? error_set(err, MORTISE_E_USAGE, 0,
					   "Requested header backup file %s already exists.", file)
			       : error_set(err, MORTISE_E_USAGE, errno,
					   "Cannot create header backup file %s", file);
		goto out;
	}
	code = write_file(header, &target, err);
	if (!code)
		code = check_file(header, &target, err);
	if (!code)
		code = flush_directory(file, err);
	close(target.fd);
	if (code)
		unlink(file);
out:
	luks2_device_unlock(header->device);
	free(target.path);
	return code;
}
