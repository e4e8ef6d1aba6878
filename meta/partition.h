/* SPDX-License-Identifier: MIT */
/* Finding, locking, reading and safely writing the META partition. */
#ifndef META_PARTITION_H
#define META_PARTITION_H

#include "luks2/device.h"
#include "meta/adv.h"

struct meta_partition {
	struct luks2_device *device;
	int disk_fd;			/* of the disk that holds the partition, locked; -1: none */
	struct mortise_secret *image;	/* the META_ADV_PARTITION bytes read */
	struct meta_adv *adv;		/* decoded; the caller may change it or take it over */
};

/*
 * Opens and reads device, or the partition labeled META if device is NULL, under the lock that
 * Talos uses: a shared lock to read, exclusive locks of the partition and its disk to write.
 * MORTISE_E_DEVICE, MORTISE_E_NOT_EMPTY; the caller owns nothing after a failure.
 */
MORTISE_MUST_CHECK enum mortise_code meta_partition_open(const char *device,
							 const struct mortise_events *events,
							 bool write, struct meta_partition *meta,
							 struct mortise_error *err);
void meta_partition_close(struct meta_partition *meta);

/* Is one copy valid and the other one different? A power cut leaves this. */
bool meta_copies_differ(const struct meta_partition *meta);

/*
 * Writes the changed adv. After a power cut at any write, even with any of its sectors missing,
 * the partition holds the old contents or the new ones.
 */
MORTISE_MUST_CHECK enum mortise_code meta_partition_store(const struct meta_partition *meta,
							  struct mortise_error *err);

#endif
