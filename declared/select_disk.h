/* SPDX-License-Identifier: MIT */
/* Finding the disk that a volume's selector matches. */
#ifndef DECLARED_SELECT_DISK_H
#define DECLARED_SELECT_DISK_H

#include "config/config.h"
#include "disk/disks.h"

/*
 * The one disk that the selector of volume holds for: its path. MORTISE_E_DEVICE when there is
 * none or more than one; MORTISE_E_CONFIG when the expression has no value for one of them.
 */
MORTISE_MUST_CHECK enum mortise_code volume_select_disk(const struct disk_list *disks,
							const struct config_volume *volume,
							char *path, size_t room,
							struct mortise_error *err);

/* Both for the disks that are there now. */
MORTISE_MUST_CHECK enum mortise_code volume_find_disk(const struct config_volume *volume,
						      char *path, size_t room,
						      struct mortise_error *err);

#endif
