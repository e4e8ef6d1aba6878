/* SPDX-License-Identifier: MIT */
/* File systems: made by the real mkfs, recognised by libblkid. */
#ifndef DISK_FILESYSTEM_H
#define DISK_FILESYSTEM_H

#include <mortise.h>

/*
 * Runs mkfs.TYPE ("xfs", "ext4") on device, over the remains of an interrupted mkfs; name becomes
 * the label, cut to the file system's limit. MORTISE_E_NOT_EMPTY: the device holds a file system
 * that has been mounted since. MORTISE_E_UNSUPPORTED: mkfs.TYPE is not installed.
 */
MORTISE_MUST_CHECK enum mortise_code disk_make_filesystem(const char *type, const char *name,
							  const char *device,
							  struct mortise_error *err);

#endif
