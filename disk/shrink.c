/* SPDX-License-Identifier: MIT */
#include "disk/shrink.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/spawn.h"
#include "luks2/device.h"

#define EXT_BLOCK   1048u /* byte of s_log_block_size: Linux's fs/ext4/ext4.h */
#define PATH_ROOM   512u
/* Bits of e2fsck's exit status: errors are left, or it failed. */
#define FSCK_FAILED (~3)

static enum mortise_code check_type(const char *type, struct mortise_error *err)
{
	static const char *const programs[] = { "e2fsck", "resize2fs" };

	if (strcmp(type, "ext4") != 0)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0, "%s file systems %s", type,
				 strcmp(type, "btrfs") ? "cannot shrink"
						       : "shrink only while they are mounted");
	for (size_t i = 0; i < 2; i++)
		if (!spawn_finds(programs[i]))
			return error_set(err, MORTISE_E_UNSUPPORTED, 0, "%s is not installed",
					 programs[i]);
	return MORTISE_OK;
}

static enum mortise_code read_block_size(const char *device, uint64_t *size,
					 struct mortise_error *err)
{
	struct luks2_device *opened;
	uint8_t shift[4] = { 0 };
	enum mortise_code code = luks2_device_open(device, false, &opened, err);

	if (code)
		return code;
	code = luks2_device_read(opened, shift, sizeof(shift), EXT_BLOCK, err);
	luks2_device_close(opened);
	if (!code && (shift[0] > 6 || shift[1] || shift[2] || shift[3]))
		code = error_set(err, MORTISE_E_CORRUPT, 0, "%s has an invalid block size", device);
	*size = UINT64_C(1024) << shift[0];
	return code;
}

enum mortise_code disk_shrink_check(const struct mortise_events *events, const char *type,
				    const char *device, uint64_t size, struct mortise_error *err)
{
	char resize2fs[] = "resize2fs", print[] = "-P", node[PATH_ROOM], said[1024];
	char *const argv[] = { resize2fs, print, node, NULL };
	const char *number;
	uint64_t block, least;
	enum mortise_code code = check_type(type, err);

	snprintf(node, sizeof(node), "%s", device);
	if (!code)
		code = read_block_size(device, &block, err);
	if (!code)
		code = spawn(events, argv, said, sizeof(said), err);
	if (code)
		return code;
	/* "Estimated minimum size of the filesystem: 1234", in blocks. */
	number = strrchr(said, ':');
	least = number ? strtoull(number + 1, NULL, 10) : 0;
	if (!least || least > UINT64_MAX / block)
		return error_set(err, MORTISE_E_SYSTEM, 0,
				 "resize2fs does not tell the least size of %s", device);
	/* It is an estimate. */
	least = least * block + least * block / 20;
	if (least > size)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "its data needs about %" PRIu64 " MiB, and %" PRIu64
				 " MiB would be left; delete some of it",
				 (least >> 20) + 1, size >> 20);
	return MORTISE_OK;
}

static enum mortise_code check(const char *device, const char *how, int *status,
			       struct mortise_error *err)
{
	char e2fsck[] = "e2fsck", force[] = "-f", correct[8], node[PATH_ROOM], said[2048];
	char *const argv[] = { e2fsck, force, correct, node, NULL };

	snprintf(correct, sizeof(correct), "%s", how);
	snprintf(node, sizeof(node), "%s", device);
	return spawn_status(NULL, argv, said, sizeof(said), status, err);
}

enum mortise_code disk_shrink(const char *type, const char *device, uint64_t size, bool interrupted,
			      struct mortise_error *err)
{
	char resize2fs[] = "resize2fs", sectors[32], node[PATH_ROOM], said[1024];
	char *const argv[] = { resize2fs, node, sectors, NULL };
	int status = 0;
	enum mortise_code code = check_type(type, err);

	if (!code)
		code = check(device, "-p", &status, err);
	/* resize2fs marks the file system before it moves anything. */
	if (!code && interrupted && (status & FSCK_FAILED))
		code = check(device, "-y", &status, err);
	if (!code && (status & FSCK_FAILED))
		code = error_set(err, MORTISE_E_CORRUPT, 0,
				 "the file system has errors; run `e2fsck -f %s`", device);
	if (code)
		return code;
	snprintf(node, sizeof(node), "%s", device);
	snprintf(sectors, sizeof(sectors), "%" PRIu64 "s", size / 512);
	return spawn(NULL, argv, said, sizeof(said), err);
}
