/* SPDX-License-Identifier: MIT */
/* Finding partitions by label, and the disks that hold them. */
#ifndef DISK_PARTITION_H
#define DISK_PARTITION_H

#include <mortise.h>

#include <sys/types.h>

/*
 * Finds the partition with this label. MORTISE_E_DEVICE: no partition has it (path is ""), or
 * several have (path is the first of them, and the error names all). name is the name that the error gives to --device.
 */
MORTISE_MUST_CHECK enum mortise_code disk_find_label(const char *label, const char *name,
						     char *path, size_t room,
						     struct mortise_error *err);

/* The same among the partitions on the disk of the partition neighbor; NULL: on all disks. */
MORTISE_MUST_CHECK enum mortise_code disk_find_neighbor(const char *label, const char *name,
							const char *neighbor, char *path,
							size_t room, struct mortise_error *err);

/* Has the partition directory/name in sysfs this label? */
bool disk_partition_has_label(const char *directory, const char *name, const char *label);

#define DISK_LABELED_MAX 8u

/* The partitions with one label. */
struct disk_labeled {
	char path[DISK_LABELED_MAX][128]; /* of the first ones */
	unsigned count;			  /* may be greater */
};

/* MORTISE_E_SYSTEM: sysfs is not mounted. */
MORTISE_MUST_CHECK enum mortise_code disk_list_labeled(const char *label,
						       struct disk_labeled *found,
						       struct mortise_error *err);
/* Sets the error of disk_find_label() for a number of partitions other than 1. */
enum mortise_code disk_labeled_error(const struct disk_labeled *found, const char *label,
				     const char *name, struct mortise_error *err);

/* Are both partitions of the same disk? */
bool disk_is_neighbor(const char *partition, const char *other);

/* The disk that holds the partition device; false if device is not a partition. */
bool disk_of_partition(dev_t device, char *path, size_t room);

/*
 * Is device the data device of an active mapping? device may be a file behind a loop device. True
 * also if the system cannot tell, because the disk is gone.
 */
bool disk_mapping_is_on(const struct mortise_mapping_info *mapping, const char *device);

#endif
