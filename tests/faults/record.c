/* SPDX-License-Identifier: MIT */
/*
 * Writes by other calls (mmap(2), stdio, renames) are not recorded: the program has none in files that
 * are tested, and replay compares the files after the run with the trace.
 */
#include "tests/faults/record.h"

#include <fcntl.h>
#include <limits.h>
#include <linux/falloc.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include "tests/faults/trace.h"

static int trace = -1;
static char folder[PATH_MAX];
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;

__attribute__((noreturn)) static void give_up(const char *why)
{
	fprintf(stderr, "recorder: %s\n", why);
	_exit(99);
}

void record_start(void)
{
	const char *path = getenv("RECORD"), *under = getenv("RECORD_UNDER");

	if (!path || !under)
		return;
	if (!realpath(under, folder))
		give_up("RECORD_UNDER does not exist");
	trace = (int)syscall(SYS_openat, AT_FDCWD, path,
			     O_WRONLY | O_CREAT | O_TRUNC | O_APPEND | O_CLOEXEC, 0600);
	if (trace < 0)
		give_up("RECORD cannot be created");
}

static void put(struct trace_record record, const char *name, const void *bytes, size_t size)
{
	struct iovec parts[] = {
		{ &record, sizeof(record) },
		{ (void *)(uintptr_t)bytes, size },
	};

	if (strlen(name) > TRACE_NAME_MAX)
		give_up("the name of a file is too long");
	strcpy(record.name, name);
	pthread_mutex_lock(&lock);
	if (writev(trace, parts, 2) != (ssize_t)(sizeof(record) + size))
		give_up("the trace cannot be written");
	pthread_mutex_unlock(&lock);
}

/* The name of an open file in the folder, or NULL; "": the folder itself. */
static const char *name_of(int fd, char path[static PATH_MAX])
{
	const size_t length = strlen(folder);
	char link[32];
	ssize_t size;

	if (trace < 0)
		return NULL;
	snprintf(link, sizeof(link), "/proc/self/fd/%d", fd);
	size = readlink(link, path, PATH_MAX - 1);
	if (size < 0)
		return NULL;
	path[size] = '\0';
	if (strncmp(path, folder, length) != 0)
		return NULL;
	if (!path[length])
		return "";
	return path[length] == '/' ? path + length + 1 : NULL;
}

void record_write(int fd, const void *bytes, ssize_t size, off_t offset)
{
	char path[PATH_MAX];
	const char *name = size > 0 ? name_of(fd, path) : NULL;

	if (!name)
		return;
	if (offset < 0)
		offset = lseek(fd, 0, SEEK_CUR) - size;
	put((struct trace_record){ TRACE_WRITE, (uint64_t)offset, (uint64_t)size, "" }, name, bytes,
	    (size_t)size);
	if (fcntl(fd, F_GETFL) & O_DSYNC)
		record_flush(fd);
}

void record_size(int fd, off_t size)
{
	char path[PATH_MAX];
	const char *name = name_of(fd, path);

	if (name)
		put((struct trace_record){ TRACE_SIZE, 0, (uint64_t)size, "" }, name, NULL, 0);
}

void record_punch(int fd, int mode, off_t offset, off_t size)
{
	char path[PATH_MAX];
	const char *name = name_of(fd, path);
	struct stat st;

	if (!name)
		return;
	if (mode & FALLOC_FL_PUNCH_HOLE)
		put((struct trace_record){ TRACE_PUNCH, (uint64_t)offset, (uint64_t)size, "" },
		    name, NULL, 0);
	else if (!mode && !fstat(fd, &st) && st.st_size == offset + size)
		record_size(fd, st.st_size);
}

void record_flush(int fd)
{
	char path[PATH_MAX];
	const char *name = name_of(fd, path);

	if (name)
		put((struct trace_record){ .op = TRACE_FLUSH }, name, NULL, 0);
}

bool record_creates(int directory, const char *path, int flags)
{
	return trace >= 0 && (flags & O_CREAT) && faccessat(directory, path, F_OK, 0);
}

void record_create(int fd)
{
	char path[PATH_MAX];
	const char *name = name_of(fd, path);

	if (name)
		put((struct trace_record){ .op = TRACE_CREATE }, name, NULL, 0);
}

/* The program only unlinks files of the current folder, or by an absolute path. */
void record_unlink(int directory, const char *path)
{
	const size_t length = strlen(folder);

	if (trace < 0 || directory != AT_FDCWD)
		return;
	if (*path == '/' && (strncmp(path, folder, length) != 0 || path[length] != '/'))
		return;
	put((struct trace_record){ .op = TRACE_UNLINK }, *path == '/' ? path + length + 1 : path,
	    NULL, 0);
}
