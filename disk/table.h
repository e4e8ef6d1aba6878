/* SPDX-License-Identifier: MIT */
/* The partition table that holds a partition, opened for reading or for a change. */
#ifndef DISK_TABLE_H
#define DISK_TABLE_H

#include "disk/gpt.h"

struct disk_table {
	struct luks2_device *disk;
	struct gpt *gpt;
	struct gpt_partition partition;
};

/*
 * Opens the table of the disk that holds the partition device, writable under the lock that udev
 * and sfdisk take; waits up to 10 seconds for other holders. *found is false if device is not a
 * partition. MORTISE_E_CHANGED: the table does not match what the kernel knows. Otherwise as from
 * gpt_read(). End it with disk_table_close(), also after a failure.
 */
MORTISE_MUST_CHECK enum mortise_code disk_table_open(const char *device, bool writable,
						     const struct mortise_events *events,
						     struct disk_table *table, bool *found,
						     struct mortise_error *err);
void disk_table_close(struct disk_table *table);

#endif
