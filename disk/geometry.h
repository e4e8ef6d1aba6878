/* SPDX-License-Identifier: MIT */
/* Write protection of a device, and the size of the file system on it. */
#ifndef DISK_GEOMETRY_H
#define DISK_GEOMETRY_H

#include <mortise.h>

/* Is this block device write-protected? False for a file, and if it cannot be opened. */
bool disk_is_readonly(const char *device);

/*
 * Is the file system of this type ("xfs", "ext4") larger than its device, as after a partition was
 * shrunk? text names both sizes.
 */
bool disk_is_shrunk(const char *device, const char *type, char *text, size_t room);

#endif
