/* SPDX-License-Identifier: MIT */
/* Growing a mounted file system to the end of its device, without external programs. */
#ifndef DISK_GROW_H
#define DISK_GROW_H

#include <mortise.h>

/* Can disk_grow_filesystem() grow this type of file system? xfs, ext4, btrfs. */
bool disk_can_grow(const char *type);

/*
 * Grows the file system that is mounted at the directory fd to size bytes, the size of its device.
 * One that has this size already, up to the remainder that its type leaves unused, is not changed.
 * *grown: it was. Errors: MORTISE_E_UNSUPPORTED: the kernel or the type cannot; MORTISE_E_SYSTEM.
 * The file system stays usable, and keeps its data, whenever the power fails.
 */
MORTISE_MUST_CHECK enum mortise_code disk_grow_filesystem(int fd, const char *type,
							  const char *path, uint64_t size,
							  bool *grown, struct mortise_error *err);

#endif
