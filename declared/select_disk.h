/* SPDX-License-Identifier: MIT */
/* Finding the disk that matches a volume's disk selector. */
#ifndef DECLARED_SELECT_DISK_H
#define DECLARED_SELECT_DISK_H

#include "config/config.h"
#include "disk/disks.h"

/*
 * Finds the path of the disk that matches the selector of volume. MORTISE_E_DEVICE: no disk or more
 * than one matches. MORTISE_E_CONFIG: the expression cannot be evaluated for one of the disks.
 */
MORTISE_MUST_CHECK enum mortise_code volume_select_disk(const struct disk_list *disks,
							const struct config_volume *volume,
							char *path, size_t room,
							struct mortise_error *err);

/* The same for the disks of this machine. */
MORTISE_MUST_CHECK enum mortise_code volume_find_disk(const struct config_volume *volume,
						      char *path, size_t room,
						      struct mortise_error *err);

#endif
