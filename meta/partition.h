/* SPDX-License-Identifier: MIT */
/* The META partition: found, locked, read, known for what it is, and written without a gap. */
#ifndef META_PARTITION_H
#define META_PARTITION_H

#include "luks2/device.h"
#include "meta/adv.h"

struct meta_partition {
	struct luks2_device *device;
	int disk_fd;			/* of the disk it is a partition of, locked; -1: none */
	struct mortise_secret *image;	/* as it was read, META_ADV_PARTITION bytes */
	struct meta_adv *adv;		/* decoded; the caller may change it, or take it out */
};

/*
 * Opens device, NULL for the partition labelled META, under a lock that Talos honours: shared, or
 * exclusive and on its disk too. MORTISE_E_DEVICE, MORTISE_E_NOT_EMPTY; nothing is owned then.
 */
MORTISE_MUST_CHECK enum mortise_code meta_partition_open(const char *device, bool write,
							 struct meta_partition *meta,
							 struct mortise_error *err);
void meta_partition_close(struct meta_partition *meta);

/* One copy is good and the other is not like it: what a cut leaves. */
bool meta_copies_differ(const struct meta_partition *meta);

/*
 * Writes what adv has become. Cut off at any write, and with any of its sectors missing, the old
 * content is there or the new.
 */
MORTISE_MUST_CHECK enum mortise_code meta_partition_store(const struct meta_partition *meta,
							  struct mortise_error *err);

#endif
