/* SPDX-License-Identifier: MIT */
#include "disk/grow.h"

#include <errno.h>
#include <inttypes.h>
#include <linux/btrfs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/vfs.h>

#include "base/error.h"

/* fs/xfs/libxfs/xfs_fs.h; struct xfs_fsop_geom_v1. */
struct xfs_geometry {
	uint32_t block_size; /* bytes */
	uint32_t realtime_extent;
	uint32_t group_blocks;
	uint32_t group_count;
	uint32_t log_blocks;
	uint32_t sector_size;
	uint32_t inode_size;
	uint32_t inode_percent;
	uint64_t data_blocks;
	uint64_t realtime_blocks;
	uint64_t realtime_extents;
	uint64_t log_start;
	uint8_t uuid[16];
	uint32_t stripe_unit;
	uint32_t stripe_width;
	int32_t version;
	uint32_t flags;
	uint32_t log_sector_size;
	uint32_t realtime_sector_size;
	uint32_t directory_block_size;
};

struct xfs_growth {
	uint64_t new_blocks;
	uint32_t inode_percent;
};

#define XFS_GEOMETRY _IOR('X', 100, struct xfs_geometry)
#define XFS_GROW     _IOW('X', 110, struct xfs_growth)
#define EXT4_RESIZE  _IOW('f', 16, uint64_t) /* fs/ext4/ext4.h */

bool disk_can_grow(const char *type)
{
	return !strcmp(type, "xfs") || !strcmp(type, "ext4") || !strcmp(type, "btrfs");
}

/* These three return 0 or an errno value. The kernel leaves out a last group that is too small. */
static int grow_xfs(int fd, uint64_t size)
{
	struct xfs_geometry now = { 0 };
	struct xfs_growth growth = { 0 };

	if (ioctl(fd, XFS_GEOMETRY, &now))
		return errno;
	growth.new_blocks = now.block_size ? size / now.block_size : 0;
	growth.inode_percent = now.inode_percent;
	if (growth.new_blocks <= now.data_blocks)
		return 0;
	return ioctl(fd, XFS_GROW, &growth) ? errno : 0;
}

static int grow_ext4(int fd, uint64_t size, uint64_t block_size)
{
	uint64_t blocks = size / block_size;

	return ioctl(fd, EXT4_RESIZE, &blocks) ? errno : 0;
}

static int grow_btrfs(int fd)
{
	struct btrfs_ioctl_vol_args arguments = { .name = "max" };

	return ioctl(fd, BTRFS_IOC_RESIZE, &arguments) ? errno : 0;
}

static enum mortise_code grow_error(struct mortise_error *err, int sys, const char *path,
				    uint64_t size)
{
	const bool unsupported = sys == ENOTTY || sys == EOPNOTSUPP;

	return error_set(err, unsupported ? MORTISE_E_UNSUPPORTED : MORTISE_E_SYSTEM, sys,
			 "cannot grow the file system at %s to %" PRIu64 " bytes", path, size);
}

enum mortise_code disk_grow_filesystem(int fd, const char *type, const char *path, uint64_t size,
				       bool *grown, struct mortise_error *err)
{
	struct statfs before, after;
	int sys;

	*grown = false;
	if (fstatfs(fd, &before) || before.f_bsize <= 0)
		return grow_error(err, errno, path, size);
	if (!strcmp(type, "xfs"))
		sys = grow_xfs(fd, size);
	else if (!strcmp(type, "ext4"))
		sys = grow_ext4(fd, size, (uint64_t)before.f_bsize);
	else if (!strcmp(type, "btrfs"))
		sys = grow_btrfs(fd);
	else
		sys = EOPNOTSUPP;
	if (sys)
		return grow_error(err, sys, path, size);
	*grown = !fstatfs(fd, &after) && after.f_blocks > before.f_blocks;
	return MORTISE_OK;
}
