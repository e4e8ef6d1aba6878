/* SPDX-License-Identifier: MIT */
/* Swap areas: made by mkswap(8), switched by swapon(2) and swapoff(2), listed in /proc/swaps. */
#ifndef DISK_SWAP_H
#define DISK_SWAP_H

#include <limits.h>
#include <sys/types.h>

#include <mortise.h>

#include "disk/probe.h"

/* The mount point of a swap area, as lsblk(8) prints it. No path: it does not start with "/". */
#define DISK_SWAP_MOUNT_POINT "[swap]"

/*
 * Finds an active swap area on the block device, or an active swap file in a file system on it.
 * False: there are none.
 */
bool disk_swap_find(dev_t number, char path[static PATH_MAX]);
bool disk_swap_is_on(const char *device);

/*
 * May a swap area be made over the probed contents of a device that is not encrypted? Yes over an
 * empty device and over a swap area: its contents are worthless after a reboot, whatever they look
 * like. Never over the image of a suspended system. why receives the reason for a refusal.
 */
bool disk_swap_may_replace(const struct disk_probe *probe, const char *device, char *why,
			   size_t room);

/*
 * Probes device again and runs mkswap on it, if disk_swap_may_replace() allows it; name becomes
 * the label. In a mapping (encrypted) everything but the image of a suspended system is replaced:
 * swapped-out pages and the noise of a new volume look like any signature. MORTISE_E_NOT_EMPTY;
 * MORTISE_E_UNSUPPORTED when mkswap is not installed.
 */
MORTISE_MUST_CHECK enum mortise_code disk_swap_make(const struct mortise_events *events,
						    const char *name, bool encrypted,
						    const char *device, struct mortise_error *err);

MORTISE_MUST_CHECK enum mortise_code disk_swap_on(const char *device, struct mortise_error *err);
/* MORTISE_E_MEMORY: the swapped pages do not fit. MORTISE_OK if the area is not active. */
MORTISE_MUST_CHECK enum mortise_code disk_swap_off(const char *device, struct mortise_error *err);

#endif
