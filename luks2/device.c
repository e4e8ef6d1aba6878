/* SPDX-License-Identifier: MIT */
#include "luks2/device.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <linux/fs.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"

static enum mortise_code read_topology(struct luks2_device *device, struct mortise_error *err)
{
	int logical = 0, offset = 0;
	unsigned physical = 0, optimal = 0;

	if (ioctl(device->fd, BLKGETSIZE64, &device->size))
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot read the size of %s",
				 device->path);
	if (!ioctl(device->fd, BLKSSZGET, &logical) && logical > 0)
		device->logical_block = (uint32_t)logical;
	device->physical_block = device->logical_block;
	if (!ioctl(device->fd, BLKPBSZGET, &physical) && physical > device->logical_block)
		device->physical_block = physical;
	if (!ioctl(device->fd, BLKIOOPT, &optimal))
		device->optimal_io = optimal;
	/* -1: the disks below have no common offset. */
	if (!ioctl(device->fd, BLKALIGNOFF, &offset) && offset > 0 && offset % 512 == 0)
		device->alignment_offset = (uint32_t)offset;
	return MORTISE_OK;
}

enum mortise_code luks2_device_open(const char *path, bool locking, struct luks2_device **out,
				    struct mortise_error *err)
{
	struct luks2_device *device = calloc(1, sizeof(*device));
	enum mortise_code code;
	struct stat st;

	if (!device)
		return error_set(err, MORTISE_E_MEMORY, ENOMEM, "cannot open %s", path);
	device->fd = -1;
	device->lock_fd = -1;
	device->locking = locking;
	device->logical_block = 512;
	device->physical_block = 4096;
	device->path = strdup(path);
	if (!device->path) {
		code = error_set(err, MORTISE_E_MEMORY, ENOMEM, "cannot open %s", path);
		goto out;
	}
	/* Before opening: the open of a FIFO would block. */
	if (stat(path, &st)) {
		code = error_set(err, MORTISE_E_DEVICE, 0,
				 "Device %s does not exist or access denied.", path);
		goto out;
	}
	if (!S_ISBLK(st.st_mode) && !S_ISREG(st.st_mode)) {
		code = error_set(err, MORTISE_E_DEVICE, 0,
				 "Device %s is neither a block device nor a regular file.", path);
		goto out;
	}
	device->fd = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	if (device->fd < 0 || fstat(device->fd, &st)) {
		code = error_set(err, MORTISE_E_DEVICE, errno,
				 "Device %s does not exist or access denied.", path);
		goto out;
	}
	device->block = S_ISBLK(st.st_mode);
	device->number = device->block ? st.st_rdev : st.st_dev;
	device->inode = device->block ? 0 : st.st_ino;
	device->size = (uint64_t)st.st_size;
	code = device->block ? read_topology(device, err) : MORTISE_OK;
out:
	if (code)
		luks2_device_close(device);
	else
		*out = device;
	return code;
}

enum mortise_code luks2_device_open_location(const struct mortise_location *location,
					     struct luks2_device **out, struct mortise_error *err)
{
	const char *path = location->header ? location->header : location->device;
	enum mortise_code code;

	if (!path)
		return error_set(err, MORTISE_E_USAGE, 0, "no device is named");
	code = luks2_device_open(path, !location->no_locks, out, err);
	if (!code && location->events)
		(*out)->events = *location->events;
	return code;
}

void luks2_device_close(struct luks2_device *device)
{
	if (!device)
		return;
	while (device->lock_depth)
		luks2_device_unlock(device);
	if (device->fd >= 0)
		close(device->fd);
	free(device->path);
	free(device);
}

static bool same_device(const struct luks2_device *device, const struct stat *st)
{
	if (device->block)
		return S_ISBLK(st->st_mode) && st->st_rdev == device->number;
	return S_ISREG(st->st_mode) && st->st_dev == device->number && st->st_ino == device->inode;
}

enum mortise_code luks2_device_writable(struct luks2_device *device, struct mortise_error *err)
{
	int fd, readonly = 0;
	struct stat st;

	if (device->writable)
		return MORTISE_OK;
	fd = open(device->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set(err, MORTISE_E_DEVICE, errno, "Cannot write to device %s",
				 device->path);
	if (fstat(fd, &st) || !same_device(device, &st)) {
		close(fd);
		return error_set(err, MORTISE_E_CHANGED, 0,
				 "%s is now another device than when it was read; run again",
				 device->path);
	}
	/* Some kernels open a read-only block device for writing and then fail each write. */
	if (device->block && !ioctl(fd, BLKROGET, &readonly) && readonly) {
		close(fd);
		return error_set(err, MORTISE_E_DEVICE, EROFS, "Cannot write to device %s",
				 device->path);
	}
	close(device->fd);
	device->fd = fd;
	device->writable = true;
	return MORTISE_OK;
}

enum mortise_code luks2_device_unused(const struct luks2_device *device, struct mortise_error *err)
{
	int fd;

	if (!device->block)
		return MORTISE_OK;
	fd = open(device->path, O_RDONLY | O_EXCL | O_CLOEXEC | O_NONBLOCK);
	if (fd < 0)
		return error_set(
			err, errno == EBUSY ? MORTISE_E_BUSY : MORTISE_E_DEVICE,
			errno == EBUSY ? 0 : errno,
			"Cannot use device %s which is in use (already mapped or mounted).",
			device->path);
	close(fd);
	return MORTISE_OK;
}

enum mortise_code luks2_device_read(const struct luks2_device *device, void *bytes, size_t size,
				    uint64_t offset, struct mortise_error *err)
{
	size_t done = 0;

	while (done < size) {
		ssize_t got = pread(device->fd, (uint8_t *)bytes + done, size - done,
				    (off_t)(offset + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return error_set_at(err, MORTISE_E_SYSTEM, errno, offset + done,
					    "cannot read %s at byte %" PRIu64, device->path,
					    offset + done);
		if (!got)
			return error_set_at(err, MORTISE_E_CORRUPT, 0, offset + done,
					    "cannot read %s: it ends at byte %" PRIu64,
					    device->path, offset + done);
		done += (size_t)got;
	}
	return MORTISE_OK;
}

enum mortise_code luks2_device_write(const struct luks2_device *device, const void *bytes,
				     size_t size, uint64_t offset, struct mortise_error *err)
{
	size_t done = 0;

	while (done < size) {
		ssize_t put = pwrite(device->fd, (const uint8_t *)bytes + done, size - done,
				     (off_t)(offset + done));

		if (put < 0 && errno == EINTR)
			continue;
		if (put <= 0)
			return error_set_at(err, MORTISE_E_SYSTEM, put ? errno : ENOSPC,
					    offset + done, "cannot write %s at byte %" PRIu64,
					    device->path, offset + done);
		done += (size_t)put;
	}
	return MORTISE_OK;
}

enum mortise_code luks2_device_flush(const struct luks2_device *device, struct mortise_error *err)
{
	if (!fsync(device->fd))
		return MORTISE_OK;
	error_set(err, MORTISE_E_SYSTEM, errno, "cannot flush %s", device->path);
	/* The page cache still has data that the device did not take. A later read must not return it. */
	(void)posix_fadvise(device->fd, 0, 0, POSIX_FADV_DONTNEED);
	return MORTISE_E_SYSTEM;
}

bool luks2_device_is_blank(const struct luks2_device *device)
{
	uint8_t bytes[4096];
	struct mortise_error ignored;
	uint64_t at = 0;

	if (device->block)
		return false;
	while (at < device->size) {
		const uint64_t rest = device->size - at;
		const size_t now = rest < sizeof(bytes) ? (size_t)rest : sizeof(bytes);

		if (luks2_device_read(device, bytes, now, at, &ignored))
			return false;
		if (bytes[0] || memcmp(bytes, bytes + 1, now - 1) != 0)
			return false;
		at += now;
	}
	return true;
}

enum mortise_code luks2_device_grow(struct luks2_device *device, uint64_t size,
				    struct mortise_error *err)
{
	if (!device->grows || device->size >= size)
		return MORTISE_OK;
	if (ftruncate(device->fd, (off_t)size))
		return error_set(err, MORTISE_E_NO_SPACE, errno,
				 "cannot extend %s to %" PRIu64 " bytes", device->path, size);
	device->size = size;
	return MORTISE_OK;
}
