/* SPDX-License-Identifier: MIT */
/* Partitions: found by label, and the disks that they are on. */
#ifndef DISK_PARTITION_H
#define DISK_PARTITION_H

#include <mortise.h>

#include <sys/types.h>

/*
 * The path of the partition of this label. MORTISE_E_DEVICE when there is none (path is "" then)
 * or more than one (path is that of one of them); err calls it name.
 */
MORTISE_MUST_CHECK enum mortise_code disk_find_label(const char *label, const char *name,
						     char *path, size_t room,
						     struct mortise_error *err);

/* The disk that a block device is a partition of; false when it is none. */
bool disk_of_partition(dev_t device, char *path, size_t room);

/*
 * Does an active mapping lie on device, which may be a file behind a loop device? Where the
 * system cannot tell (the disk below has gone) it is taken to do so.
 */
bool disk_mapping_is_on(const struct mortise_mapping_info *mapping, const char *device);

#endif
