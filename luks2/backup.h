/* SPDX-License-Identifier: MIT */
/* Copying the bytes of a header between its device and a backup file. */
#ifndef LUKS2_BACKUP_H
#define LUKS2_BACKUP_H

#include "luks2/device.h"

/* A part of a header that is compared or copied, in bytes. */
struct luks2_range {
	uint64_t from, to;
};

/* Does the range hold the same bytes on both devices? Unreadable bytes differ. */
MORTISE_MUST_CHECK enum mortise_code luks2_range_equal(const struct luks2_device *a,
						       const struct luks2_device *b,
						       struct luks2_range range, bool *equal,
						       struct mortise_error *err);

/* Writes the pieces of the range that differ, and flushes. */
MORTISE_MUST_CHECK enum mortise_code luks2_range_copy(const struct luks2_device *source,
						      const struct luks2_device *target,
						      struct luks2_range range,
						      struct mortise_error *err);

/*
 * Reads target again, from the medium and not from the page cache, and compares it with source.
 * MORTISE_E_SYSTEM: it holds other bytes.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_range_verify(const struct luks2_device *source,
							const struct luks2_device *target,
							struct luks2_range range,
							struct mortise_error *err);

#endif
