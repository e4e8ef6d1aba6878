/* SPDX-License-Identifier: MIT */
/* Who uses a device: mounts, swap, mappings on it. Asked of sysfs and /proc, without udev. */
#ifndef DISK_USERS_H
#define DISK_USERS_H

#include "luks2/device.h"

/* Is it mounted, swapped on, or does anything stand on it? */
bool disk_in_use(const struct luks2_device *device);

/*
 * Ends the use: unmounts, swaps off, closes mappings of LUKS. MORTISE_E_BUSY names what is in
 * the way. When that is something of others (LVM, RAID) nothing has been ended.
 */
MORTISE_MUST_CHECK enum mortise_code disk_release(const struct luks2_device *device,
						  struct mortise_error *err);

/* Removes a mapping of LUKS that has no table, which only a killed run leaves; it opens nothing. */
void disk_drop_tableless(const char *mapping);

/* The partitions of a whole disk as "sda1, sda2"; false when it has none. */
bool disk_partitions(const struct luks2_device *device, char *names, size_t room);

#endif
