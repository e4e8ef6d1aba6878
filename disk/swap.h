/* SPDX-License-Identifier: MIT */
/* Swap areas: made by mkswap(8), switched by swapon(2) and swapoff(2), listed in /proc/swaps. */
#ifndef DISK_SWAP_H
#define DISK_SWAP_H

#include <limits.h>
#include <sys/types.h>

#include <mortise.h>

#include "disk/probe.h"

/* Where a swap area is "mounted", as lsblk(8) writes it: no path, since it begins without "/". */
#define DISK_SWAP_PLACE "[swap]"

/* An area that is on, or a file that is, in a file system there; false: there is none. */
bool disk_swap_find(dev_t number, char path[static PATH_MAX]);
bool disk_swap_is_on(const char *device);

/*
 * May a swap area be made over what the probe found? Over nothing, and over a swap area, which
 * is worth nothing at the next boot; in a mapping also over what noise the key makes of an area
 * that was never written. Never over an image that the machine may resume from. Else why not.
 */
bool disk_swap_may_replace(const struct disk_probe *probe, bool encrypted, char *why, size_t room);

/*
 * Runs mkswap on device, over contents that disk_swap_may_replace() allows, which is checked
 * again; name becomes the label.
 * MORTISE_E_NOT_EMPTY; MORTISE_E_UNSUPPORTED when mkswap is not installed.
 */
MORTISE_MUST_CHECK enum mortise_code disk_swap_make(const char *name, bool encrypted,
						    const char *device, struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code disk_swap_on(const char *device, struct mortise_error *err);
/* MORTISE_E_MEMORY when what is swapped out does not fit. One that is off is MORTISE_OK. */
MORTISE_MUST_CHECK enum mortise_code disk_swap_off(const char *device, struct mortise_error *err);

#endif
