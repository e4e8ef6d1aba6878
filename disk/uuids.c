/* SPDX-License-Identifier: MIT */
#include "disk/uuids.h"

#include <blkid/blkid.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "disk/partition.h"
#include "disk/sysfs.h"

#define SYSFS_NUMBERS "/sys/dev/block"

/* Copies a UUID whose characters cannot harm a terminal; otherwise uuid is "". */
static void copy_uuid(const char *from, char uuid[static DISK_UUID_ROOM])
{
	uuid[0] = '\0';
	if (!from || strlen(from) >= DISK_UUID_ROOM ||
	    strspn(from, "0123456789abcdefABCDEF-") != strlen(from))
		return;
	snprintf(uuid, DISK_UUID_ROOM, "%s", from);
}

static void read_partition_table(dev_t partition, const char *disk,
				 char uuid[static DISK_UUID_ROOM])
{
	blkid_probe probe = blkid_new_probe_from_filename(disk);
	blkid_partlist list = probe ? blkid_probe_get_partitions(probe) : NULL;
	blkid_partition found = list ? blkid_partlist_devno_to_partition(list, partition) : NULL;

	copy_uuid(found ? blkid_partition_get_uuid(found) : NULL, uuid);
	blkid_free_probe(probe);
}

void disk_partition_uuid(const char *device, char uuid[static DISK_UUID_ROOM])
{
	char number[32], value[DISK_UUID_ROOM], disk[160];
	struct stat st;

	uuid[0] = '\0';
	if (stat(device, &st) || !S_ISBLK(st.st_mode) ||
	    !disk_of_partition(st.st_rdev, disk, sizeof(disk)))
		return;
	snprintf(number, sizeof(number), "%u:%u", major(st.st_rdev), minor(st.st_rdev));
	if (sysfs_uevent(SYSFS_NUMBERS, number, "PARTUUID", value, sizeof(value)))
		copy_uuid(value, uuid);
	else
		read_partition_table(st.st_rdev, disk, uuid);
}

void disk_filesystem_uuid(const char *device, const char *type, char uuid[static DISK_UUID_ROOM])
{
	char name[32];
	char *names[] = { name, NULL };
	blkid_probe probe = blkid_new_probe_from_filename(device);
	const char *value = NULL;

	/* A disk image in a file may contain other signatures. */
	snprintf(name, sizeof(name), "%s", type);
	if (probe && !blkid_probe_enable_superblocks(probe, true) &&
	    !blkid_probe_filter_superblocks_type(probe, BLKID_FLTR_ONLYIN, names) &&
	    !blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_UUID) &&
	    !blkid_do_safeprobe(probe) && blkid_probe_lookup_value(probe, "UUID", &value, NULL))
		value = NULL;
	copy_uuid(value, uuid);
	blkid_free_probe(probe);
}
