/* SPDX-License-Identifier: MIT */
/* A block device in sysfs and /proc, by its number. */
#include "dm/control.h"
#include "base/error.h"
#include "base/file.h"
#include "base/mountinfo.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SYS_PATH  96u
#define DEPTH_MAX 16u /* mappings on mappings */

static void format_path(char path[static SYS_PATH], dev_t device, const char *file)
{
	snprintf(path, SYS_PATH, "/sys/dev/block/%u:%u/%s", major(device), minor(device), file);
}

/* Reads a file with one value, without its newline. False: absent or too long. */
static bool read_value(dev_t device, const char *file, char *text, size_t room)
{
	char path[SYS_PATH];
	ssize_t size;
	int fd;

	format_path(path, device, file);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return false;
	size = file_read_fd(fd, text, room);
	close(fd);
	if (size <= 0 || (size_t)size == room)
		return false;
	if (text[size - 1] == '\n')
		size--;
	text[size] = '\0';
	return size > 0;
}

bool dm_has_inline_tags(dev_t device, uint32_t *size)
{
	/* Only NVMe has metadata_bytes. */
	static const char *const files[] = { "metadata_bytes", "integrity/tag_size" };
	char text[32], file[40];
	const char *disk = read_value(device, "partition", text, sizeof(text)) ? "../" : "";

	snprintf(file, sizeof(file), "%sintegrity/format", disk);
	/* Before Linux 6.11, dm-integrity has a name of its own. */
	if (!read_value(device, file, text, sizeof(text)) ||
	    (strcmp(text, "nop") && strcmp(text, "DM-DIF-EXT-TAG")))
		return false;
	*size = 0;
	for (size_t i = 0; !*size && i < sizeof(files) / sizeof(files[0]); i++) {
		snprintf(file, sizeof(file), "%s%s", disk, files[i]);
		if (read_value(device, file, text, sizeof(text)))
			*size = (uint32_t)strtoul(text, NULL, 10);
	}
	return true;
}

static bool is_node(const char *path, dev_t device)
{
	struct stat st;

	return !stat(path, &st) && S_ISBLK(st.st_mode) && st.st_rdev == device;
}

/* DEVNAME has the slashes that names in sysfs cannot have: "cciss/c0d0". */
static bool read_kernel_name(dev_t device, char *name, size_t room)
{
	char uevent[1024];
	char *line, *rest = uevent;

	if (!read_value(device, "uevent", uevent, sizeof(uevent)))
		return false;
	while ((line = strsep(&rest, "\n")))
		if (!strncmp(line, "DEVNAME=", 8))
			return snprintf(name, room, "%s", line + 8) < (int)room;
	return false;
}

enum mortise_code dm_device_path(dev_t device, char *path, size_t room, struct mortise_error *err)
{
	char name[DM_NAME_LEN + 1];
	int size = -1;

	if (read_value(device, "dm/name", name, sizeof(name)))
		size = snprintf(path, room, "/dev/" DM_DIR "/%s", name);
	/* A mapping may have no node under /dev/mapper, but one under its kernel name. */
	if ((size < 0 || (size_t)size >= room || !is_node(path, device)) &&
	    read_kernel_name(device, name, sizeof(name)))
		size = snprintf(path, room, "/dev/%s", name);
	if (size < 0)
		return error_set(err, MORTISE_E_DEVICE, 0,
				 "cannot find block device %u:%u in sysfs; is /sys mounted?",
				 major(device), minor(device));
	if ((size_t)size >= room)
		return error_set(err, MORTISE_E_SYSTEM, ENAMETOOLONG,
				 "cannot use block device %u:%u: its path is too long",
				 major(device), minor(device));
	return MORTISE_OK;
}

void dm_loop_backing(dev_t device, char *file, size_t room)
{
	if (!room)
		return;
	if (!read_value(device, "loop/backing_file", file, room))
		*file = '\0';
}

void dm_sysfs_read_ahead(dev_t device, uint32_t sectors)
{
	char path[SYS_PATH], text[24];
	uint32_t wanted = sectors / 2; /* KiB */
	int fd, size;

	if (read_value(device, "queue/read_ahead_kb", text, sizeof(text)) &&
	    strtoul(text, NULL, 10) >= wanted)
		return;
	format_path(path, device, "queue/read_ahead_kb");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	size = snprintf(text, sizeof(text), "%u", wanted);
	/* After a failure the mapping is only slower. */
	(void)!write(fd, text, (size_t)size);
	close(fd);
}

static bool describe_holder(dev_t device, char *text, size_t room)
{
	char path[SYS_PATH];
	struct dirent *entry;
	bool found = false;
	DIR *holders;

	format_path(path, device, "holders");
	holders = opendir(path);
	if (!holders)
		return false;
	while (!found && (entry = readdir(holders)))
		if (entry->d_name[0] != '.') {
			snprintf(text, room, "/dev/%s is using it; close that first.",
				 entry->d_name);
			found = true;
		}
	closedir(holders);
	return found;
}

static bool describe_mount(dev_t device, char *text, size_t room)
{
	struct mountinfo mounts;
	bool found = false;

	mountinfo_open(&mounts);
	while (!found && mountinfo_next(&mounts))
		found = mountinfo_is_of(&mounts, device);
	if (found)
		snprintf(text, room, "It is mounted on %s; unmount it first.", mounts.mount_point);
	mountinfo_close(&mounts);
	return found;
}

/* The number of a block device in a folder of another one in sysfs. */
static bool read_number(dev_t device, const char *folder, dev_t *number)
{
	unsigned above, below;
	char text[32], file[48];

	snprintf(file, sizeof(file), "%.40s/dev", folder);
	if (!read_value(device, file, text, sizeof(text)) ||
	    sscanf(text, "%u:%u", &above, &below) != 2)
		return false;
	*number = makedev(above, below);
	return true;
}

static unsigned find_mount_id(int fd)
{
	char path[40], line[128];
	unsigned id = 0;
	FILE *info;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	info = fopen(path, "re");
	while (info && !id && fgets(line, sizeof(line), info))
		(void)!sscanf(line, "mnt_id: %u", &id);
	if (info)
		fclose(info);
	return id;
}

/* btrfs shows numbers of its own, which differ from that of its mount. The source names the device. */
static dev_t find_source(int fd)
{
	const unsigned id = find_mount_id(fd);
	struct mountinfo mounts;
	struct stat st;
	dev_t device = 0;

	mountinfo_open(&mounts);
	while (id && !device && mountinfo_next(&mounts))
		if (mounts.id == id && mounts.source[0] == '/' && !stat(mounts.source, &st) &&
		    S_ISBLK(st.st_mode))
			device = st.st_rdev;
	mountinfo_close(&mounts);
	return device;
}

static bool device_is_on(dev_t device, dev_t lower, unsigned depth);

static bool file_is_on(const char *path, dev_t lower, unsigned depth)
{
	const int fd = open(path, O_PATH | O_CLOEXEC);
	dev_t device = 0;
	struct stat st;

	if (fd < 0)
		return false;
	if (!fstat(fd, &st))
		device = S_ISBLK(st.st_mode) ? st.st_rdev
			 : major(st.st_dev)  ? st.st_dev
					     : find_source(fd);
	close(fd);
	return device && device_is_on(device, lower, depth);
}

static bool slaves_are_on(dev_t device, dev_t lower, unsigned depth)
{
	char path[SYS_PATH], folder[40];
	struct dirent *entry;
	bool found = false;
	DIR *slaves;
	dev_t below;

	format_path(path, device, "slaves");
	slaves = opendir(path);
	while (slaves && !found && (entry = readdir(slaves))) {
		snprintf(folder, sizeof(folder), "slaves/%.32s", entry->d_name);
		found = entry->d_name[0] != '.' && read_number(device, folder, &below) &&
			device_is_on(below, lower, depth);
	}
	if (slaves)
		closedir(slaves);
	return found;
}

static bool device_is_on(dev_t device, dev_t lower, unsigned depth)
{
	char file[PATH_MAX], text[32];
	dev_t disk;

	if (device == lower || !depth)
		return device == lower;
	if (read_value(device, "partition", text, sizeof(text)))
		return read_number(device, "..", &disk) && device_is_on(disk, lower, depth - 1);
	dm_loop_backing(device, file, sizeof(file));
	return *file ? file_is_on(file, lower, depth - 1) : slaves_are_on(device, lower, depth - 1);
}

bool dm_file_is_on(const char *path, dev_t device)
{
	return file_is_on(path, device, DEPTH_MAX);
}

bool dm_sysfs_describe_user(dev_t device, char *text, size_t room)
{
	return describe_holder(device, text, room) || describe_mount(device, text, room);
}
