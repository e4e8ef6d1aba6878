/* SPDX-License-Identifier: MIT */
#include "disk/place.h"

#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>

#include "disk/partition.h"
#include "disk/sysfs.h"

#define SYSFS_NUMBERS "/sys/dev/block"
#define SECTOR	      512u /* the unit of sysfs, independent of the disk's sector size */

static uint64_t read_number(dev_t device, const char *file)
{
	char name[32], text[32];

	snprintf(name, sizeof(name), "%u:%u", major(device), minor(device));
	sysfs_line(SYSFS_NUMBERS, name, file, text, sizeof(text));
	return strtoull(text, NULL, 10);
}

void disk_place_read(const char *device, struct disk_place *place)
{
	struct stat st;

	*place = (struct disk_place){ 0 };
	if (stat(device, &st))
		return;
	if (!S_ISBLK(st.st_mode)) {
		place->size = S_ISREG(st.st_mode) ? (uint64_t)st.st_size : 0;
		return;
	}
	place->size = read_number(st.st_rdev, "size") * SECTOR;
	if (!disk_of_partition(st.st_rdev, place->disk, sizeof(place->disk)))
		return;
	place->partition = (unsigned)read_number(st.st_rdev, "partition");
	place->start = read_number(st.st_rdev, "start") * SECTOR;
}
