/* SPDX-License-Identifier: MIT */
/* Beginning to decrypt in place: the header moves to a file, and later the data to its place. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/sized.h"
#include "volume/header_place.h"
#include "volume/online.h"
#include "volume/reencrypt_begin.h"

#define MOVED_SIZE (1u << 20) /* bytes moved ahead by default, as in cryptsetup */

/* Loads the backup as the header of the device. */
static enum mortise_code load_backup(const struct mortise_luks2 *header, const char *file,
				     struct mortise_luks2 **out, struct mortise_error *err)
{
	const struct mortise_location location = {
		.struct_size = sizeof(location),
		.device = luks2_header_data_path(header),
		.header = file,
		.no_locks = !luks2_header_device(header)->locking,
		.events = luks2_header_events(header),
		.max_unlock_s = luks2_header_max_unlock(header),
	};

	if (chmod(file, S_IRUSR | S_IWUSR))
		return error_set(err, MORTISE_E_SYSTEM, errno, "cannot make %s writable", file);
	return mortise_luks2_load(&location, out, err);
}

/*
 * Overwrites the header on the device, the start of which the data takes. Until the commit that
 * follows, the file is the header of data that is still in its old place.
 */
static enum mortise_code move_ahead(const struct mortise_luks2 *header,
				    const struct luks2_reencryption *next,
				    struct mortise_error *err)
{
	const uint64_t copies = 2 * luks2_header_binary(header)->copy_size;
	struct luks2_device *device;
	uint8_t *zeros = calloc(1, (size_t)copies);
	enum mortise_code code;

	if (!zeros)
		return error_memory(err);
	code = luks2_device_open(luks2_header_data_path(header), false, &device, err);
	if (code) {
		free(zeros);
		return code;
	}
	code = luks2_device_writable(device, err);
	/* The page cache of the device does not have the data that was written through the mapping. */
	(void)posix_fadvise(device->fd, (off_t)next->before.offset, (off_t)next->moved_size,
			    POSIX_FADV_DONTNEED);
	if (!code)
		code = luks2_device_write(device, zeros, (size_t)copies, 0, err);
	if (!code)
		code = luks2_device_flush(device, err);
	if (!code)
		code = header_place_copy(device, next->before.offset, device, next->moved_offset,
					 next->moved_size, err);
	luks2_device_close(device);
	free(zeros);
	return code;
}

struct move {
	const struct mortise_luks2 *header;
	struct reencrypt_beginning *beginning;
	bool touched; /* the device may have been written to */
};

static enum mortise_code move_and_commit(void *context, struct mortise_error *err)
{
	struct move *move = context;
	enum mortise_code code;

	move->touched = true;
	code = move_ahead(move->header, &move->beginning->next, err);

	return code ? code : luks2_update_commit(&move->beginning->update, err);
}

/* Moves the data while I/O to the mapping waits; the mapping then leads to its new place. */
static enum mortise_code move_online(struct move *move, struct mortise_luks2 *moved,
				     struct mortise_error *err)
{
	struct continuation run = { .header = moved,
				    .old_key = move->beginning->opened,
				    .lock_fd = -1 };
	enum mortise_code code =
		online_open(&run, move->beginning->what.active_name, &run.online, err);

	if (!code)
		code = online_move(run.online, move_and_commit, move, err);
	online_close(run.online);
	return code;
}

enum mortise_code mortise_decrypt_begin(struct mortise_luks2 *header, const char *file,
					const struct mortise_reencrypt_new *what,
					struct mortise_luks2 **out, struct mortise_error *err)
{
	struct reencrypt_beginning beginning = { .shifts = true };
	const bool exported = !strcmp(luks2_header_device(header)->path, file);
	struct move move = { .header = header, .beginning = &beginning, .touched = exported };
	struct mortise_luks2 *moved = NULL;
	enum mortise_code code;

	*out = NULL;
	code = sized_input(SIZED(mortise_reencrypt_new), &beginning.what, what, err);
	beginning.what.mode = MORTISE_DECRYPT;
	beginning.moved_size = beginning.what.moved_size ? beginning.what.moved_size : MOVED_SIZE;
	if (code)
		return code;
	if (!exported &&
	    strcmp(luks2_header_device(header)->path, luks2_header_data_path(header)) != 0)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot move the header of %s to a file: it is detached",
				 luks2_header_data_path(header));
	if (!exported && !beginning.what.active_name)
		code = luks2_device_unused(luks2_header_device(header), err);
	if (!code && !exported)
		code = mortise_header_backup(header, file, err);
	if (code)
		return code;
	code = load_backup(header, file, &moved, err);
	if (!code)
		code = reencrypt_stage(moved, &beginning, err);
	if (!code)
		code = beginning.what.active_name ? move_online(&move, moved, err)
						  : move_and_commit(&move, err);
	reencrypt_beginning_clear(&beginning);
	if (!code)
		*out = moved;
	else
		mortise_luks2_free(&moved);
	if (code && !move.touched)
		(void)unlink(file);
	else if (code)
		error_prefix(err, "the header is now in %s", file);
	return code;
}
