/* SPDX-License-Identifier: MIT */
#include "disk/geometry.h"

#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "luks2/device.h"

/* Offsets in the superblocks: fs/xfs/libxfs/xfs_format.h, fs/ext4/ext4.h. */
enum {
	XFS_BLOCK_SIZE = 4, /* big-endian, 4 bytes */
	XFS_BLOCKS = 8,	    /* big-endian, 8 bytes */
	EXT_SUPERBLOCK = 1024,
	EXT_BLOCKS = EXT_SUPERBLOCK + 0x4,	    /* little-endian, 4 bytes, like the others */
	EXT_LOG_BLOCK_SIZE = EXT_SUPERBLOCK + 0x18, /* log2 of it, minus 10 */
	EXT_INCOMPATIBLE = EXT_SUPERBLOCK + 0x60,
	EXT_BLOCKS_HIGH = EXT_SUPERBLOCK + 0x150, /* with EXT_64BIT */
	EXT_64BIT = 0x80,
	BYTES = 2048,
};

static uint64_t load(const uint8_t *bytes, unsigned size, bool big_endian)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value = value << 8 | bytes[big_endian ? i : size - 1 - i];
	return value;
}

/* 0: unknown. */
static uint64_t get_size(const uint8_t *bytes, const char *type)
{
	uint64_t blocks, log;

	if (!strcmp(type, "xfs"))
		return load(bytes + XFS_BLOCK_SIZE, 4, true) * load(bytes + XFS_BLOCKS, 8, true);
	if (strcmp(type, "ext4") != 0)
		return 0;
	blocks = load(bytes + EXT_BLOCKS, 4, false);
	if (load(bytes + EXT_INCOMPATIBLE, 4, false) & EXT_64BIT)
		blocks |= load(bytes + EXT_BLOCKS_HIGH, 4, false) << 32;
	log = load(bytes + EXT_LOG_BLOCK_SIZE, 4, false);
	return log <= 6 ? blocks << (10 + log) : 0;
}

bool disk_is_readonly(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK), readonly = 0;

	if (fd < 0)
		return false;
	if (ioctl(fd, BLKROGET, &readonly))
		readonly = 0;
	close(fd);
	return readonly;
}

bool disk_is_shrunk(const char *path, const char *type, char *text, size_t room)
{
	uint8_t bytes[BYTES];
	struct luks2_device *device = NULL;
	uint64_t size = 0, available = 0;

	if (luks2_device_open(path, false, &device, NULL))
		return false;
	available = device->size;
	if (!luks2_device_read(device, bytes, sizeof(bytes), 0, NULL))
		size = get_size(bytes, type);
	luks2_device_close(device);
	if (size <= available)
		return false;
	snprintf(text, room,
		 "the file system has %" PRIu64 " bytes, but the device has only %" PRIu64, size,
		 available);
	return true;
}
