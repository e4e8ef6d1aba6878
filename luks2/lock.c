/* SPDX-License-Identifier: MIT */
/* The metadata lock of cryptsetup: flock(2) on a file under /run/cryptsetup or on the image. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/error.h"
#include "base/events.h"
#include "luks2/device.h"

#define LOCK_DIR "/run/cryptsetup"

static void lock_path(const struct luks2_device *device, char path[static 64])
{
	snprintf(path, 64, LOCK_DIR "/L_%u:%u", major(device->number), minor(device->number));
}

static int open_lock_file(const struct luks2_device *device)
{
	char path[64];
	int fd;

	if (!device->block) {
		fd = open(device->path, O_RDWR | O_CLOEXEC | O_NONBLOCK);
		return fd >= 0 ? fd : open(device->path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	}
	if (mkdir(LOCK_DIR, 0700) && errno != EEXIST)
		return -1;
	lock_path(device, path);
	return open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
}

/*
 * The last holder unlinks the file. A lock on an unlinked file protects nothing. Returns 1 if it is
 * linked, 0 if not: then lock the new one; -1: errno is set.
 */
static int check_link(const char *path, int fd)
{
	struct stat held, named;

	if (fstat(fd, &held))
		return -1;
	if (lstat(path, &named))
		return errno == ENOENT ? 0 : -1;
	return held.st_dev == named.st_dev && held.st_ino == named.st_ino;
}

static int check_device_lock(const struct luks2_device *device, int fd)
{
	char path[64];

	lock_path(device, path);
	return device->block ? check_link(path, fd) : 1;
}

/* Keeps errno. */
static void close_quietly(int fd)
{
	const int sys = errno;

	if (fd >= 0)
		close(fd);
	errno = sys;
}

/* No process can lock a header in a directory that is missing or read-only, cryptsetup included. */
static bool cannot_exist(const struct luks2_device *device)
{
	return device->block && (errno == EROFS || errno == ENOENT);
}

enum mortise_code luks2_device_lock(struct luks2_device *device, bool exclusive,
				    struct mortise_error *err)
{
	enum mortise_code code;
	int fd, linked;

	if (!device->locking)
		return MORTISE_OK;
	if (device->lock_depth) {
		if (exclusive && !device->lock_exclusive)
			return error_set(err, MORTISE_E_USAGE, 0,
					 "cannot take a write lock on device %s inside a read lock",
					 device->path);
		device->lock_depth++;
		return MORTISE_OK;
	}
	for (;;) {
		fd = open_lock_file(device);
		if (fd < 0 && cannot_exist(device)) {
			device->lock_exclusive = exclusive;
			device->lock_depth = 1;
			return MORTISE_OK;
		}
		if (fd < 0)
			break;
		code = events_lock(&device->events, fd, exclusive ? LOCK_EX : LOCK_SH, UINT64_MAX,
				   device->path, err);
		linked = code ? -1 : check_device_lock(device, fd);
		if (linked > 0) {
			device->lock_fd = fd;
			device->lock_exclusive = exclusive;
			device->lock_depth = 1;
			return MORTISE_OK;
		}
		close_quietly(fd);
		if (code == MORTISE_E_CANCELED)
			return code;
		if (linked < 0)
			break;
	}
	return error_set(err, MORTISE_E_SYSTEM, errno, "Failed to acquire %s lock on device %s",
			 exclusive ? "write" : "read", device->path);
}

void luks2_device_unlock(struct luks2_device *device)
{
	char path[64];

	if (!device->locking || !device->lock_depth || --device->lock_depth)
		return;
	if (device->lock_fd < 0)
		return;
	if (device->block) {
		lock_path(device, path);
		flock(device->lock_fd, LOCK_UN);
		if (!flock(device->lock_fd, LOCK_EX | LOCK_NB) &&
		    check_link(path, device->lock_fd) > 0)
			unlink(path);
	}
	close(device->lock_fd);
	device->lock_fd = -1;
}

enum mortise_code luks2_reencrypt_lock(const struct luks2_device *device, const char *uuid, int *fd,
				       struct mortise_error *err)
{
	char path[128];
	int linked;

	*fd = -1;
	if (device && !device->locking)
		return MORTISE_OK;
	snprintf(path, sizeof(path), LOCK_DIR "/LN_LUKS2-reencryption-%.64s", uuid);
	for (;;) {
		if (!mkdir(LOCK_DIR, 0700) || errno == EEXIST)
			*fd = open(path, O_RDWR | O_CREAT | O_NOFOLLOW | O_CLOEXEC, 0644);
		if (*fd < 0 && (errno == EROFS || errno == ENOENT))
			return MORTISE_OK;
		if (*fd < 0 || flock(*fd, LOCK_EX | LOCK_NB))
			break;
		linked = check_link(path, *fd);
		if (linked > 0)
			return MORTISE_OK;
		if (linked < 0)
			break;
		close(*fd);
		*fd = -1;
	}
	close_quietly(*fd);
	*fd = -1;
	if (errno == EWOULDBLOCK)
		return error_set(err, MORTISE_E_BUSY, 0,
				 "Reencryption process is already running.");
	return error_set(err, MORTISE_E_SYSTEM, errno, "Failed to acquire reencryption lock.");
}
