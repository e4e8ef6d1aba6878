/* SPDX-License-Identifier: MIT */
/* The kernel's list of the partitions of a disk, kept equal to the table without reading it again. */
#ifndef DISK_PARTITION_KERNEL_H
#define DISK_PARTITION_KERNEL_H

#include "disk/gpt.h"

/*
 * Tells the kernel of a new partition, of one whose end has moved, and of one that is gone. The
 * partition that is gone must not be in use (MORTISE_E_BUSY); the others are changed while any
 * partition of the disk is mounted. An image file has no partitions in the kernel: MORTISE_OK.
 */
MORTISE_MUST_CHECK enum mortise_code disk_kernel_add(const struct luks2_device *disk,
						     const struct gpt *gpt,
						     const struct gpt_partition *partition,
						     struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code disk_kernel_resize(const struct luks2_device *disk,
							const struct gpt *gpt,
							const struct gpt_partition *partition,
							struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code disk_kernel_remove(const struct luks2_device *disk,
							unsigned number, struct mortise_error *err);

#endif
