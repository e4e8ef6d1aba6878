/* SPDX-License-Identifier: MIT */
/*
 * Reading one disk's attributes from sysfs. Files and transports are chosen as in Talos
 * (siderolabs/go-blockdevice, block/device_linux.go), so that its selectors match the same disks.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/file.h"
#include "disk/disks.h"
#include "disk/sysfs.h"

#define SECTOR 512u /* the unit of sysfs, independent of the disk's sector size */

struct sysfs_disk {
	char blocks[PATH_MAX]; /* /sys/block */
	const char *root;
	const char *name;
};

/* Reads a text, strips blanks around it, and replaces control characters. */
static void read_text(const struct sysfs_disk *source, const char *file, char *text, size_t room)
{
	size_t begin, end;

	sysfs_line(source->blocks, source->name, file, text, room);
	begin = strspn(text, " \t\r");
	end = strlen(text);
	while (end > begin && strchr(" \t\r", text[end - 1]))
		end--;
	memmove(text, text + begin, end - begin);
	text[end - begin] = '\0';
	for (; *text; text++)
		if ((unsigned char)*text < ' ' || *text == 0x7f)
			*text = '?';
}

/* Reads the first file of a NULL-terminated list that is not empty. */
static void read_first(const struct sysfs_disk *source, const char *const *files, char *text,
		       size_t room)
{
	*text = '\0';
	for (; *files && !*text; files++)
		read_text(source, *files, text, room);
}

static uint64_t read_number(const struct sysfs_disk *source, const char *file)
{
	char text[32];

	read_text(source, file, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

/* The serial number in SCSI's vital product data, page 0x80: a header of 4 bytes, then the text. */
static void read_page_80(const struct sysfs_disk *source, char *text, size_t room)
{
	char path[PATH_MAX];
	uint8_t page[256] = { 0 };
	size_t size = 0, used = 0;
	ssize_t got;
	int fd;

	if (snprintf(path, sizeof(path), "%s/%s/device/vpd_pg80", source->blocks, source->name) >=
	    (int)sizeof(path))
		return;
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return;
	got = file_read_fd(fd, page, sizeof(page));
	close(fd);
	size = got > 0 ? (size_t)got : 0;
	if (size < 4 || page[1] != 0x80)
		return;
	if (size > 4u + page[3])
		size = 4u + page[3];
	for (size_t i = 4; i < size && used < room - 1; i++)
		if (page[i] > ' ' && page[i] < 0x7f)
			text[used++] = (char)page[i];
	text[used] = '\0';
}

/* The path of the device below /sys/devices, without its last two directories. */
static void read_bus_path(const struct sysfs_disk *source, char *text, size_t room)
{
	char path[PATH_MAX], real[PATH_MAX], top[PATH_MAX];
	char *slash;

	*text = '\0';
	if (snprintf(path, sizeof(path), "%s/%s", source->blocks, source->name) >=
		    (int)sizeof(path) ||
	    !realpath(path, real))
		return;
	if (snprintf(path, sizeof(path), "%s/sys/devices", source->root) >= (int)sizeof(path) ||
	    !realpath(path, top) || strncmp(real, top, strlen(top)) != 0)
		return;
	for (int i = 0; i < 2; i++) {
		slash = strrchr(real + strlen(top), '/');
		if (slash)
			*slash = '\0';
	}
	snprintf(text, room, "%s", real + strlen(top));
}

/* Does /sys/class/PREFIX_host/hostNUMBER exist? */
static bool has_host(const struct sysfs_disk *source, const char *prefix, int number)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof(path), "%s/sys/class/%s_host/host%d", source->root, prefix,
			number) < (int)sizeof(path) &&
	       !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* The transport of a SCSI disk, by its host adapter. */
static const char *find_scsi_transport(const struct sysfs_disk *source, int host,
				       const char *bus_path)
{
	char directory[PATH_MAX], host_name[32], driver[64];

	if (has_host(source, "sas", host))
		return "sas";
	if (has_host(source, "fc", host))
		return "fc";
	if (has_host(source, "iscsi", host))
		return "iscsi";
	if (strstr(bus_path, "usb"))
		return "usb";
	snprintf(directory, sizeof(directory), "%.4000s/sys/class/scsi_host", source->root);
	snprintf(host_name, sizeof(host_name), "host%d", host);
	sysfs_line(directory, host_name, "proc_name", driver, sizeof(driver));
	if (!strcmp(driver, "ahci") || !strcmp(driver, "sata"))
		return "sata";
	if (strstr(driver, "ata"))
		return "ata";
	return strcmp(driver, "virtio_scsi") ? "" : "virtio";
}

static const char *find_transport(const struct sysfs_disk *source, const char *bus_path)
{
	static const char *const by_name[][2] = {
		{ "nvme", "nvme" },
		{ "vd", "virtio" },
		{ "mmcblk", "mmc" },
	};
	char path[PATH_MAX], real[PATH_MAX];
	int host, rest;

	for (size_t i = 0; i < sizeof(by_name) / sizeof(*by_name); i++)
		if (!strncmp(source->name, by_name[i][0], strlen(by_name[i][0])))
			return by_name[i][1];
	/* HOST:CHANNEL:TARGET:LUN */
	if (snprintf(path, sizeof(path), "%s/%s/device", source->blocks, source->name) <
		    (int)sizeof(path) &&
	    realpath(path, real) && sscanf(strrchr(real, '/'), "/%d:%d:", &host, &rest) == 2)
		return find_scsi_transport(source, host, bus_path);
	return "";
}

/* The optimal I/O size, else the minimum one; only powers of two count. */
static uint64_t read_io_size(const struct sysfs_disk *source)
{
	static const char *const files[] = { "queue/optimal_io_size", "queue/minimum_io_size",
					     "queue/logical_block_size" };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		const uint64_t size = read_number(source, files[i]);

		if (size && !(size & (size - 1)))
			return size;
	}
	return SECTOR;
}

/* As Bytes() of Go's dustin/go-humanize prints it: two digits at least, powers of 1000. */
static void print_size(uint64_t size, char *text, size_t room)
{
	static const char *const units[] = { "B", "kB", "MB", "GB", "TB", "PB", "EB" };
	double value = (double)size;
	unsigned tenths;
	size_t unit = 0;

	for (; value >= 1000; unit++)
		value /= 1000;
	/* One digit after the point, which does not depend on the locale. */
	tenths = (unsigned)(value * 10 + 0.5);
	if (size >= 10 && tenths < 100)
		snprintf(text, room, "%u.%u %s", tenths / 10, tenths % 10, units[unit]);
	else
		snprintf(text, room, "%.0f %s", (double)tenths / 10, units[unit]);
}

void disk_describe(const char *root, const char *name, struct disk *disk)
{
	static const char *const firmware[] = { "device/firmware_rev", "device/rev", NULL };
	static const char *const wwid[] = { "wwid", "device/wwid", NULL };
	static const char *const uuid[] = { "uuid", "device/uuid", NULL };
	/* Talos reads the first only; virtio disks have the second. */
	static const char *const serial[] = { "device/serial", "serial", NULL };
	struct sysfs_disk source = { .root = root, .name = name };
	char node[64], path[PATH_MAX], real[PATH_MAX];

	snprintf(source.blocks, sizeof(source.blocks), "%.4000s/sys/block", root);
	/* "/" in the node's name is "!" in sysfs: DEVNAME has the node's. */
	if (!sysfs_uevent(source.blocks, name, "DEVNAME", node, sizeof(node)))
		snprintf(node, sizeof(node), "%.60s", name);
	snprintf(disk->dev_path, sizeof(disk->dev_path), "/dev/%s", node);
	read_first(&source, firmware, disk->firmware_version, sizeof(disk->firmware_version));
	read_first(&source, wwid, disk->wwid, sizeof(disk->wwid));
	read_first(&source, uuid, disk->uuid, sizeof(disk->uuid));
	read_first(&source, serial, disk->serial, sizeof(disk->serial));
	if (!*disk->serial)
		read_page_80(&source, disk->serial, sizeof(disk->serial));
	read_text(&source, "device/model", disk->model, sizeof(disk->model));
	read_text(&source, "device/modalias", disk->modalias, sizeof(disk->modalias));
	read_bus_path(&source, disk->bus_path, sizeof(disk->bus_path));
	snprintf(disk->transport, sizeof(disk->transport), "%s",
		 find_transport(&source, disk->bus_path));
	snprintf(path, sizeof(path), "%.3000s/%.255s/subsystem", source.blocks, name);
	if (realpath(path, real))
		snprintf(disk->sub_system, sizeof(disk->sub_system), "%.90s", real + strlen(root));
	disk->facts = (struct disk_facts){
		.size = read_number(&source, "size") * SECTOR,
		.io_size = read_io_size(&source),
		.sector_size = read_number(&source, "queue/logical_block_size"),
		.readonly = read_number(&source, "ro") == 1,
		.rotational = read_number(&source, "queue/rotational") == 1,
		.cdrom = !strncmp(name, "sr", 2),
		.bus_path = disk->bus_path,
		.dev_path = disk->dev_path,
		.firmware_version = disk->firmware_version,
		.modalias = disk->modalias,
		.model = disk->model,
		.pretty_size = disk->pretty_size,
		.serial = disk->serial,
		.sub_system = disk->sub_system,
		.transport = disk->transport,
		.uuid = disk->uuid,
		.wwid = disk->wwid,
	};
	print_size(disk->facts.size, disk->pretty_size, sizeof(disk->pretty_size));
	if (!disk->facts.sector_size)
		disk->facts.sector_size = SECTOR;
}
