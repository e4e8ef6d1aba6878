/* SPDX-License-Identifier: MIT */
/* The disks of this machine as Talos's disk selectors see them, from sysfs and without udev. */
#ifndef DISK_DISKS_H
#define DISK_DISKS_H

#include <mortise.h>

#include "base/disk_facts.h"

/* A whole disk. facts points to the texts that follow it. */
struct disk {
	struct disk_facts facts;
	char bus_path[512];
	char dev_path[96];
	char firmware_version[64];
	char modalias[256];
	char model[128];
	char pretty_size[16];
	char serial[256];
	char sub_system[96];
	char transport[16];
	char uuid[64];
	char wwid[256];
	struct disk_texts {
		char **text;	/* NULL-terminated */
		size_t count;
	} symlinks, secondary_disks;
};

struct disk_list {
	struct disk **disk; /* sorted by dev_path */
	size_t count;
};

/*
 * Reads all disks except loop devices, RAM disks, mappings, and disks without a size or a node.
 * root is put before /sys and /dev; "" outside tests. MORTISE_E_SYSTEM: there is no sysfs.
 * MORTISE_E_MEMORY. disk_list_clear() ends the list, also after a failure.
 */
MORTISE_MUST_CHECK enum mortise_code disk_list_read(const char *root, struct disk_list *disks,
						    struct mortise_error *err);
/*
 * Finds the disk whose node path leads to, or adds it to the list, also if it is a loop device.
 * MORTISE_E_DEVICE: path leads to no whole disk.
 */
MORTISE_MUST_CHECK enum mortise_code disk_list_add(struct disk_list *disks, const char *path,
						   struct disk **out, struct mortise_error *err);
void disk_list_clear(struct disk_list *disks);

/*
 * Fills in disk, except its lists and whether it is the system disk. name is its directory in
 * /sys/block.
 */
void disk_describe(const char *root, const char *name, struct disk *disk);

#endif
