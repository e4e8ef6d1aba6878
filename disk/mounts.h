/* SPDX-License-Identifier: MIT */
/* All mounts and swap areas of a block device, found by its number. */
#ifndef DISK_MOUNTS_H
#define DISK_MOUNTS_H

#include <mortise.h>

#include <sys/types.h>

bool disk_number_in_use(dev_t number);

/*
 * Switches off swap on the device, and unmounts its file systems, the last mounted one first.
 * MORTISE_E_BUSY names the mount point that is in use.
 */
MORTISE_MUST_CHECK enum mortise_code disk_number_release(dev_t number, struct mortise_error *err);

#endif
