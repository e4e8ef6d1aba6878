/* SPDX-License-Identifier: MIT */
/* The properties of the block device below a mapping. */
#include "dm/host.h"

#include "dm/control.h"
#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

static enum mortise_code open_error(struct mortise_error *err, int sys, const char *path)
{
	enum mortise_code code;

	if (sys == EBUSY)
		code = error_set(err, MORTISE_E_BUSY, 0,
				 "Cannot use device %s which is in use (already mapped or "
				 "mounted).",
				 path);
	else if (sys == EACCES || sys == EPERM)
		code = error_set(err, MORTISE_E_DEVICE, 0,
				 "Cannot use device %s, permission denied.", path);
	else
		return error_set(err, MORTISE_E_DEVICE, sys,
				 "Device %s does not exist or access denied", path);
	return dm_set_errno(err, sys, code);
}

enum mortise_code dm_block_inspect(void *context, const char *path, bool exclusive,
				   struct dm_block *block, struct mortise_error *err)
{
	int logical = 0, readonly = 0;
	enum mortise_code code;
	long read_ahead = 0;
	uint64_t size = 0;
	struct stat st;
	int fd;

	(void)context;
	/* Read-only: udev processes a device again after a close of a writable descriptor. */
	fd = open(path, O_RDONLY | O_CLOEXEC | (exclusive ? O_EXCL : 0));
	if (fd < 0)
		return open_error(err, errno, path);
	if (fstat(fd, &st)) {
		code = error_set(err, MORTISE_E_DEVICE, errno, "Cannot get info about device %s",
				 path);
		goto out;
	}
	if (!S_ISBLK(st.st_mode)) {
		code = error_set(err, MORTISE_E_DEVICE, 0,
				 "Device %s is not compatible. It is not a block device.", path);
		goto out;
	}
	if (ioctl(fd, BLKGETSIZE64, &size) || ioctl(fd, BLKSSZGET, &logical) ||
	    ioctl(fd, BLKROGET, &readonly) || logical <= 0) {
		code = error_set(err, MORTISE_E_DEVICE, errno, "Cannot get info about device %s",
				 path);
		goto out;
	}
	if (ioctl(fd, BLKRAGET, &read_ahead) || read_ahead < 0)
		read_ahead = 0;
	*block = (struct dm_block){
		.number = st.st_rdev,
		.size = size,
		.logical = (uint32_t)logical,
		.read_ahead = (uint32_t)read_ahead,
		.readonly = readonly,
	};
	code = MORTISE_OK;
out:
	close(fd);
	return code;
}
