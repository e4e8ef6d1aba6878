/* SPDX-License-Identifier: MIT */
/*
 * A disk for tests: an image file of DISK_SIZE bytes whose writes and flushes are recorded. The
 * disk tracks its contents on stable storage and the writes that a power cut could lose or tear,
 * and can make the n-th call fail. Include this file in only one C file, with DISK_SIZE defined: it
 * defines pwrite(2) and fsync(2).
 */
#ifndef TESTS_DISK_H
#define TESTS_DISK_H

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stddef.h>
#include <setjmp.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <unistd.h>
#include <cmocka.h>

#define SECTOR		512u	/* a power cut does not tear a sector */
#ifndef PENDING_MAX
#define PENDING_MAX	8
#endif
#define PIECE		65536u	/* bytes */
#define DISK_CUTS	16u	/* number of variants of each cut */
/*
 * Test each variant, or every fourth: sanitizers check memory, for which these suffice, and they
 * make the forks of each reader slow.
 */
#ifdef __SANITIZE_ADDRESS__
#define STRIDE		4u
#else
#define STRIDE		1u
#endif

/* A write that is not yet flushed. */
struct disk_write {
	uint64_t offset;
	size_t size;
	uint8_t *bytes;
};

struct disk {
	char directory[64];
	char path[80];		/* of the image */
	char cut[80];		/* of the image after a power cut */
	bool recording;
	uint8_t stable[DISK_SIZE];
	struct disk_write pending[PENDING_MAX];
	size_t pending_count;
	unsigned calls;		/* writes and flushes */
	unsigned fail_at;	/* number of the failing call; 0: none */
	bool fail_torn;		/* half of the failing write reaches the disk */
	/* Called before a write takes effect; may be NULL. */
	void (*before_write)(const uint8_t *bytes, uint64_t offset, size_t size);
	/* Called before a flush takes effect: every state that a cut can leave exists then. */
	void (*before_flush)(struct disk *disk);
	const void *context;
	/*
	 * The first failure. It is reported after the operation, because a longjmp(3) out of the
	 * operation would not release its lock.
	 */
	char wrong[200];
};

/* Only one per program, like pwrite(2) and fsync(2). */
static struct disk disk;

__attribute__((format(printf, 1, 2))) static inline void disk_wrong(const char *format, ...)
{
	va_list arguments;

	if (*disk.wrong)
		return;
	va_start(arguments, format);
	vsnprintf(disk.wrong, sizeof(disk.wrong), format, arguments);
	va_end(arguments);
}

static inline ssize_t real_pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	const struct iovec piece = { (void *)(uintptr_t)bytes, size };

	return pwritev(fd, &piece, 1, offset);
}

/*
 * Writes only the pieces that differ: tests of power cuts store hundreds of images that are nearly
 * equal.
 */
static inline void disk_store(const char *path, const uint8_t *bytes)
{
	int fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0600);
	const uint8_t *now;

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, DISK_SIZE), 0);
	now = mmap(NULL, DISK_SIZE, PROT_READ, MAP_SHARED, fd, 0);
	assert_true(now != MAP_FAILED);
	for (size_t at = 0; at < DISK_SIZE; at += PIECE) {
		size_t size = DISK_SIZE - at < PIECE ? DISK_SIZE - at : PIECE;

		if (memcmp(now + at, bytes + at, size) != 0)
			assert_int_equal(real_pwrite(fd, bytes + at, size, (off_t)at), size);
	}
	assert_int_equal(munmap((void *)(uintptr_t)now, DISK_SIZE), 0);
	close(fd);
}

static inline void disk_fetch(const char *path, uint8_t *bytes)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	memset(bytes, 0, DISK_SIZE);
	assert_true(pread(fd, bytes, DISK_SIZE, 0) >= 0);
	close(fd);
}

static inline int disk_new(void **state)
{
	const char *base = getenv("TMPDIR");

	(void)state;
	snprintf(disk.directory, sizeof(disk.directory), "%.30s/mortise-disk.XXXXXX",
		 base ? base : "/tmp");
	if (!mkdtemp(disk.directory))
		return -1;
	snprintf(disk.path, sizeof(disk.path), "%s/image", disk.directory);
	snprintf(disk.cut, sizeof(disk.cut), "%s/cut", disk.directory);
	return 0;
}

static inline int disk_remove(void **state)
{
	(void)state;
	unlink(disk.path);
	unlink(disk.cut);
	return rmdir(disk.directory);
}

static inline void disk_forget_pending(void)
{
	while (disk.pending_count)
		free(disk.pending[--disk.pending_count].bytes);
}

/* Starts recording; the present contents are on stable storage. */
static inline void disk_record(unsigned fail_at, bool fail_torn)
{
	disk_fetch(disk.path, disk.stable);
	disk_forget_pending();
	disk.calls = 0;
	disk.fail_at = fail_at;
	disk.fail_torn = fail_torn;
	*disk.wrong = '\0';
	disk.recording = true;
}

/* The sectors of a write after a cut: all, none, the first ones, the last ones, every other, ... */
static inline bool disk_reached(size_t sector, size_t count, unsigned variant)
{
	uint64_t mixed = (sector + 1) * UINT64_C(0x9e3779b97f4a7c15) ^ variant * 0x85ebca6bu;

	switch (variant) {
	case 0:
		return true;
	case 1:
		return false;
	case 2:
		return sector == 0;
	case 3:
		return sector != 0;
	case 4:
		return sector < count / 2;
	case 5:
		return sector >= count / 2;
	case 6:
		return sector != count - 1;
	case 7:
		return sector % 2 == 0;
	default:
		return (mixed ^ mixed >> 29) & 4;
	}
}

/* Applies those sectors of a pending write for which chosen() returns true. */
static inline void disk_apply(uint8_t *image, const struct disk_write *write,
			      bool (*chosen)(size_t sector, size_t count, unsigned variant),
			      unsigned variant)
{
	size_t count = (write->size + SECTOR - 1) / SECTOR;

	for (size_t i = 0; i < count; i++) {
		size_t at = i * SECTOR;
		size_t size = write->size - at < SECTOR ? write->size - at : SECTOR;

		if (chosen(i, count, variant))
			memcpy(image + write->offset + at, write->bytes + at, size);
	}
}

/* Computes the disk after a cut before a flush, in one of DISK_CUTS variants. */
static inline void disk_cut(unsigned variant, uint8_t *image)
{
	memcpy(image, disk.stable, DISK_SIZE);
	for (size_t i = 0; i < disk.pending_count; i++)
		disk_apply(image, &disk.pending[i], disk_reached,
			   variant < 8 ? variant : variant + 97 * (unsigned)i);
}

/* Makes each cut; find_loss() returns what is lost on the disk at path, or NULL. */
static inline void disk_try_cuts(const char *(*find_loss)(const char *path))
{
	static uint8_t image[DISK_SIZE];

	disk.recording = false;
	for (unsigned variant = 0; variant < DISK_CUTS; variant += STRIDE) {
		const char *loss;

		disk_cut(variant, image);
		disk_store(disk.cut, image);
		loss = find_loss(disk.cut);
		if (loss)
			disk_wrong("cut before flush, call %u, variant %u: %s", disk.calls, variant,
				   loss);
	}
	disk.recording = true;
}

static inline bool is_disk(int fd)
{
	struct stat of_fd, of_path;

	return disk.recording && !fstat(fd, &of_fd) && !stat(disk.path, &of_path) &&
	       of_fd.st_ino == of_path.st_ino && of_fd.st_dev == of_path.st_dev;
}

static inline void disk_remember(const void *bytes, size_t size, off_t offset)
{
	struct disk_write *write = &disk.pending[disk.pending_count];

	assert_true(disk.pending_count < PENDING_MAX);
	assert_true((uint64_t)offset + size <= DISK_SIZE);
	write->offset = (uint64_t)offset;
	write->size = size;
	write->bytes = malloc(size);
	assert_non_null(write->bytes);
	memcpy(write->bytes, bytes, size);
	disk.pending_count++;
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	if (!is_disk(fd))
		return real_pwrite(fd, bytes, size, offset);
	disk.calls++;
	if (disk.before_write)
		disk.before_write(bytes, (uint64_t)offset, size);
	if (disk.calls == disk.fail_at) {
		size_t half = size / 2 / SECTOR * SECTOR;

		if (disk.fail_torn) {
			disk_remember(bytes, half, offset);
			(void)real_pwrite(fd, bytes, half, offset);
		}
		errno = EIO;
		return -1;
	}
	disk_remember(bytes, size, offset);
	return real_pwrite(fd, bytes, size, offset);
}

/* Nothing relies on the host's disk: what is not recorded need not reach it. */
int fsync(int fd)
{
	if (!is_disk(fd))
		return 0;
	disk.calls++;
	if (disk.before_flush)
		disk.before_flush(&disk);
	if (disk.calls == disk.fail_at) {
		errno = EIO;
		return -1;
	}
	for (size_t i = 0; i < disk.pending_count; i++)
		memcpy(disk.stable + disk.pending[i].offset, disk.pending[i].bytes,
		       disk.pending[i].size);
	disk_forget_pending();
	return 0;
}

#endif
