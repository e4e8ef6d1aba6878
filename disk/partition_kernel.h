/* SPDX-License-Identifier: MIT */
/* The kernel's list of the partitions of a disk, kept equal to the table without reading it again. */
#ifndef DISK_PARTITION_KERNEL_H
#define DISK_PARTITION_KERNEL_H

#include "disk/gpt.h"

/*
 * Makes the kernel read the table of a disk none of whose partitions are in use (MORTISE_E_BUSY
 * otherwise). A partition that is added alone has no label in sysfs. An image file has no partitions in the kernel:
 * these functions do nothing then.
 */
MORTISE_MUST_CHECK enum mortise_code disk_kernel_read(const struct luks2_device *disk,
						      struct mortise_error *err);

/* Adds one partition while others of the disk are in use. */
MORTISE_MUST_CHECK enum mortise_code disk_kernel_add(const struct luks2_device *disk,
						     const struct gpt *gpt,
						     const struct gpt_partition *partition,
						     struct mortise_error *err);

/* Tells the kernel of a partition whose end has moved, also while the partition is in use. */
MORTISE_MUST_CHECK enum mortise_code disk_kernel_resize(const struct luks2_device *disk,
							const struct gpt *gpt,
							const struct gpt_partition *partition,
							struct mortise_error *err);

/* Removes a partition from the kernel's list. MORTISE_E_BUSY: it is in use. */
MORTISE_MUST_CHECK enum mortise_code disk_kernel_remove(const struct luks2_device *disk,
							unsigned number, struct mortise_error *err);

#endif
