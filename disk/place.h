/* SPDX-License-Identifier: MIT */
/* Where a device is: its size, and its partition and disk. */
#ifndef DISK_PLACE_H
#define DISK_PLACE_H

#include <mortise.h>

struct disk_place {
	uint64_t size;		/* bytes of the device or file; 0: unknown */
	unsigned partition;	/* number in the partition table, from 1; 0: not a partition */
	uint64_t start;		/* bytes from the start of the disk to the partition */
	char disk[160];		/* path of the disk with the partition, or "" */
};

/* Members that cannot be read are 0 or "". */
void disk_place_read(const char *device, struct disk_place *place);

#endif
