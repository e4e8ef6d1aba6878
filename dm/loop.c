/* SPDX-License-Identifier: MIT */
/* Loop devices (man 4 loop). */
#include "dm/dm.h"

#include "base/error.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/loop.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define CONTROL	       "/dev/loop-control"
#define CONTROL_NUMBER makedev(10, 237) /* Documentation/admin-guide/devices.txt */
#define LOOP_MAJOR     7u
#define TRIES	       64u /* other processes may take the same number */

/* Linux 5.8; older kernel headers lack it. */
#ifndef LOOP_CONFIGURE
#define LOOP_CONFIGURE 0x4C0A
struct loop_config {
	__u32 fd;
	__u32 block_size;
	struct loop_info64 info;
	__u64 reserved[8];
};
#endif

static int open_control(void)
{
	int fd = open(CONTROL, O_RDWR | O_CLOEXEC);

	/* Opening the node loads the module. */
	if (fd < 0 && errno == ENOENT && !mknod(CONTROL, S_IFCHR | 0600, CONTROL_NUMBER)) {
		fd = open(CONTROL, O_RDWR | O_CLOEXEC);
		if (fd < 0) {
			int sys = errno;

			(void)unlink(CONTROL);
			errno = sys;
		}
	}
	return fd;
}

static int open_loop(int number, bool readonly, char path[static 32])
{
	int flags = (readonly ? O_RDONLY : O_RDWR) | O_CLOEXEC;
	int fd;

	snprintf(path, 32, "/dev/loop%d", number);
	fd = open(path, flags);
	/* The number is the minor unless loop devices have partitions (max_part=0). */
	if (fd < 0 && errno == ENOENT &&
	    !mknod(path, S_IFBLK | 0600, makedev(LOOP_MAJOR, (unsigned)number)))
		fd = open(path, flags);
	return fd;
}

/* For kernels before 5.8: three calls, which another process can interrupt. */
static int configure_old(int loop, const struct loop_config *config)
{
	if (ioctl(loop, LOOP_SET_FD, config->fd))
		return errno;
	/* After a failure the blocks have 512 bytes, which every table fits. */
	if (config->block_size)
		(void)ioctl(loop, LOOP_SET_BLOCK_SIZE, (unsigned long)config->block_size);
	if (ioctl(loop, LOOP_SET_STATUS64, &config->info)) {
		int sys = errno;

		(void)ioctl(loop, LOOP_CLR_FD, 0);
		return sys;
	}
	return 0;
}

static int configure_loop(int loop, const struct loop_config *config)
{
	struct loop_info64 info = { .lo_flags = 0 };
	int sys = 0;

	if (ioctl(loop, LOOP_CONFIGURE, config))
		sys = errno;
	if (sys == ENOTTY || sys == EINVAL)
		sys = configure_old(loop, config);
	if (sys)
		return sys;
	/* Without autoclear the loop device would keep the file busy. */
	if (ioctl(loop, LOOP_GET_STATUS64, &info) || !(info.lo_flags & LO_FLAGS_AUTOCLEAR)) {
		(void)ioctl(loop, LOOP_CLR_FD, 0);
		return ENOTSUP;
	}
	return 0;
}

static void set_file_name(int fd, struct loop_info64 *info)
{
	char link[32], file[LO_NAME_SIZE];
	ssize_t size;

	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, file, sizeof(file) - 1);
	if (size > 0)
		memcpy(info->lo_file_name, file, (size_t)size);
}

static enum mortise_code control_error(struct mortise_error *err, int sys)
{
	if (sys == EACCES || sys == EPERM)
		return error_set(err, MORTISE_E_DEVICE, sys,
				 "Cannot use a loopback device, running as non-root user");
	return error_set(err, MORTISE_E_KERNEL, sys,
			 "Attaching loopback device failed (loop device with autoclear flag "
			 "is required). Load the module (modprobe loop)");
}

enum mortise_code dm_loop_attach(int fd, bool readonly, uint32_t sector_size, char path[static 32],
				 int *loop_fd, struct mortise_error *err)
{
	struct loop_config config = {
		.fd = (__u32)fd,
		.block_size = sector_size > 512 ? sector_size : 0,
		.info.lo_flags = LO_FLAGS_AUTOCLEAR | (readonly ? LO_FLAGS_READ_ONLY : 0),
	};
	int control, number, sys = 0;
	int loop = -1;
	unsigned i;

	*loop_fd = -1;
	*path = '\0';
	control = open_control();
	if (control < 0)
		return control_error(err, errno);
	set_file_name(fd, &config.info);
	for (i = 0; i < TRIES; i++) {
		number = ioctl(control, LOOP_CTL_GET_FREE);
		if (number >= 0)
			loop = open_loop(number, readonly, path);
		if (loop < 0) {
			sys = errno;
			break;
		}
		sys = configure_loop(loop, &config);
		if (!sys)
			break;
		close(loop);
		loop = -1;
		if (sys != EBUSY)
			break;
	}
	close(control);
	if (sys)
		return error_set(err, sys == EBUSY ? MORTISE_E_BUSY : MORTISE_E_DEVICE, sys,
				 "Attaching loopback device failed (loop device with autoclear "
				 "flag is required)");
	*loop_fd = loop;
	return MORTISE_OK;
}

void dm_loop_refresh(const char *path)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	if (fd < 0)
		return;
	(void)ioctl(fd, LOOP_SET_CAPACITY, 0);
	close(fd);
}
