/* SPDX-License-Identifier: MIT */
/* The disks of this machine as Talos's selectors see them, from sysfs and without udev. */
#ifndef VOLUME_DISKS_H
#define VOLUME_DISKS_H

#include "meta/config.h"
#include "meta/selector.h"

/* A whole disk. The texts of facts lie behind it. */
struct volume_disk {
	struct meta_disk facts;
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

struct volume_disks {
	struct volume_disk **disk; /* by dev_path */
	size_t count;
};

/*
 * All disks but loop devices, RAM disks, mappings, and what has no size or no node. root is put
 * before /sys and /dev: "". MORTISE_E_SYSTEM when there is no sysfs, MORTISE_E_MEMORY. Ended by
 * volume_disks_clear in either case.
 */
MORTISE_MUST_CHECK enum mortise_code volume_disks_read(const char *root,
						       struct volume_disks *disks,
						       struct mortise_error *err);
void volume_disks_clear(struct volume_disks *disks);

/*
 * The one disk that the selector of volume holds for: its path. MORTISE_E_DEVICE when there is
 * none or more than one; MORTISE_E_CONFIG when the expression has no value for one of them.
 */
MORTISE_MUST_CHECK enum mortise_code volume_disks_select(const struct volume_disks *disks,
							 const struct meta_volume *volume,
							 char *path, size_t room,
							 struct mortise_error *err);

/* Both for the disks that are there now. */
MORTISE_MUST_CHECK enum mortise_code volume_disk_find(const struct meta_volume *volume, char *path,
						      size_t room, struct mortise_error *err);

/* Fills all of disk but its links and what concerns the system disk; name: as in /sys/block. */
void volume_disk_describe(const char *root, const char *name, struct volume_disk *disk);

#endif
