/* SPDX-License-Identifier: MIT */
/* The file system on a plain device: only what its data would lose. */
#ifndef VOLUME_FILESYSTEM_H
#define VOLUME_FILESYSTEM_H

#include "luks2/device.h"

/* The bytes that the ext2, ext3, ext4, XFS or Btrfs file system at the start of device takes, or 0. */
MORTISE_MUST_CHECK enum mortise_code filesystem_size(const struct luks2_device *device,
						     uint64_t *size, const char **name,
						     struct mortise_error *err);

/*
 * MORTISE_E_USAGE: the ext2, ext3, ext4, XFS or Btrfs file system at the start of device is larger
 * than size bytes. Other content is not recognized.
 */
MORTISE_MUST_CHECK enum mortise_code filesystem_check_fits(const struct luks2_device *device,
							   uint64_t size,
							   struct mortise_error *err);

#endif
