/* SPDX-License-Identifier: MIT */
/* Mounts and swap of a block device by its number: wherever they are, whoever made them. */
#ifndef DISK_MOUNTS_H
#define DISK_MOUNTS_H

#include <mortise.h>

#include <sys/types.h>

bool disk_number_in_use(dev_t number);

/* Unmounts, what was mounted last first, and swaps off. MORTISE_E_BUSY says where it is used. */
MORTISE_MUST_CHECK enum mortise_code disk_number_release(dev_t number, struct mortise_error *err);

#endif
