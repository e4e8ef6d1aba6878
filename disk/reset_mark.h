/* SPDX-License-Identifier: MIT */
/*
 * The mark of a device that is being reset (docs/formats.md). It overwrites the magic of both
 * header copies, so that no program finds a header any more. It also records where key material
 * may end, because the header that knew this is erased first.
 */
#ifndef DISK_RESET_MARK_H
#define DISK_RESET_MARK_H

#include "luks2/device.h"

#define DISK_MARK_SIZE	512u	/* bytes; a power cut does not tear one sector */

struct disk_mark {
	bool first;		/* at the start of the device */
	bool second;		/* at an offset of second headers */
	bool second_header;	/* a second header's magic is still on the device */
	uint64_t keys_end;	/* bytes; from the first mark found, 0 without a mark */
};

/* Checks the start of the device only: every boot pays for this read. */
MORTISE_MUST_CHECK enum mortise_code disk_mark_first(const struct luks2_device *device,
						     bool *marked, struct mortise_error *err);

/* Checks the start of the device and all offsets of second headers. */
MORTISE_MUST_CHECK enum mortise_code disk_mark_read(const struct luks2_device *device,
						    struct disk_mark *mark,
						    struct mortise_error *err);

/*
 * Writes the marks, those over second headers first, and flushes. Until the single write at the
 * start of the device, the volume is intact and repairs its second header; after it, there is no
 * header. In the other order the second header would restore the first one.
 */
MORTISE_MUST_CHECK enum mortise_code disk_mark_put(const struct luks2_device *device,
						   uint64_t keys_end, struct mortise_error *err);

/* Zeroes the mark at the start, and flushes. */
MORTISE_MUST_CHECK enum mortise_code disk_mark_remove(const struct luks2_device *device,
						      struct mortise_error *err);

#endif
