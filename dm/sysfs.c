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
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#define SYS_PATH 96u

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

bool dm_sysfs_describe_user(dev_t device, char *text, size_t room)
{
	return describe_holder(device, text, room) || describe_mount(device, text, room);
}
