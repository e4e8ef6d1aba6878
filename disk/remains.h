/* SPDX-License-Identifier: MIT */
/* Remains of LUKS2 headers that cannot be read, and the commands that restore the headers. */
#ifndef DISK_REMAINS_H
#define DISK_REMAINS_H

#include "disk/probe.h"

/*
 * Call it for a device without a readable header. Sets probe->header to DISK_HEADER_ERASED,
 * DISK_HEADER_DAMAGED or DISK_HEADER_NONE, and probe->erased_at.
 */
MORTISE_MUST_CHECK enum mortise_code disk_find_remains(const struct luks2_device *device,
						       struct disk_probe *probe,
						       struct mortise_error *err);

#endif
