/* SPDX-License-Identifier: MIT */
#include "disk/filesystem.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/spawn.h"

/* Offsets in the superblocks: fs/xfs/libxfs/xfs_format.h, fs/ext4/ext4.h. */
enum {
	XFS_INPROGRESS = 126, /* sb_inprogress: mkfs.xfs has not finished */
	EXT_SUPERBLOCK = 1024,
	EXT_MOUNT_TIME = 0x2c, /* s_mtime, little-endian: 0 until first mounted */
	EXT_MAGIC = 0x38,      /* s_magic 0xef53 */
	LABEL_XFS = 12,	       /* bytes */
	LABEL_EXT = 16,
};

/* mkfs must not overwrite a file system that may hold data. */
static enum mortise_code refuse_used(const char *device, struct mortise_error *err)
{
	uint8_t bytes[EXT_SUPERBLOCK + 1024] = { 0 };
	const uint8_t *ext = bytes + EXT_SUPERBLOCK;
	bool used;
	int fd = open(device, O_RDONLY | O_CLOEXEC);
	ssize_t size = fd < 0 ? -1 : pread(fd, bytes, sizeof(bytes), 0);

	if (fd >= 0)
		close(fd);
	if (size < 0)
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot read %s", device);
	used = (!memcmp(bytes, "XFSB", 4) && !bytes[XFS_INPROGRESS]) ||
	       (ext[EXT_MAGIC] == 0x53 && ext[EXT_MAGIC + 1] == 0xef &&
		(ext[EXT_MOUNT_TIME] || ext[EXT_MOUNT_TIME + 1] || ext[EXT_MOUNT_TIME + 2] ||
		 ext[EXT_MOUNT_TIME + 3]));
	if (used)
		return error_set(err, MORTISE_E_NOT_EMPTY, 0,
				 "cannot make a file system on %s: it holds a complete one already",
				 device);
	return MORTISE_OK;
}

enum mortise_code disk_make_filesystem(const struct mortise_events *events, const char *type,
				       const char *name, const char *device,
				       struct mortise_error *err)
{
	bool xfs = !strcmp(type, "xfs");
	size_t label_room = xfs ? LABEL_XFS : LABEL_EXT;
	char program[16], force[3], node[512], output[512];
	char quiet[] = "-q", label_option[] = "-L", label[64];
	char *argv[] = { program, quiet, force, label_option, label, node, NULL };
	enum mortise_code code;

	snprintf(program, sizeof(program), "mkfs.%s", type);
	snprintf(force, sizeof(force), "%s", xfs ? "-f" : "-F");
	snprintf(node, sizeof(node), "%s", device);
	/* A long label is cut: nothing looks it up. */
	snprintf(label, sizeof(label), "%.*s", (int)label_room, name);
	code = refuse_used(device, err);
	return code ? code : spawn(events, argv, output, sizeof(output), err);
}
