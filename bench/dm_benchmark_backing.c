/* SPDX-License-Identifier: MIT */
#include "bench/dm_benchmark_backing.h"

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
#include "base/file.h"
#include "base/spawn.h"
#include "bench/dm_benchmark_limits.h"
#include "bench/dm_benchmark_temporary.h"

#define ZERO_SIZE   (UINT64_C(1) << 30)
#define RAM_MIN	    (UINT64_C(4) << 20) /* bytes, for the largest requests on every volume */
#define RAM_MAX	    (UINT64_C(64) << 20)
#define RAM_DISKS   16u			/* CONFIG_BLK_DEV_RAM_COUNT */
#define CHUNK	    (UINT64_C(1) << 20) /* bytes read or written at once */
#define BLOCK	    4096u		/* sizes are multiples of this */
#define KERNEL_HELP "/proc/sys/kernel/modprobe"

const char *mortise_dm_backing_name(enum mortise_dm_backing backing)
{
	static const char *const names[] = {
		[MORTISE_DM_ZERO] = "zero",
		[MORTISE_DM_RAM] = "ram",
		[MORTISE_DM_DEVICE] = "device",
	};

	return names[backing];
}

enum mortise_code bench_zero_open(struct dm_control *control, struct bench_backing *backing,
				  struct mortise_error *err)
{
	char name[BENCH_NAME_MAX];
	enum mortise_code code;

	*backing = (struct bench_backing){
		.kind = MORTISE_DM_ZERO,
		.control = control,
		.fd = -1,
		.size = ZERO_SIZE,
		.logical = 512,
		.writable = true,
	};
	bench_temporary_name(name);
	code = dm_zero_create(control, name, ZERO_SIZE, err);
	if (code)
		return code;
	code = bench_temporary_open(control, name, O_RDWR, &backing->fd, err);
	snprintf(backing->path, sizeof(backing->path), "/proc/self/fd/%d", backing->fd);
	return code;
}

int bench_open_exclusive(const char *path, int flags)
{
	int fd = open(path, flags | O_CLOEXEC | O_EXCL);

	for (unsigned tries = 0; fd < 0 && errno == EBUSY && tries < BENCH_TRIES; tries++) {
		(void)usleep(BENCH_PAUSE_US);
		fd = open(path, flags | O_CLOEXEC | O_EXCL);
	}
	return fd;
}

static enum mortise_code read_size(int fd, const char *path, struct bench_backing *backing,
				   struct mortise_error *err)
{
	int logical = 0;
	struct stat st;

	if (fstat(fd, &st) || !S_ISBLK(st.st_mode))
		return error_set(err, MORTISE_E_DEVICE, 0, "%s is not a block device", path);
	if (ioctl(fd, BLKGETSIZE64, &backing->size) || ioctl(fd, BLKSSZGET, &logical))
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot read the size of %s", path);
	backing->logical = (uint32_t)logical;
	backing->size -= backing->size % BLOCK;
	if (backing->size < RAM_MIN)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "%s is too small; the benchmark needs 4 MiB", path);
	return MORTISE_OK;
}

enum mortise_code bench_device_open(struct dm_control *control, const char *path, bool writable,
				    struct bench_backing *backing, struct mortise_error *err)
{
	enum mortise_code code;
	int fd;

	*backing = (struct bench_backing){
		.kind = MORTISE_DM_DEVICE,
		.control = control,
		.fd = -1,
		.writable = writable,
	};
	if (strlen(path) >= sizeof(backing->path))
		return error_set(err, MORTISE_E_USAGE, 0, "the path %s is too long", path);
	memcpy(backing->path, path, strlen(path) + 1);
	/* dm-crypt opens the device exclusively, as mount(2) does: fail before the first mapping. */
	fd = bench_open_exclusive(path, writable ? O_RDWR : O_RDONLY);
	if (fd < 0 && errno == EBUSY)
		return error_set(err, MORTISE_E_BUSY, 0,
				 "%s is mapped or mounted; close or unmount it first", path);
	if (fd < 0)
		return error_set(err, MORTISE_E_DEVICE, errno, "cannot open %s", path);
	code = read_size(fd, path, backing, err);
	close(fd);
	return code;
}

/* Are the first size bytes all zero? A RAM disk that holds data must not be overwritten. */
static bool is_all_zero(int fd, uint64_t size)
{
	uint8_t *bytes = malloc(CHUNK);
	bool zero = bytes;

	for (uint64_t at = 0; zero && at < size; at += CHUNK) {
		size_t part = (size_t)(size - at < CHUNK ? size - at : CHUNK);

		zero = pread(fd, bytes, part, (off_t)at) == (ssize_t)part && !bytes[0] &&
		       !memcmp(bytes, bytes + 1, part - 1);
	}
	free(bytes);
	return zero;
}

static bool find_ram_disk(uint64_t size_max, struct bench_backing *backing)
{
	bool found = false;

	for (unsigned i = 0; i < RAM_DISKS && !found; i++) {
		int fd;

		snprintf(backing->path, sizeof(backing->path), "/dev/ram%u", i);
		fd = open(backing->path, O_RDWR | O_CLOEXEC | O_EXCL);
		if (fd < 0)
			continue;
		if (!read_size(fd, backing->path, backing, NULL)) {
			backing->size = backing->size < size_max ? backing->size : size_max;
			found = is_all_zero(fd, backing->size);
		}
		close(fd);
	}
	return found;
}

/* Runs the kernel's own helper, which knows where this machine keeps its modules. */
static enum mortise_code run_modprobe(char *const words[], struct mortise_error *err)
{
	char path[256], output[256];
	char *argv[5] = { path };
	size_t count = 1;

	(void)file_read_text(KERNEL_HELP, path, sizeof(path));
	path[strcspn(path, "\n")] = '\0';
	if (!path[0])
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "this kernel does not load modules");
	for (; *words && count < 4; words++)
		argv[count++] = *words;
	return spawn(NULL, argv, output, sizeof(output), err);
}

enum mortise_code bench_ram_open(struct dm_control *control, uint64_t memory,
				 struct bench_backing *backing, struct mortise_error *err)
{
	char module[] = "brd", one[] = "rd_nr=1", size[32];
	char *words[] = { module, one, size, NULL };
	uint64_t size_max = memory / 4 < RAM_MAX ? memory / 4 : RAM_MAX;
	struct mortise_error why = { 0 };

	*backing = (struct bench_backing){
		.kind = MORTISE_DM_RAM,
		.control = control,
		.fd = -1,
		.writable = true,
	};
	size_max -= size_max % (BLOCK * BENCH_VOLUMES_MAX);
	if (size_max < RAM_MIN)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "skipped the RAM disk: there is not enough memory for it");
	if (find_ram_disk(size_max, backing))
		return MORTISE_OK;
	if (!access("/dev/ram0", F_OK))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "skipped the RAM disk: all RAM disks (/dev/ram0, ...) are in use "
				 "or hold data");
	snprintf(size, sizeof(size), "rd_size=%u", (unsigned)(size_max / 1024));
	if (run_modprobe(words, &why))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "skipped the RAM disk: cannot load the module brd: %.200s",
				 why.text);
	backing->loaded = true;
	/* devtmpfs creates the node immediately, udev after a moment. */
	for (unsigned tries = 0; tries < BENCH_TRIES; tries++) {
		if (find_ram_disk(size_max, backing))
			return MORTISE_OK;
		(void)usleep(BENCH_PAUSE_US);
	}
	bench_backing_close(backing);
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "skipped the RAM disk: /dev/ram0 did not appear, or it is in use");
}

static void wipe_ram_disk(const struct bench_backing *backing)
{
	uint8_t *zeros = calloc(1, CHUNK);
	int fd = bench_open_exclusive(backing->path, O_RDWR);

	for (uint64_t at = 0; zeros && fd >= 0 && at < backing->size; at += CHUNK) {
		size_t part = (size_t)(backing->size - at < CHUNK ? backing->size - at : CHUNK);

		if (pwrite(fd, zeros, part, (off_t)at) != (ssize_t)part)
			break;
	}
	if (fd >= 0)
		close(fd);
	free(zeros);
}

void bench_backing_close(struct bench_backing *backing)
{
	char remove[] = "-r", module[] = "brd";
	char *words[] = { remove, module, NULL };

	if (backing->fd >= 0)
		close(backing->fd);
	backing->fd = -1;
	if (backing->loaded && run_modprobe(words, NULL) == MORTISE_OK)
		return;
	if (backing->kind == MORTISE_DM_RAM)
		wipe_ram_disk(backing);
}
