/* SPDX-License-Identifier: MIT */
/* The description of a disk that disk/ reads from sysfs and that a disk selector is applied to. */
#ifndef BASE_DISK_FACTS_H
#define BASE_DISK_FACTS_H

#include <stdbool.h>
#include <stdint.h>

/* A disk as described by Talos's Disks.block.talos.dev. Unknown strings are "", never NULL. */
struct disk_facts {
	uint64_t size;		/* bytes, like the next two */
	uint64_t io_size;
	uint64_t sector_size;
	bool readonly;
	bool rotational;
	bool cdrom;
	bool system;		/* system_disk: has a partition labeled META */
	bool system_known;	/* false: no disk has one; using system_disk fails */
	const char *bus_path;
	const char *dev_path;	/* "/dev/sda" */
	const char *firmware_version;
	const char *modalias;
	const char *model;
	const char *pretty_size; /* "2.0 TB" */
	const char *serial;
	const char *sub_system;
	const char *transport;	/* "nvme", "sata", "ata", "sas", "usb", "virtio", "mmc", ... */
	const char *uuid;
	const char *wwid;
	const char *const *secondary_disks; /* "sda" for an md array on sda1, NULL after the last */
	const char *const *symlinks; /* "/dev/disk/by-id/...", NULL after the last */
};

#endif
