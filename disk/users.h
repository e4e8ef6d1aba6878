/* SPDX-License-Identifier: MIT */
/* What uses a device: mounts, swap and mappings, as sysfs and /proc show them without udev. */
#ifndef DISK_USERS_H
#define DISK_USERS_H

#include "luks2/device.h"

/* Is it mounted, in use as swap, or held by another block device? */
bool disk_in_use(const struct luks2_device *device);

/*
 * Ends every use of the device: unmounts, switches swap off, closes LUKS mappings. MORTISE_E_BUSY
 * names the user that stays. Before anything is ended, all block devices on it are checked to be
 * LUKS mappings (LVM and RAID are refused), and all file systems to have no open files.
 */
MORTISE_MUST_CHECK enum mortise_code disk_release(const struct luks2_device *device,
						  struct mortise_error *err);

/* "held by /dev/dm-1 (LVM volume vg-root)": the first block device on it; false if there is none. */
bool disk_describe_holder(dev_t number, char *text, size_t room);

/* Removes a LUKS mapping without a table, which a killed run leaves behind. It opens nothing. */
void disk_drop_tableless(const char *mapping);

/* The partitions of a whole disk, as "sda1, sda2"; false if there are none. */
bool disk_partitions(const struct luks2_device *device, char *names, size_t room);

#endif
