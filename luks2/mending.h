/* SPDX-License-Identifier: MIT */
/* May a header copy that looks damaged or stale be overwritten, or does it hold other data? */
#ifndef LUKS2_MENDING_H
#define LUKS2_MENDING_H

#include "luks2/binary.h"
#include "luks2/device.h"

enum luks2_mending {
	LUKS2_MENDING_SAFE,
	LUKS2_MENDING_FOREIGN, /* the device has a signature other than LUKS */
	LUKS2_MENDING_UNKNOWN, /* this build has no libblkid to look for one */
};

/* Only reads. offset is the place of the bad copy, good the valid one. */
enum luks2_mending luks2_mending_allowed(const struct luks2_device *device,
					 const struct luks2_binary *good, uint64_t offset);

#endif
