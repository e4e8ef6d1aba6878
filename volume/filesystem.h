/* SPDX-License-Identifier: MIT */
/* File systems: made by the real mkfs, recognised by libblkid. */
#ifndef VOLUME_FILESYSTEM_H
#define VOLUME_FILESYSTEM_H

#include "meta/config.h"

/* "xfs", "ext4", "swap", "none": the type for mount(2), libblkid and mkfs alike. */
const char *volume_filesystem_name(enum meta_filesystem filesystem);

/* Is one made once, and then mounted? Not so a swap area, nor what a raw volume holds. */
bool volume_filesystem_lasts(enum meta_filesystem filesystem);

/*
 * Makes the file system of volume, which is one that lasts, on device, over whatever a cut mkfs left there.
 * MORTISE_E_NOT_EMPTY when it holds a file system that has been mounted: then somebody has
 * used it since. MORTISE_E_UNSUPPORTED when mkfs.TYPE is not installed.
 */
MORTISE_MUST_CHECK enum mortise_code volume_make_filesystem(const struct meta_volume *volume,
							    const char *device,
							    struct mortise_error *err);

#endif
