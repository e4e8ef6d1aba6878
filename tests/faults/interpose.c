/* SPDX-License-Identifier: MIT */
/*
 * Preloaded into the program: counts its calls by kind, and makes one of them fail.
 *   FAULT=KIND:N          the N-th call of this kind fails, from 1
 *   FAULT=KIND:N-         that call and each one after it fails
 *   FAULT=eintr           each second call that may be interrupted is, once
 *   FAULT=short           reads and writes transfer half of what was asked for
 *   FAULT_COUNTS=FILE     receives a line "KIND NUMBER" for each kind, at the end of the program
 * "alloc" is memory for the program itself, "library" memory for other libraries, which ask more often.
 * Other programs that the program starts run undisturbed.
 */
#include <dirent.h>
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <link.h>
#include <pthread.h>
#include <spawn.h>
#include <stdarg.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

enum kind {
	ALLOC,
	LIBRARY,
	MAP,
	OPEN,
	STAT,
	READ,
	WRITE,
	SIZE,
	SYNC,
	CONTROL,
	RANDOM,
	START,
	THREAD,
	LOCK,
	NAME,
	KINDS
};

static const struct {
	const char *name;
	int error;
} kinds[KINDS] = {
	[ALLOC] = { "alloc", ENOMEM },	 [LIBRARY] = { "library", ENOMEM },
	[MAP] = { "map", ENOMEM },	 [OPEN] = { "open", EMFILE },
	[STAT] = { "stat", EIO },	 [READ] = { "read", EIO },
	[WRITE] = { "write", ENOSPC },	 [SIZE] = { "size", ENOSPC },
	[SYNC] = { "sync", EIO },	 [CONTROL] = { "ioctl", EIO },
	[RANDOM] = { "random", EIO },	 [START] = { "start", EAGAIN },
	[THREAD] = { "thread", EAGAIN }, [LOCK] = { "lock", ENOLCK },
	[NAME] = { "name", EROFS },
};

static atomic_uint calls[KINDS], interrupted;
static enum kind failing = KINDS;
static unsigned fail_at;
static bool active, shorten, interrupt, lasting;
static const char *counts;

void *__libc_malloc(size_t size);
void *__libc_calloc(size_t count, size_t size);
void *__libc_realloc(void *old, size_t size);
void *__libc_memalign(size_t alignment, size_t size);

/* The code of the program, from the first file of the list. */
static struct {
	uintptr_t from, to;
} own;

static int find_own(struct dl_phdr_info *info, size_t size, void *context)
{
	(void)size;
	(void)context;
	for (int i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *part = &info->dlpi_phdr[i];

		if (part->p_type != PT_LOAD || !(part->p_flags & PF_X))
			continue;
		own.from = info->dlpi_addr + part->p_vaddr;
		own.to = own.from + part->p_memsz;
	}
	return 1;
}

static enum kind kind_of(const void *caller)
{
	return (uintptr_t)caller >= own.from && (uintptr_t)caller < own.to ? ALLOC : LIBRARY;
}

__attribute__((constructor)) static void start(void)
{
	const char *fault = getenv("FAULT");
	char name[16] = "", dash = 0;

	counts = getenv("FAULT_COUNTS");
	unsetenv("LD_PRELOAD");
	dl_iterate_phdr(find_own, NULL);
	shorten = fault && !strcmp(fault, "short");
	interrupt = fault && !strcmp(fault, "eintr");
	if (fault && sscanf(fault, "%15[a-z]:%u%c", name, &fail_at, &dash) >= 2)
		for (failing = 0; failing < KINDS && strcmp(name, kinds[failing].name); failing++)
			;
	lasting = dash == '-';
	active = true;
}

__attribute__((destructor)) static void finish(void)
{
	FILE *file;

	active = false;
	file = counts ? fopen(counts, "we") : NULL;
	for (int kind = 0; file && kind < KINDS; kind++)
		fprintf(file, "%s %u\n", kinds[kind].name, calls[kind]);
	if (file)
		fclose(file);
}

/* Does this call fail? errno is set then. */
static bool fails(enum kind kind)
{
	unsigned call;

	if (!active)
		return false;
	call = atomic_fetch_add(&calls[kind], 1) + 1;
	if (kind != failing || (lasting ? call < fail_at : call != fail_at))
		return false;
	errno = kinds[kind].error;
	return true;
}

/* Is this call interrupted? Each second one is. */
static bool is_interrupted(void)
{
	if (!active || !interrupt || atomic_fetch_add(&interrupted, 1) % 2)
		return false;
	errno = EINTR;
	return true;
}

static size_t part(size_t size)
{
	return active && shorten && size > 1 ? size / 2 : size;
}

#define NEXT(function) ((__typeof__(&(function)))dlsym(RTLD_NEXT, #function))

void *malloc(size_t size)
{
	return fails(kind_of(__builtin_return_address(0))) ? NULL : __libc_malloc(size);
}

void *calloc(size_t count, size_t size)
{
	return fails(kind_of(__builtin_return_address(0))) ? NULL : __libc_calloc(count, size);
}

void *realloc(void *old, size_t size)
{
	return fails(kind_of(__builtin_return_address(0))) ? NULL : __libc_realloc(old, size);
}

int posix_memalign(void **memory, size_t alignment, size_t size)
{
	if (fails(kind_of(__builtin_return_address(0))))
		return ENOMEM;
	*memory = __libc_memalign(alignment, size);
	return *memory ? 0 : ENOMEM;
}

char *strdup(const char *text)
{
	return fails(kind_of(__builtin_return_address(0))) ? NULL : NEXT(strdup)(text);
}

char *strndup(const char *text, size_t size)
{
	return fails(kind_of(__builtin_return_address(0))) ? NULL : NEXT(strndup)(text, size);
}

int vasprintf(char **text, const char *format, va_list arguments)
{
	return fails(kind_of(__builtin_return_address(0)))
		       ? -1
		       : NEXT(vasprintf)(text, format, arguments);
}

int asprintf(char **text, const char *format, ...)
{
	va_list arguments;
	int size;

	if (fails(kind_of(__builtin_return_address(0))))
		return -1;
	va_start(arguments, format);
	size = NEXT(vasprintf)(text, format, arguments);
	va_end(arguments);
	return size;
}

void *mmap(void *address, size_t size, int protection, int flags, int fd, off_t offset)
{
	if (fails(MAP))
		return MAP_FAILED;
	return (void *)syscall(SYS_mmap, address, size, protection, flags, fd, offset);
}

static int open_at(int directory, const char *path, int flags, va_list arguments)
{
	const mode_t mode = flags & (O_CREAT | O_TMPFILE) ? va_arg(arguments, mode_t) : 0;

	if (fails(OPEN))
		return -1;
	return (int)syscall(SYS_openat, directory, path, flags, mode);
}

int open(const char *path, int flags, ...)
{
	va_list arguments;
	int fd;

	va_start(arguments, flags);
	fd = open_at(AT_FDCWD, path, flags, arguments);
	va_end(arguments);
	return fd;
}

int openat(int directory, const char *path, int flags, ...)
{
	va_list arguments;
	int fd;

	va_start(arguments, flags);
	fd = open_at(directory, path, flags, arguments);
	va_end(arguments);
	return fd;
}

FILE *fopen(const char *path, const char *mode)
{
	return fails(OPEN) ? NULL : NEXT(fopen)(path, mode);
}

DIR *opendir(const char *path)
{
	return fails(OPEN) ? NULL : NEXT(opendir)(path);
}

int fstat(int fd, struct stat *st)
{
	return fails(STAT) ? -1 : NEXT(fstat)(fd, st);
}

int stat(const char *path, struct stat *st)
{
	return fails(STAT) ? -1 : NEXT(stat)(path, st);
}

ssize_t read(int fd, void *bytes, size_t size)
{
	if (fails(READ) || is_interrupted())
		return -1;
	return syscall(SYS_read, fd, bytes, part(size));
}

ssize_t pread(int fd, void *bytes, size_t size, off_t offset)
{
	if (fails(READ) || is_interrupted())
		return -1;
	return syscall(SYS_pread64, fd, bytes, part(size), offset);
}

ssize_t write(int fd, const void *bytes, size_t size)
{
	if (fails(WRITE) || is_interrupted())
		return -1;
	return syscall(SYS_write, fd, bytes, part(size));
}

ssize_t pwrite(int fd, const void *bytes, size_t size, off_t offset)
{
	if (fails(WRITE) || is_interrupted())
		return -1;
	return syscall(SYS_pwrite64, fd, bytes, part(size), offset);
}

int ftruncate(int fd, off_t size)
{
	return fails(SIZE) ? -1 : (int)syscall(SYS_ftruncate, fd, size);
}

int fallocate(int fd, int mode, off_t offset, off_t size)
{
	return fails(SIZE) ? -1 : (int)syscall(SYS_fallocate, fd, mode, offset, size);
}

int posix_fallocate(int fd, off_t offset, off_t size)
{
	return fails(SIZE) ? kinds[SIZE].error : NEXT(posix_fallocate)(fd, offset, size);
}

int fsync(int fd)
{
	return fails(SYNC) ? -1 : (int)syscall(SYS_fsync, fd);
}

int fdatasync(int fd)
{
	return fails(SYNC) ? -1 : (int)syscall(SYS_fdatasync, fd);
}

int ioctl(int fd, unsigned long request, ...)
{
	va_list arguments;
	void *argument;

	va_start(arguments, request);
	argument = va_arg(arguments, void *);
	va_end(arguments);
	return fails(CONTROL) ? -1 : (int)syscall(SYS_ioctl, fd, request, argument);
}

ssize_t getrandom(void *bytes, size_t size, unsigned flags)
{
	if (fails(RANDOM) || is_interrupted())
		return -1;
	return syscall(SYS_getrandom, bytes, part(size), flags);
}

pid_t fork(void)
{
	return fails(START) ? -1 : NEXT(fork)();
}

int posix_spawn(pid_t *pid, const char *path, const posix_spawn_file_actions_t *actions,
		const posix_spawnattr_t *attributes, char *const arguments[],
		char *const environment[])
{
	if (fails(START))
		return kinds[START].error;
	return NEXT(posix_spawn)(pid, path, actions, attributes, arguments, environment);
}

int pthread_create(pthread_t *thread, const pthread_attr_t *attributes, void *(*run)(void *),
		   void *argument)
{
	return fails(THREAD) ? kinds[THREAD].error
			     : NEXT(pthread_create)(thread, attributes, run, argument);
}

int flock(int fd, int operation)
{
	return fails(LOCK) || (!(operation & LOCK_NB) && is_interrupted())
		       ? -1
		       : (int)syscall(SYS_flock, fd, operation);
}

int renameat(int from_directory, const char *from, int to_directory, const char *to)
{
	return fails(NAME) ? -1 : NEXT(renameat)(from_directory, from, to_directory, to);
}

int linkat(int from_directory, const char *from, int to_directory, const char *to, int flags)
{
	return fails(NAME) ? -1 : NEXT(linkat)(from_directory, from, to_directory, to, flags);
}
