/* SPDX-License-Identifier: MIT */
/* The UUIDs of partitions and file systems. */
#ifndef DISK_UUIDS_H
#define DISK_UUIDS_H

#define DISK_UUID_ROOM 40u /* 36 digits and dashes, or the shorter ones of FAT and MBR; and a NUL */

/*
 * The UUID of the partition that device is, from sysfs or, with older kernels, from the partition
 * table. "": device is not a partition, or its table cannot be read.
 */
void disk_partition_uuid(const char *device, char uuid[static DISK_UUID_ROOM]);

/* The UUID of the file system of this type ("xfs") on device; "": it has none, or cannot be read. */
void disk_filesystem_uuid(const char *device, const char *type,
			  char uuid[static DISK_UUID_ROOM]);

#endif
