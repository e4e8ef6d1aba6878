/* SPDX-License-Identifier: MIT */
/* dm-zero, a RAM disk, a device. */
#include "bench/dm_benchmark_ground.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/error.h"
#include "base/spawn.h"

#define ZERO_SIZE   (UINT64_C(1) << 30)
#define RAM_MIN	    (UINT64_C(4) << 20) /* bytes, for the largest requests on every volume */
#define RAM_MAX	    (UINT64_C(64) << 20)
#define RAM_DISKS   16u			/* CONFIG_BLK_DEV_RAM_COUNT */
#define LOOK	    (UINT64_C(1) << 20) /* bytes looked at in one go */
#define BLOCK	    4096u		/* what every size is a multiple of */
#define TRIES	    50u			/* a second in all, for udev and for deferred removals */
#define PAUSE_US    20000u
#define KERNEL_HELP "sys/kernel/modprobe"

enum mortise_code bench_zero_open(struct dm_control *control, struct bench_ground *ground,
				  struct mortise_error *err)
{
	enum mortise_code code, removal;
	char name[64], node[96];

	*ground = (struct bench_ground){
		.kind = MORTISE_DM_ZERO,
		.control = control,
		.fd = -1,
		.size = ZERO_SIZE,
		.logical = 512,
		.writable = true,
	};
	snprintf(name, sizeof(name), "temporary-mortise-%ld-zero", (long)getpid());
	code = dm_zero_create(control, name, ZERO_SIZE, err);
	if (code)
		return code;
	snprintf(node, sizeof(node), "/dev/mapper/%s", name);
	ground->fd = open(node, O_RDWR | O_CLOEXEC);
	if (ground->fd < 0)
		code = error_set(err, MORTISE_E_DEVICE, errno, "Cannot open %s", node);
	removal = bench_give_up(control, name, code ? NULL : err);
	code = code ? code : removal;
	if (code && ground->fd >= 0)
		close(ground->fd);
	snprintf(ground->path, sizeof(ground->path), "/proc/self/fd/%d", ground->fd);
	return code;
}

int bench_claim(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_EXCL);

	for (unsigned tries = 0; fd < 0 && errno == EBUSY && tries < TRIES; tries++) {
		(void)usleep(PAUSE_US);
		fd = open(path, flags | O_CLOEXEC | O_EXCL);
	}
	return fd;
}

static enum mortise_code device_size(int fd, const char *path, struct bench_ground *ground,
				     struct mortise_error *err)
{
	int logical = 0;
	struct stat st;

	if (fstat(fd, &st) || !S_ISBLK(st.st_mode))
		return error_set(err, MORTISE_E_DEVICE, 0,
				 "Device %s is not compatible. It is no block device.", path);
	if (ioctl(fd, BLKGETSIZE64, &ground->size) || ioctl(fd, BLKSSZGET, &logical))
		return error_set(err, MORTISE_E_DEVICE, errno, "Cannot get info about device %s",
				 path);
	ground->logical = (uint32_t)logical;
	ground->size -= ground->size % BLOCK;
	if (ground->size < RAM_MIN)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Device %s is too small. 4 MiB are needed.", path);
	return MORTISE_OK;
}

enum mortise_code bench_device_open(struct dm_control *control, const char *path, bool writable,
				    struct bench_ground *ground, struct mortise_error *err)
{
	enum mortise_code code;
	int fd;

	*ground = (struct bench_ground){
		.kind = MORTISE_DM_DEVICE,
		.control = control,
		.fd = -1,
		.writable = writable,
	};
	if (strlen(path) >= sizeof(ground->path))
		return error_set(err, MORTISE_E_USAGE, 0, "The path %s is too long.", path);
	memcpy(ground->path, path, strlen(path) + 1);
	/* dm-crypt claims the device, as a mount does: told now rather than at the first mapping. */
	fd = bench_claim(path, writable ? O_RDWR : O_RDONLY);
	if (fd < 0 && errno == EBUSY)
		return error_set(
			err, MORTISE_E_BUSY, EBUSY,
			"Cannot use device %s which is in use (already mapped or mounted). "
			"Unmount or close it first",
			path);
	if (fd < 0)
		return error_set(err, MORTISE_E_DEVICE, errno,
				 "Device %s does not exist or access denied", path);
	code = device_size(fd, path, ground, err);
	close(fd);
	return code;
}

/* Are the first size bytes all zero? What somebody keeps in a RAM disk must stay there. */
static bool all_zero(int fd, uint64_t size)
{
	uint8_t *bytes = malloc(LOOK);
	bool zero = bytes;

	for (uint64_t at = 0; zero && at < size; at += LOOK) {
		size_t part = (size_t)(size - at < LOOK ? size - at : LOOK);

		zero = pread(fd, bytes, part, (off_t)at) == (ssize_t)part && !bytes[0] &&
		       !memcmp(bytes, bytes + 1, part - 1);
	}
	free(bytes);
	return zero;
}

static bool find_ram(uint64_t room, struct bench_ground *ground)
{
	bool found = false;

	for (unsigned i = 0; i < RAM_DISKS && !found; i++) {
		int fd;

		snprintf(ground->path, sizeof(ground->path), "/dev/ram%u", i);
		fd = open(ground->path, O_RDWR | O_CLOEXEC | O_EXCL);
		if (fd < 0)
			continue;
		if (!device_size(fd, ground->path, ground, NULL)) {
			ground->size = ground->size < room ? ground->size : room;
			found = all_zero(fd, ground->size);
		}
		close(fd);
	}
	return found;
}

/* The kernel's own helper, which finds modules where this machine keeps them. */
static enum mortise_code modprobe(char *const words[], struct mortise_error *err)
{
	char path[256], said[256];
	char *argv[5] = { path };
	size_t count = 1;

	bench_read(bench_files.proc, KERNEL_HELP, path, sizeof(path));
	path[strcspn(path, "\n")] = '\0';
	if (!path[0])
		return error_set(err, MORTISE_E_UNSUPPORTED, 0, "This kernel loads no modules.");
	for (; *words && count < 4; words++)
		argv[count++] = *words;
	return spawn(argv, said, sizeof(said), err);
}

enum mortise_code bench_ram_open(struct dm_control *control, uint64_t memory,
				 struct bench_ground *ground, struct mortise_error *err)
{
	char module[] = "brd", one[] = "rd_nr=1", size[32];
	char *words[] = { module, one, size, NULL };
	uint64_t room = memory / 4 < RAM_MAX ? memory / 4 : RAM_MAX;
	struct mortise_error why = { 0 };

	*ground = (struct bench_ground){
		.kind = MORTISE_DM_RAM,
		.control = control,
		.fd = -1,
		.writable = true,
	};
	room -= room % (BLOCK * BENCH_VOLUMES_MAX);
	if (room < RAM_MIN)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "No RAM disk is measured: there is too little memory for one.");
	if (find_ram(room, ground))
		return MORTISE_OK;
	if (!access("/dev/ram0", F_OK))
		return error_set(
			err, MORTISE_E_UNSUPPORTED, 0,
			"No RAM disk is measured: those that there are (/dev/ram0, ...) are "
			"in use or hold something.");
	snprintf(size, sizeof(size), "rd_size=%u", (unsigned)(room / 1024));
	if (modprobe(words, &why))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "No RAM disk is measured: there is no module brd. %.200s",
				 why.text);
	ground->loaded = true;
	/* devtmpfs makes its node at once, udev only a moment later. */
	for (unsigned tries = 0; tries < TRIES; tries++) {
		if (find_ram(room, ground))
			return MORTISE_OK;
		(void)usleep(PAUSE_US);
	}
	bench_ground_close(ground);
	return error_set(
		err, MORTISE_E_UNSUPPORTED, 0,
		"No RAM disk is measured: /dev/ram0 did not appear, or something holds it.");
}

static void wipe_ram(const struct bench_ground *ground)
{
	uint8_t *zeros = calloc(1, LOOK);
	int fd = bench_claim(ground->path, O_RDWR);

	for (uint64_t at = 0; zeros && fd >= 0 && at < ground->size; at += LOOK) {
		size_t part = (size_t)(ground->size - at < LOOK ? ground->size - at : LOOK);

		if (pwrite(fd, zeros, part, (off_t)at) != (ssize_t)part)
			break;
	}
	if (fd >= 0)
		close(fd);
	free(zeros);
}

void bench_ground_close(struct bench_ground *ground)
{
	char remove[] = "-r", module[] = "brd";
	char *words[] = { remove, module, NULL };

	if (ground->fd >= 0)
		close(ground->fd);
	ground->fd = -1;
	if (ground->loaded && modprobe(words, NULL) == MORTISE_OK)
		return;
	if (ground->kind == MORTISE_DM_RAM)
		wipe_ram(ground);
}
