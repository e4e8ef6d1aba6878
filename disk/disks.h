/* SPDX-License-Identifier: MIT */
/* The disks of this machine as Talos's selectors see them, from sysfs and without udev. */
#ifndef DISK_DISKS_H
#define DISK_DISKS_H

#include <mortise.h>

#include "base/disk_facts.h"

/* A whole disk. The texts of facts lie behind it. */
struct disk {
	struct disk_facts facts;
	char bus_path[512];
	char dev_path[96];
	char firmware_version[64];
	char modalias[256];
	char model[128];
	char serial[256];
	char sub_system[96];
	char transport[16];
	char uuid[64];
	char wwid[256];
	char **symlinks;	/* NULL behind the last */
	size_t symlink_count;
};

struct disk_list {
	struct disk **disk; /* by dev_path */
	size_t count;
};

/*
 * All disks but loop devices, RAM disks, mappings, and what has no size or no node. root is put
 * before /sys and /dev: "". MORTISE_E_SYSTEM when there is no sysfs, MORTISE_E_MEMORY. Ended by
 * disk_list_clear in either case.
 */
MORTISE_MUST_CHECK enum mortise_code disk_list_read(const char *root, struct disk_list *disks,
						    struct mortise_error *err);
void disk_list_clear(struct disk_list *disks);

/* Fills all of disk but its links and what concerns the system disk; name: as in /sys/block. */
void disk_describe(const char *root, const char *name, struct disk *disk);

#endif
