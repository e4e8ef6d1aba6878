/* SPDX-License-Identifier: MIT */
/* Checking a file system before it is mounted: e2fsck(8), btrfs-check(8). xfs has no such check. */
#ifndef DISK_FSCK_H
#define DISK_FSCK_H

#include <mortise.h>

/* The program that disk_fsck() runs, or NULL. force: check even what seems clean. */
const char *disk_fsck_program(const char *type, bool force);

/* The command that an operator runs to correct an "xfs", "ext4" or "btrfs", without the device. */
const char *disk_fsck_command(const char *type);

/*
 * Checks an unmounted ext4, and corrects what needs no decision; or, with force, a btrfs, without
 * writing. found receives one line: "clean", or what was corrected. MORTISE_E_CORRUPT: errors are
 * left. MORTISE_E_UNSUPPORTED: the program is not installed. MORTISE_E_SYSTEM: it could not check.
 */
MORTISE_MUST_CHECK enum mortise_code disk_fsck(const struct mortise_events *events,
					       const char *type, bool force, const char *device,
					       char *found, size_t room, struct mortise_error *err);

#endif
