/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into a program: stops it with SIGSTOP at one of its calls on certain files, and whenever
 * it does not get a lock, after one byte is written to a pipe: 'p' for a pause, 'w' for a lock to wait for.
 *   PAUSE_FILES=NAME:...  the names of these files, without directories
 *   PAUSE_AT=N            stop before the N-th call on them, from 1
 *   PAUSE_FD=FD           the pipe
 *   PAUSE_COUNT=FILE      receives the number of the calls, at the end of the program
 */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdarg.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/types.h>
#include <unistd.h>

#define FDS 1024

static bool watched[FDS];
static unsigned calls, pause_at;
static int pipe_fd = -1;
static const char *files, *count_file;

__attribute__((constructor)) static void start(void)
{
	const char *at = getenv("PAUSE_AT"), *fd = getenv("PAUSE_FD");

	files = getenv("PAUSE_FILES");
	count_file = getenv("PAUSE_COUNT");
	pause_at = at ? (unsigned)atoi(at) : 0;
	pipe_fd = fd ? atoi(fd) : -1;
	unsetenv("LD_PRELOAD");
}

__attribute__((destructor)) static void finish(void)
{
	FILE *file = count_file ? fopen(count_file, "we") : NULL;

	if (!file)
		return;
	fprintf(file, "%u\n", calls);
	fclose(file);
}

static void stop(char why)
{
	const int sys = errno;

	if (syscall(SYS_write, pipe_fd, &why, 1) == 1)
		kill(getpid(), SIGSTOP);
	errno = sys;
}

static void count(void)
{
	if (__atomic_add_fetch(&calls, 1, __ATOMIC_SEQ_CST) == pause_at)
		stop('p');
}

static void before(int fd)
{
	if (fd >= 0 && fd < FDS && watched[fd])
		count();
}

static bool is_watched(const char *path)
{
	const char *name = strrchr(path, '/'), *at = files;
	size_t length;

	name = name ? name + 1 : path;
	length = strlen(name);
	while (at && *at) {
		if (!strncmp(at, name, length) && (!at[length] || at[length] == ':'))
			return true;
		at = strchr(at, ':');
		at = at ? at + 1 : NULL;
	}
	return false;
}

static int open_at(int directory, const char *path, int flags, va_list arguments)
{
	const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;
	const bool watch = is_watched(path);
	int fd;

	if (watch)
		count();
	fd = (int)syscall(SYS_openat, directory, path, flags, mode);
	if (fd >= 0 && fd < FDS)
		watched[fd] = watch;
	return fd;
}

#define OPEN(name)                                              \
	int name(const char *path, int flags, ...)              \
	{                                                       \
		va_list arguments;                              \
		int fd;                                         \
                                                                \
		va_start(arguments, flags);                     \
		fd = open_at(AT_FDCWD, path, flags, arguments); \
		va_end(arguments);                              \
		return fd;                                      \
	}

#define OPENAT(name)                                              \
	int name(int directory, const char *path, int flags, ...) \
	{                                                         \
		va_list arguments;                                \
		int fd;                                           \
                                                                  \
		va_start(arguments, flags);                       \
		fd = open_at(directory, path, flags, arguments);  \
		va_end(arguments);                                \
		return fd;                                        \
	}

OPEN(open)
OPEN(open64)
OPENAT(openat)
OPENAT(openat64)

int close(int fd)
{
	/* The end of a lock. */
	before(fd);
	if (fd >= 0 && fd < FDS)
		watched[fd] = false;
	return (int)syscall(SYS_close, fd);
}

ssize_t read(int fd, void *bytes, size_t size)
{
	before(fd);
	return syscall(SYS_read, fd, bytes, size);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	before(fd);
	return syscall(SYS_write, fd, bytes, size);
}

#define PREAD(name)                                                   \
	ssize_t name(int fd, void *bytes, size_t size, off_t offset)  \
	{                                                             \
		before(fd);                                           \
		return syscall(SYS_pread64, fd, bytes, size, offset); \
	}

#define PWRITE(name)                                                       \
	ssize_t name(int fd, const void *bytes, size_t size, off_t offset) \
	{                                                                  \
		before(fd);                                                \
		return syscall(SYS_pwrite64, fd, bytes, size, offset);     \
	}

PREAD(pread)
PREAD(pread64)
PWRITE(pwrite)
PWRITE(pwrite64)

int fsync(int fd)
{
	before(fd);
	return (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	before(fd);
	return (int)syscall(SYS_fdatasync, fd);
}

#define TRUNCATE(name)                                        \
	int name(int fd, off_t size)                          \
	{                                                     \
		before(fd);                                   \
		return (int)syscall(SYS_ftruncate, fd, size); \
	}

TRUNCATE(ftruncate)
TRUNCATE(ftruncate64)

int flock(int fd, int operation)
{
	count();
	for (;;) {
		const int failed = (int)syscall(SYS_flock, fd, operation | LOCK_NB);

		if (!failed || errno != EWOULDBLOCK)
			return failed;
		stop('w');
		if (operation & LOCK_NB)
			return -1;
	}
}
