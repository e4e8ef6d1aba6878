/* SPDX-License-Identifier: MIT */
/* Making file systems with mkfs.TYPE. */
#ifndef DISK_FILESYSTEM_H
#define DISK_FILESYSTEM_H

#include <mortise.h>

/*
 * Runs mkfs.TYPE ("xfs", "ext4") on device, also over what an interrupted mkfs left. name becomes
 * the label, cut to the file system's limit. MORTISE_E_NOT_EMPTY: the device holds a complete xfs,
 * or an ext4 that has been mounted. MORTISE_E_UNSUPPORTED: mkfs.TYPE is not installed.
 */
MORTISE_MUST_CHECK enum mortise_code disk_make_filesystem(const struct mortise_events *events,
							  const char *type, const char *name,
							  const char *device,
							  struct mortise_error *err);

#endif
