/* SPDX-License-Identifier: MIT */
/*
 * What sysfs says of one disk. Which file says what, and how transports are told apart, is Talos's
 * way (siderolabs/go-blockdevice, block/device_linux.go), so that its selectors mean the same here.
 */
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "disk/disks.h"
#include "disk/sysfs.h"

#define SECTOR 512u /* the unit of sysfs, whatever the disk's own is */

struct disk_place {
	char blocks[PATH_MAX]; /* /sys/block */
	const char *root;
	const char *name;
};

/* A text without blanks around it, and without what could disturb a terminal. */
static void read_text(const struct disk_place *place, const char *file, char *text, size_t room)
{
	size_t begin, end;

	sysfs_line(place->blocks, place->name, file, text, room);
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

/* The first of these files that says anything; NULL ends them. */
static void read_first(const struct disk_place *place, const char *const *files, char *text,
		       size_t room)
{
	*text = '\0';
	for (; *files && !*text; files++)
		read_text(place, *files, text, room);
}

static uint64_t read_number(const struct disk_place *place, const char *file)
{
	char text[32];

	read_text(place, file, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

/* Page 0x80 of the vital product data, which SCSI and ATA disks have: 4 bytes, then the text. */
static void read_page_80(const struct disk_place *place, char *text, size_t room)
{
	char path[PATH_MAX];
	uint8_t page[256] = { 0 };
	size_t size = 0, used = 0;
	FILE *file;

	if (snprintf(path, sizeof(path), "%s/%s/device/vpd_pg80", place->blocks, place->name) >=
	    (int)sizeof(path))
		return;
	file = fopen(path, "re");
	if (file) {
		size = fread(page, 1, sizeof(page), file);
		fclose(file);
	}
	if (size < 4 || page[1] != 0x80)
		return;
	if (size > 4u + page[3])
		size = 4u + page[3];
	for (size_t i = 4; i < size && used < room - 1; i++)
		if (page[i] > ' ' && page[i] < 0x7f)
			text[used++] = (char)page[i];
	text[used] = '\0';
}

/* Where the device is in the tree of buses: two steps above its own directory. */
static void read_bus_path(const struct disk_place *place, char *text, size_t room)
{
	char path[PATH_MAX], real[PATH_MAX], top[PATH_MAX];
	char *slash;

	*text = '\0';
	if (snprintf(path, sizeof(path), "%s/%s", place->blocks, place->name) >=
		    (int)sizeof(path) ||
	    !realpath(path, real))
		return;
	if (snprintf(path, sizeof(path), "%s/sys/devices", place->root) >= (int)sizeof(path) ||
	    !realpath(path, top) || strncmp(real, top, strlen(top)) != 0)
		return;
	for (int i = 0; i < 2; i++) {
		slash = strrchr(real + strlen(top), '/');
		if (slash)
			*slash = '\0';
	}
	snprintf(text, room, "%s", real + strlen(top));
}

/* Path of PREFIX_host/hostNUMBER, and whether it is there. */
static bool has_host(const struct disk_place *place, const char *prefix, int number)
{
	char path[PATH_MAX];
	struct stat st;

	return snprintf(path, sizeof(path), "%s/sys/class/%s_host/host%d", place->root, prefix,
			number) < (int)sizeof(path) &&
	       !stat(path, &st) && S_ISDIR(st.st_mode);
}

/* A disk that the SCSI layer has, by the adapter that it hangs on. */
static const char *scsi_transport(const struct disk_place *place, int host, const char *bus_path)
{
	char directory[PATH_MAX], host_name[32], driver[64];

	if (has_host(place, "sas", host))
		return "sas";
	if (has_host(place, "fc", host))
		return "fc";
	if (has_host(place, "iscsi", host))
		return "iscsi";
	if (strstr(bus_path, "usb"))
		return "usb";
	snprintf(directory, sizeof(directory), "%.4000s/sys/class/scsi_host", place->root);
	snprintf(host_name, sizeof(host_name), "host%d", host);
	sysfs_line(directory, host_name, "proc_name", driver, sizeof(driver));
	if (!strcmp(driver, "ahci") || !strcmp(driver, "sata"))
		return "sata";
	if (strstr(driver, "ata"))
		return "ata";
	return strcmp(driver, "virtio_scsi") ? "" : "virtio";
}

static const char *transport(const struct disk_place *place, const char *bus_path)
{
	static const char *const by_name[][2] = {
		{ "nvme", "nvme" },
		{ "vd", "virtio" },
		{ "mmcblk", "mmc" },
	};
	char path[PATH_MAX], real[PATH_MAX];
	int host, rest;

	for (size_t i = 0; i < sizeof(by_name) / sizeof(*by_name); i++)
		if (!strncmp(place->name, by_name[i][0], strlen(by_name[i][0])))
			return by_name[i][1];
	/* HOST:CHANNEL:TARGET:LUN */
	if (snprintf(path, sizeof(path), "%s/%s/device", place->blocks, place->name) <
		    (int)sizeof(path) &&
	    realpath(path, real) && sscanf(strrchr(real, '/'), "/%d:%d:", &host, &rest) == 2)
		return scsi_transport(place, host, bus_path);
	return "";
}

/* The preferred size, then the least one, where it is a power of two. */
static uint64_t io_size(const struct disk_place *place)
{
	static const char *const files[] = { "queue/optimal_io_size", "queue/minimum_io_size",
					     "queue/logical_block_size" };

	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		const uint64_t size = read_number(place, files[i]);

		if (size && !(size & (size - 1)))
			return size;
	}
	return SECTOR;
}

void disk_describe(const char *root, const char *name, struct disk *disk)
{
	static const char *const firmware[] = { "device/firmware_rev", "device/rev", NULL };
	static const char *const wwid[] = { "wwid", "device/wwid", NULL };
	static const char *const uuid[] = { "uuid", "device/uuid", NULL };
	/* Talos knows the first only; a virtio disk says it in the second. */
	static const char *const serial[] = { "device/serial", "serial", NULL };
	struct disk_place place = { .root = root, .name = name };
	char node[64], path[PATH_MAX], real[PATH_MAX];

	snprintf(place.blocks, sizeof(place.blocks), "%.4000s/sys/block", root);
	/* Where a name in sysfs has "!", that of the node has "/". */
	if (!sysfs_uevent(place.blocks, name, "DEVNAME", node, sizeof(node)))
		snprintf(node, sizeof(node), "%.60s", name);
	snprintf(disk->dev_path, sizeof(disk->dev_path), "/dev/%s", node);
	read_first(&place, firmware, disk->firmware_version, sizeof(disk->firmware_version));
	read_first(&place, wwid, disk->wwid, sizeof(disk->wwid));
	read_first(&place, uuid, disk->uuid, sizeof(disk->uuid));
	read_first(&place, serial, disk->serial, sizeof(disk->serial));
	if (!*disk->serial)
		read_page_80(&place, disk->serial, sizeof(disk->serial));
	read_text(&place, "device/model", disk->model, sizeof(disk->model));
	read_text(&place, "device/modalias", disk->modalias, sizeof(disk->modalias));
	read_bus_path(&place, disk->bus_path, sizeof(disk->bus_path));
	snprintf(disk->transport, sizeof(disk->transport), "%s", transport(&place, disk->bus_path));
	snprintf(path, sizeof(path), "%.3000s/%.255s/subsystem", place.blocks, name);
	if (realpath(path, real))
		snprintf(disk->sub_system, sizeof(disk->sub_system), "%.90s", real + strlen(root));
	disk->facts = (struct disk_facts){
		.size = read_number(&place, "size") * SECTOR,
		.io_size = io_size(&place),
		.sector_size = read_number(&place, "queue/logical_block_size"),
		.readonly = read_number(&place, "ro") == 1,
		.rotational = read_number(&place, "queue/rotational") == 1,
		.cdrom = !strncmp(name, "sr", 2),
		.bus_path = disk->bus_path,
		.dev_path = disk->dev_path,
		.firmware_version = disk->firmware_version,
		.modalias = disk->modalias,
		.model = disk->model,
		.serial = disk->serial,
		.sub_system = disk->sub_system,
		.transport = disk->transport,
		.uuid = disk->uuid,
		.wwid = disk->wwid,
	};
	if (!disk->facts.sector_size)
		disk->facts.sector_size = SECTOR;
}
