/* SPDX-License-Identifier: MIT */
/*
 * A machine whose /dev, /sys, /proc and /run are folders under a temporary one: everything that
 * dm/ does outside the control node's ioctls. A device node is a file with the text "b MAJOR:MINOR"
 * or "c MAJOR:MINOR". The linker option --wrap redirects the calls to these functions.
 */
#ifndef TESTS_MACHINE_MOCK_H
#define TESTS_MACHINE_MOCK_H

#include "dm_mock.h"

#include <dirent.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/fs.h>
#include <linux/keyctl.h>
#include <linux/loop.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#define LOOPS	4u
#define CONTROL "/dev/mapper/control"

/* The number of the control node, unless a test sets another one. */
#define CONTROL_DEVICE makedev(10, 236)
#define LOOP_CONTROL   makedev(10, 237)

/* A loop device of the kernel, as in drivers/block/loop.c. */
struct loop_state {
	bool attached;
	struct loop_info64 info;
	uint32_t block_size;
};

/* A call that fails: its name and path, or an ioctl's request. */
struct denial {
	const char *call;
	const char *path;
	unsigned long request;
	int sys;
};

static struct machine {
	char root[64];
	struct denial denials[4];
	struct world *world;		/* behind the control node */
	dev_t control;			/* the driver's number */
	uid_t user;

	dev_t in_use;			/* a block device that cannot be opened with O_EXCL */
	uint64_t size;			/* of each block device */
	int logical, readonly;
	long read_ahead;

	struct loop_state loops[LOOPS];
	unsigned taken;			/* other processes attach the first n free loop devices */
	bool loop_old;			/* before Linux 5.8 */
	bool loop_ancient;		/* without LO_FLAGS_AUTOCLEAR */
	int loop_configure;		/* errno of LOOP_CONFIGURE on a kernel that lacks it */

	int key_sys;			/* errno of add_key(2) */
	char key_type[64], key_description[128];
	uint8_t key[8];
	long key_calls[8];		/* keyctl(2) */
	unsigned key_call_count;
} machine;

/* The path on the host. */
static const char *real_path(const char *path, char room[static PATH_MAX])
{
	static const char *const folders[] = { "/dev/", "/sys/", "/proc/", "/run/" };

	if (!strncmp(path, machine.root, strlen(machine.root)))
		return path;
	for (size_t i = 0; i < sizeof(folders) / sizeof(*folders); i++)
		if (!strncmp(path, folders[i], strlen(folders[i]))) {
			snprintf(room, PATH_MAX, "%s%s", machine.root, path);
			return room;
		}
	return path;
}

static bool is_denied(const char *call, const char *path)
{
	for (size_t i = 0; i < sizeof(machine.denials) / sizeof(*machine.denials); i++) {
		const struct denial *denial = &machine.denials[i];

		if (denial->call && !strcmp(denial->call, call) && !strcmp(denial->path, path)) {
			errno = denial->sys;
			return true;
		}
	}
	return false;
}

/* Reads the number of a device node. */
static bool read_node(int fd, mode_t *type, dev_t *device)
{
	unsigned major_number, minor_number;
	char text[32] = "", letter;

	if (pread(fd, text, sizeof(text) - 1, 0) <= 0 ||
	    sscanf(text, "%c %u:%u", &letter, &major_number, &minor_number) != 3 ||
	    (letter != 'b' && letter != 'c'))
		return false;
	*type = letter == 'b' ? S_IFBLK : S_IFCHR;
	*device = makedev(major_number, minor_number);
	return true;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
DIR *__real_opendir(const char *path);
DIR *__wrap_opendir(const char *path);
int __real_stat(const char *path, struct stat *st);
int __wrap_stat(const char *path, struct stat *st);
int __real_lstat(const char *path, struct stat *st);
int __wrap_lstat(const char *path, struct stat *st);
int __real_fstat(int fd, struct stat *st);
int __wrap_fstat(int fd, struct stat *st);
int __real_fstatat(int folder, const char *path, struct stat *st, int flags);
int __wrap_fstatat(int folder, const char *path, struct stat *st, int flags);
int __real_access(const char *path, int mode);
int __wrap_access(const char *path, int mode);
int __real_mkdir(const char *path, mode_t mode);
int __wrap_mkdir(const char *path, mode_t mode);
int __wrap_mknod(const char *path, mode_t mode, dev_t device);
int __real_unlink(const char *path);
int __wrap_unlink(const char *path);
int __real_rename(const char *from, const char *to);
int __wrap_rename(const char *from, const char *to);
int __real_symlink(const char *target, const char *path);
int __wrap_symlink(const char *target, const char *path);
ssize_t __real_readlink(const char *path, char *target, size_t room);
ssize_t __wrap_readlink(const char *path, char *target, size_t room);
int __wrap_ioctl(int fd, unsigned long request, ...);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
uid_t __wrap_geteuid(void);

int __wrap_open(const char *path, int flags, ...)
{
	char room[PATH_MAX];
	mode_t mode, type;
	int fd, sys = 0;
	dev_t device;
	va_list ap;

	va_start(ap, flags);
	mode = flags & O_CREAT ? va_arg(ap, mode_t) : 0;
	va_end(ap);
	if (is_denied("open", path))
		return -1;
	fd = __real_open(real_path(path, room), flags, mode);
	if (fd < 0 || path == real_path(path, room) || !read_node(fd, &type, &device))
		return fd;
	/* misc_open() and blkdev_get_by_dev() */
	if (type == S_IFCHR && device != machine.control && device != LOOP_CONTROL)
		sys = ENODEV;
	else if (type == S_IFBLK && device == machine.in_use && flags & O_EXCL)
		sys = EBUSY;
	if (!sys)
		return fd;
	close(fd);
	errno = sys;
	return -1;
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	char room[PATH_MAX];

	return is_denied("fopen", path) ? NULL : __real_fopen(real_path(path, room), mode);
}

DIR *__wrap_opendir(const char *path)
{
	char room[PATH_MAX];

	return __real_opendir(real_path(path, room));
}

/* Turns the properties of a file into those of the node that it is. */
static int patch_node(int folder, const char *path, struct stat *st)
{
	mode_t type;
	int fd;

	if (!S_ISREG(st->st_mode))
		return 0;
	fd = openat(folder, path, O_RDONLY | O_CLOEXEC);
	if (fd >= 0 && read_node(fd, &type, &st->st_rdev))
		st->st_mode = type | (st->st_mode & 07777);
	if (fd >= 0)
		close(fd);
	return 0;
}

int __wrap_stat(const char *path, struct stat *st)
{
	char room[PATH_MAX];

	path = real_path(path, room);
	return __real_stat(path, st) ? -1 : patch_node(AT_FDCWD, path, st);
}

int __wrap_lstat(const char *path, struct stat *st)
{
	char room[PATH_MAX];

	path = real_path(path, room);
	return __real_lstat(path, st) ? -1 : patch_node(AT_FDCWD, path, st);
}

int __wrap_fstat(int fd, struct stat *st)
{
	mode_t type;

	if (is_denied("fstat", "") || __real_fstat(fd, st))
		return -1;
	if (read_node(fd, &type, &st->st_rdev))
		st->st_mode = type;
	return 0;
}

int __wrap_fstatat(int folder, const char *path, struct stat *st, int flags)
{
	return __real_fstatat(folder, path, st, flags) ? -1 : patch_node(folder, path, st);
}

int __wrap_access(const char *path, int mode)
{
	char room[PATH_MAX];

	return __real_access(real_path(path, room), mode);
}

int __wrap_mkdir(const char *path, mode_t mode)
{
	char room[PATH_MAX];

	return is_denied("mkdir", path) ? -1 : __real_mkdir(real_path(path, room), mode);
}

int __wrap_mknod(const char *path, mode_t mode, dev_t device)
{
	char room[PATH_MAX];
	int fd;

	if (is_denied("mknod", path))
		return -1;
	assert_true(S_ISBLK(mode) || S_ISCHR(mode));
	assert_int_equal(mode & 07777, 0600);
	fd = __real_open(real_path(path, room), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	if (fd < 0)
		return -1;
	dprintf(fd, "%c %u:%u", S_ISBLK(mode) ? 'b' : 'c', major(device), minor(device));
	close(fd);
	return 0;
}

int __wrap_unlink(const char *path)
{
	char room[PATH_MAX];

	return is_denied("unlink", path) ? -1 : __real_unlink(real_path(path, room));
}

int __wrap_rename(const char *from, const char *to)
{
	char room[PATH_MAX], other[PATH_MAX];

	if (is_denied("rename", to))
		return -1;
	return __real_rename(real_path(from, room), real_path(to, other));
}

int __wrap_symlink(const char *target, const char *path)
{
	char room[PATH_MAX];

	return is_denied("symlink", path) ? -1 : __real_symlink(target, real_path(path, room));
}

ssize_t __wrap_readlink(const char *path, char *target, size_t size)
{
	char room[PATH_MAX];

	if (is_denied("readlink", path))
		return -1;
	return __real_readlink(real_path(path, room), target, size);
}

uid_t __wrap_geteuid(void)
{
	return machine.user;
}

static int block_ioctl(unsigned long request, void *data)
{
	switch (request) {
	case BLKGETSIZE64:
		memcpy(data, &machine.size, sizeof(machine.size));
		return 0;
	case BLKSSZGET:
		memcpy(data, &machine.logical, sizeof(machine.logical));
		return 0;
	case BLKROGET:
		memcpy(data, &machine.readonly, sizeof(machine.readonly));
		return 0;
	case BLKRAGET:
		memcpy(data, &machine.read_ahead, sizeof(machine.read_ahead));
		return 0;
	default:
		return ENOTTY;
	}
}

/* loop_set_status() in drivers/block/loop.c takes this flag, but before 2.6.28 it did not. */
static void set_status(struct loop_state *loop, const struct loop_info64 *info)
{
	loop->info = *info;
	if (machine.loop_ancient)
		loop->info.lo_flags &= ~(uint32_t)LO_FLAGS_AUTOCLEAR;
}

static int loop_ioctl(struct loop_state *loop, unsigned long request, unsigned long number,
		      void *data)
{
	struct loop_config config;

	switch (request) {
	case LOOP_CONFIGURE:
		if (machine.loop_configure)
			return machine.loop_configure;
		if (loop->attached)
			return EBUSY;
		memcpy(&config, data, sizeof(config));
		loop->attached = true;
		loop->block_size = config.block_size;
		set_status(loop, &config.info);
		return 0;
	case LOOP_SET_FD:
		if (loop->attached)
			return EBUSY;
		loop->attached = true;
		return 0;
	case LOOP_SET_BLOCK_SIZE:
		loop->block_size = (uint32_t)number;
		return 0;
	case LOOP_SET_STATUS64:
		set_status(loop, data);
		return 0;
	case LOOP_GET_STATUS64:
		memcpy(data, &loop->info, sizeof(loop->info));
		return loop->attached ? 0 : ENXIO;
	case LOOP_CLR_FD:
		if (!loop->attached)
			return ENXIO;
		*loop = (struct loop_state){ .attached = false };
		return 0;
	default:
		return ENOTTY;
	}
}

/* The number of a free loop device; another process may take it at once. */
static int free_loop(void)
{
	for (unsigned i = 0; i < LOOPS; i++)
		if (!machine.loops[i].attached) {
			if (machine.taken && machine.taken--)
				machine.loops[i].attached = true;
			return (int)i;
		}
	errno = ENOSPC;
	return -1;
}

int __wrap_ioctl(int fd, unsigned long request, ...)
{
	dev_t device = 0;
	mode_t type = 0;
	void *data;
	va_list ap;
	int sys;

	va_start(ap, request);
	data = va_arg(ap, void *);
	va_end(ap);
	/* musl passes an int. */
	request = (uint32_t)request;
	for (size_t i = 0; i < sizeof(machine.denials) / sizeof(*machine.denials); i++)
		if (machine.denials[i].request && machine.denials[i].request == request) {
			errno = machine.denials[i].sys;
			return -1;
		}
	if (!read_node(fd, &type, &device))
		fail_msg("ioctl %lx on a file", request);
	if (type == S_IFCHR && device == LOOP_CONTROL) {
		assert_int_equal(request, LOOP_CTL_GET_FREE);
		return free_loop();
	}
	if (type == S_IFCHR)
		sys = mock_ioctl(machine.world, request, data);
	else if (major(device) == 7)
		sys = loop_ioctl(&machine.loops[minor(device)], request, (unsigned long)data, data);
	else
		sys = block_ioctl(request, data);
	errno = sys;
	return sys ? -1 : 0;
}

static long add_key(const char *type, const char *description, const void *key, size_t size)
{
	if (machine.key_sys) {
		errno = machine.key_sys;
		return -1;
	}
	snprintf(machine.key_type, sizeof(machine.key_type), "%s", type);
	snprintf(machine.key_description, sizeof(machine.key_description), "%s", description);
	assert_true(size <= sizeof(machine.key));
	memcpy(machine.key, key, size);
	return 77;
}

long __wrap_syscall(long number, ...)
{
	long words[6];
	va_list ap;

	va_start(ap, number);
	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++)
		words[i] = va_arg(ap, long);
	va_end(ap);
	if (number == SYS_add_key) {
		assert_int_equal((int)words[4], KEY_SPEC_THREAD_KEYRING);
		return add_key((const char *)words[0], (const char *)words[1],
			       (const void *)words[2], (size_t)words[3]);
	}
	if (number == SYS_keyctl) {
		assert_true(machine.key_call_count < 8);
		assert_int_equal((int)words[1], 77);
		machine.key_calls[machine.key_call_count++] = words[0];
		return 0;
	}
	return __real_syscall(number, words[0], words[1], words[2], words[3], words[4], words[5]);
}

/* ------------------------------------------------------------------- for the tests */

/* Writes a new file, after making its folders. */
static void put_file(const char *path, const char *text)
{
	char room[PATH_MAX];
	FILE *file;

	real_path(path, room);
	for (char *slash = room + strlen(machine.root); (slash = strchr(slash + 1, '/'));) {
		*slash = '\0';
		assert_true(!__real_mkdir(room, 0755) || errno == EEXIST);
		*slash = '/';
	}
	(void)__real_unlink(room);
	file = __real_fopen(room, "we");
	assert_non_null(file);
	fputs(text, file);
	fclose(file);
}

static void put_device(const char *path, char letter, dev_t device)
{
	char text[32];

	snprintf(text, sizeof(text), "%c %u:%u", letter, major(device), minor(device));
	put_file(path, text);
}

static void put_link(const char *path, const char *target)
{
	char room[PATH_MAX];

	put_file(path, "");
	real_path(path, room);
	assert_int_equal(__real_unlink(room), 0);
	assert_int_equal(__real_symlink(target, room), 0);
}

static bool has_file(const char *path)
{
	char room[PATH_MAX];
	struct stat st;

	return !__real_lstat(real_path(path, room), &st);
}

/* The text of a file, or the target of a link after "-> ". */
static void expect_file(const char *path, const char *text)
{
	char room[PATH_MAX], got[128] = "";
	ssize_t size;
	int fd;

	real_path(path, room);
	size = __real_readlink(room, got + 3, sizeof(got) - 4);
	if (size >= 0) {
		memcpy(got, "-> ", 3);
	} else {
		fd = __real_open(room, O_RDONLY | O_CLOEXEC);
		if (fd < 0)
			fail_msg("%s does not exist", path);
		assert_true(read(fd, got, sizeof(got) - 1) >= 0);
		close(fd);
	}
	assert_string_equal(got, text);
}

/* The names in a folder, without "." and "..". */
static inline size_t count_files(const char *path)
{
	char room[PATH_MAX];
	size_t count = 0;
	DIR *folder;

	folder = __real_opendir(real_path(path, room));
	assert_non_null(folder);
	while (readdir(folder))
		count++;
	closedir(folder);
	return count - 2;
}

static void deny(const char *call, const char *path, int sys)
{
	struct denial *denial = machine.denials;

	while (denial->sys)
		denial++;
	*denial = (struct denial){ .call = call, .path = path, .sys = sys };
}

static inline void deny_ioctl(unsigned long request, int sys)
{
	struct denial *denial = machine.denials;

	while (denial->sys)
		denial++;
	*denial = (struct denial){ .request = request, .sys = sys };
}

static void allow_all(void)
{
	memset(machine.denials, 0, sizeof(machine.denials));
}

static unsigned open_files(void)
{
	unsigned count = 0;

	for (int fd = 0; fd < 1024; fd++)
		count += fcntl(fd, F_GETFD) >= 0;
	return count;
}

static unsigned files_before;

/* Also a machine with device-mapper whose /dev is an empty devtmpfs. */
static int machine_start(void **state)
{
	const char *folder = getenv("TMPDIR");
	char path[PATH_MAX];

	(void)state;
	machine = (struct machine){
		.control = CONTROL_DEVICE,
		.size = 64u << 20,
		.logical = 512,
		.read_ahead = 256,
	};
	snprintf(path, sizeof(path), "%s/mortise-XXXXXX", folder && *folder ? folder : "/tmp");
	assert_true(strlen(path) < sizeof(machine.root));
	assert_non_null(mkdtemp(path));
	memcpy(machine.root, path, strlen(path) + 1);
	put_file("/proc/misc", "237 loop-control\n236 device-mapper\n");
	put_file("/dev/null", "");
	files_before = open_files();
	return 0;
}

static void remove_tree(const char *path)
{
	DIR *folder = __real_opendir(path);
	struct dirent *entry;
	char inner[PATH_MAX];

	while (folder && (entry = readdir(folder))) {
		if (!strcmp(entry->d_name, ".") || !strcmp(entry->d_name, ".."))
			continue;
		assert_true(snprintf(inner, sizeof(inner), "%s/%s", path, entry->d_name) <
			    (int)sizeof(inner));
		if (__real_unlink(inner))
			remove_tree(inner);
	}
	if (folder)
		closedir(folder);
	rmdir(path);
}

/* No test leaves a file open. */
static int machine_stop(void **state)
{
	(void)state;
	remove_tree(machine.root);
	assert_int_equal(open_files(), files_before);
	return 0;
}

#endif
