/* SPDX-License-Identifier: MIT */
/*
 * Hostile text of the kernel: mounts, swap areas, uevents, partition labels, attributes of disks,
 * cgroups. An input is a set of files: each is the last component of its path, a newline and the
 * text, up to the next byte 1. The file "ls" lists the entries of every directory.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/machine.h"
#include "base/mountinfo.h"
#include "disk/disks.h"
#include "disk/partition.h"
#include "disk/swap.h"
#include "disk/sysfs.h"
#include "dm/dm.h"
#include "dm/host.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

#define SEPARATOR '\1'
#define ROOT	  "/fuzz"

enum kind { MOUNT, USER, SWAP, UEVENT, LABEL, DISK, NODE, LIMIT };
const char *const fuzz_kinds[] = { "mounts", "mounts in use", "swap areas", "uevents", "labels",
				   "disks",  "device nodes",  "limits",	    NULL };

/* The directory that is open, which is a copy of "ls". */
static struct {
	char *names, *rest;
	struct dirent entry;
} directory;

/* False: the input has no such file. */
static bool find_file(const char *path, const char **text, size_t *size)
{
	const char *name = strrchr(path, '/') + 1, *at = (const char *)input.at;
	size_t left = input.left, length = strlen(name);

	while (left) {
		const char *end = memchr(at, SEPARATOR, left);
		size_t whole = end ? (size_t)(end - at) : left;

		if (whole > length && !memcmp(at, name, length) && at[length] == '\n') {
			*text = at + length + 1;
			*size = whole - length - 1;
			return true;
		}
		at += whole + (end != NULL);
		left -= whole + (end != NULL);
	}
	return false;
}

static bool is_hostile(const char *path)
{
	return !strncmp(path, "/sys/", 5) || !strncmp(path, "/proc/", 6) ||
	       !strncmp(path, ROOT "/", strlen(ROOT) + 1);
}

static int open_file(const char *path)
{
	const char *text;
	size_t size;
	int fd;

	if (!find_file(path, &text, &size)) {
		errno = ENOENT;
		return -1;
	}
	fd = memfd_create("file", MFD_CLOEXEC);
	check(fd >= 0 && pwrite(fd, text, size, 0) == (ssize_t)size);
	return fd;
}

int __real_open(const char *path, int flags, ...);
int __wrap_open(const char *path, int flags, ...);
FILE *__real_fopen(const char *path, const char *mode);
FILE *__wrap_fopen(const char *path, const char *mode);
DIR *__wrap_opendir(const char *path);
struct dirent *__wrap_readdir(DIR *stream);
int __wrap_closedir(DIR *stream);
char *__wrap_realpath(const char *path, char *real);

int __wrap_open(const char *path, int flags, ...)
{
	return is_hostile(path) ? open_file(path) : __real_open(path, flags);
}

FILE *__wrap_fopen(const char *path, const char *mode)
{
	int fd;

	if (!is_hostile(path))
		return __real_fopen(path, mode);
	fd = open_file(path);
	return fd < 0 ? NULL : fdopen(fd, mode);
}

/* One at a time, except that a second one is empty. */
DIR *__wrap_opendir(const char *path)
{
	const char *text;
	size_t size;

	check(is_hostile(path));
	if (directory.names || !find_file("/ls", &text, &size))
		return NULL;
	directory.names = directory.rest = strndup(text, size);
	check(directory.names != NULL);
	return (DIR *)&directory;
}

struct dirent *__wrap_readdir(DIR *stream)
{
	char *name;

	(void)stream;
	do
		name = strsep(&directory.rest, "\n");
	while (name && (!*name || strchr(name, '/')));
	if (!name)
		return NULL;
	snprintf(directory.entry.d_name, sizeof(directory.entry.d_name), "%s", name);
	return &directory.entry;
}

int __wrap_closedir(DIR *stream)
{
	(void)stream;
	free(directory.names);
	directory.names = NULL;
	return 0;
}

/* Links lead to the first line of the file. */
char *__wrap_realpath(const char *path, char *real)
{
	const char *text;
	size_t size;

	if (!find_file(path, &text, &size) || !size || *text != '/')
		return NULL;
	snprintf(real, PATH_MAX, "%.*s", (int)(size < PATH_MAX ? size : PATH_MAX - 1), text);
	real[strcspn(real, "\n")] = '\0';
	return real;
}

static void check_text(const char *text, size_t room)
{
	check(memchr(text, 0, room) != NULL);
}

static void check_printable(const char *text, size_t room)
{
	check_text(text, room);
	for (; *text; text++)
		check(!iscntrl((unsigned char)*text));
}

static void mounts(void)
{
	struct mountinfo mounts;
	char text[160];

	mountinfo_open(&mounts);
	while (mountinfo_next(&mounts)) {
		check_text(mounts.mount_point, sizeof(mounts.mount_point));
		check_text(mounts.source, sizeof(mounts.source));
		check(*mounts.mount_point);
		fuzz_accepted(MOUNT);
	}
	mountinfo_close(&mounts);
	if (dm_sysfs_describe_user(makedev(8, 1), text, sizeof(text))) {
		check_text(text, sizeof(text));
		fuzz_accepted(USER);
	}
}

static void swaps(void)
{
	static struct stat root;
	char path[PATH_MAX];

	if (!root.st_dev)
		check(!stat("/", &root));
	if (disk_swap_find(root.st_dev, path)) {
		check(*path == '/' && strlen(path) < PATH_MAX);
		fuzz_accepted(SWAP);
	}
}

static void uevents(void)
{
	static const char *const keys[] = { "DEVNAME", "DEVTYPE", "PARTNAME", "PARTUUID" };
	struct mortise_error err;
	char value[40], path[160];

	for (size_t i = 0; i < sizeof(keys) / sizeof(*keys); i++) {
		if (!sysfs_uevent("/sys/class/block", "sda1", keys[i], value, sizeof(value)))
			continue;
		check_text(value, sizeof(value));
		check(!strchr(value, '\n'));
		fuzz_accepted(UEVENT);
	}
	if (disk_of_partition(makedev(8, 1), path, sizeof(path)))
		check(!strncmp(path, "/dev/", 5) && strlen(path) < sizeof(path));
	if (disk_find_label("STATE", "STATE", path, sizeof(path), &err))
		check(*err.text);
	else
		fuzz_accepted(LABEL);
	check(!*path || !strncmp(path, "/dev/", 5));
	if (!dm_device_path(makedev(254, 0), path, sizeof(path), &err)) {
		check(!strncmp(path, "/dev/", 5));
		fuzz_accepted(NODE);
	}
	dm_loop_backing(makedev(7, 0), path, sizeof(path));
	check_text(path, sizeof(path));
}

static void check_disk(const struct disk *disk)
{
	check_text(disk->dev_path, sizeof(disk->dev_path));
	check_text(disk->bus_path, sizeof(disk->bus_path));
	check_printable(disk->firmware_version, sizeof(disk->firmware_version));
	check_printable(disk->modalias, sizeof(disk->modalias));
	check_printable(disk->model, sizeof(disk->model));
	check_printable(disk->serial, sizeof(disk->serial));
	check_text(disk->sub_system, sizeof(disk->sub_system));
	check_printable(disk->transport, sizeof(disk->transport));
	check_printable(disk->uuid, sizeof(disk->uuid));
	check_printable(disk->wwid, sizeof(disk->wwid));
	check(disk->facts.io_size && disk->facts.sector_size);
	fuzz_accepted(DISK);
}

static void disks(void)
{
	struct disk_list disks;
	struct mortise_error err;

	if (disk_list_read(ROOT, &disks, &err))
		check(*err.text);
	for (size_t i = 0; i < disks.count; i++)
		check_disk(disks.disk[i]);
	disk_list_clear(&disks);
}

static void limits(void)
{
	const struct machine_files files = { ROOT "/proc", ROOT "/cgroup" };
	bool swap;

	if (machine_available(&files) < (uint64_t)1 << 40 && machine_quota(&files) < 1u << 16)
		fuzz_accepted(LIMIT);
	(void)machine_memory(&files, &swap);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	input_begin(data, size);
	mounts();
	swaps();
	uevents();
	disks();
	limits();
	check(!directory.names);
	return 0;
}
