/* SPDX-License-Identifier: MIT */
/* Before a header copy that is damaged or stale is written over: is it only that? */
#ifndef LUKS2_MENDING_H
#define LUKS2_MENDING_H

#include "luks2/binary.h"
#include "luks2/device.h"

enum luks2_mending {
	LUKS2_MENDING_SAFE,
	LUKS2_MENDING_FOREIGN, /* something other than LUKS is on the device too */
	LUKS2_MENDING_UNKNOWN, /* this build has no libblkid that could tell */
};

/* Writes nothing. good: the copy that is to be written to offset. */
enum luks2_mending luks2_mending_allowed(const struct luks2_device *device,
					 const struct luks2_binary *good, uint64_t offset);

#endif
