/* SPDX-License-Identifier: MIT */
/* What sysfs and /proc say about a block device, by its number. */
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

static void sys_path(char path[static SYS_PATH], dev_t device, const char *file)
{
	snprintf(path, SYS_PATH, "/sys/dev/block/%u:%u/%s", major(device), minor(device), file);
}

/* A file of one value, without its newline; false when it is not there or too long. */
static bool sys_read(dev_t device, const char *file, char *text, size_t room)
{
	char path[SYS_PATH];
	ssize_t size;
	int fd;

	sys_path(path, device, file);
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

static bool is_node(const char *path, dev_t device)
{
	struct stat st;

	return !stat(path, &st) && S_ISBLK(st.st_mode) && st.st_rdev == device;
}

/* DEVNAME has the slashes that directory names in sysfs lack: "cciss/c0d0". */
static bool kernel_name(dev_t device, char *name, size_t room)
{
	char uevent[1024];
	char *line, *rest = uevent;

	if (!sys_read(device, "uevent", uevent, sizeof(uevent)))
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

	if (sys_read(device, "dm/name", name, sizeof(name)))
		size = snprintf(path, room, "/dev/" DM_DIR "/%s", name);
	/* Mappings have a second name, for those without a node under /dev/mapper. */
	if ((size < 0 || (size_t)size >= room || !is_node(path, device)) &&
	    kernel_name(device, name, sizeof(name)))
		size = snprintf(path, room, "/dev/%s", name);
	if (size < 0)
		return error_set(err, MORTISE_E_DEVICE, 0,
				 "Cannot find block device %u:%u in sysfs. Is /sys mounted?",
				 major(device), minor(device));
	if ((size_t)size >= room)
		return error_set(err, MORTISE_E_SYSTEM, ENAMETOOLONG,
				 "The path of block device %u:%u is too long", major(device),
				 minor(device));
	return MORTISE_OK;
}

void dm_loop_backing(dev_t device, char *file, size_t room)
{
	if (!room)
		return;
	if (!sys_read(device, "loop/backing_file", file, room))
		*file = '\0';
}

void dm_sysfs_read_ahead(dev_t device, uint32_t sectors)
{
	char path[SYS_PATH], text[24];
	uint32_t wanted = sectors / 2; /* KiB */
	int fd, size;

	if (sys_read(device, "queue/read_ahead_kb", text, sizeof(text)) &&
	    strtoul(text, NULL, 10) >= wanted)
		return;
	sys_path(path, device, "queue/read_ahead_kb");
	fd = open(path, O_WRONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	size = snprintf(text, sizeof(text), "%u", wanted);
	/* Without it the mapping is slower, not wrong. */
	(void)!write(fd, text, (size_t)size);
	close(fd);
}

static bool held(dev_t device, char *text, size_t room)
{
	char path[SYS_PATH];
	struct dirent *entry;
	bool found = false;
	DIR *holders;

	sys_path(path, device, "holders");
	holders = opendir(path);
	if (!holders)
		return false;
	while (!found && (entry = readdir(holders)))
		if (entry->d_name[0] != '.') {
			snprintf(text, room, "/dev/%s stands on it: close that first.",
				 entry->d_name);
			found = true;
		}
	closedir(holders);
	return found;
}

static bool mounted(dev_t device, char *text, size_t room)
{
	struct mountinfo mounts;
	bool found = false;

	mountinfo_open(&mounts);
	while (!found && mountinfo_next(&mounts))
		found = mounts.device == device;
	if (found)
		snprintf(text, room, "It is mounted on %s: unmount it first.", mounts.mount_point);
	mountinfo_close(&mounts);
	return found;
}

bool dm_sysfs_user(dev_t device, char *text, size_t room)
{
	return held(device, text, room) || mounted(device, text, room);
}
