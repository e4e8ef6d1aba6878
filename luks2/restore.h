/* SPDX-License-Identifier: MIT */
/* Inside luks2/: a restore that is being prepared or written. */
#ifndef LUKS2_RESTORE_H
#define LUKS2_RESTORE_H

#include "luks2/private.h"

struct luks2_restore {
	struct mortise_restore how;
	struct luks2_device *device;	/* to be written; under its write lock */
	bool header_only;		/* it holds nothing but a header */
	struct mortise_luks2 *now;	/* its header, NULL if none can be read */
	struct mortise_luks2 *backup;
	uint64_t copies, end;		/* ends of the backup's copies and keyslots area, in bytes */
	uint32_t differences;		/* enum mortise_restore_difference */
};

/* Writes the header, reads it back and compares it. The caller holds the write lock. */
MORTISE_MUST_CHECK enum mortise_code luks2_restore_write(const struct luks2_restore *restore,
							 struct mortise_error *err);

#endif
