/* SPDX-License-Identifier: MIT */
/* Wiping a device: what opens it first, then whatever names it. */
#ifndef DISK_WIPE_H
#define DISK_WIPE_H

#include "luks2/device.h"

#define DISK_KEYS_END_MIN	(16u << 20) /* bytes: Talos's and cryptsetup's headers end there */
/* Two copies of 4 MiB and 128 MiB of keyslots: no LUKS2 header has keys beyond. */
#define DISK_KEYS_END_MAX	(136u << 20)

struct disk_wipe {
	bool full;		/* all of the device, not only what opens and names it */
	/* How far a step is; false ends those that only take time. NULL: nobody is told. */
	bool (*tell)(void *context, const char *step, uint64_t done, uint64_t total);
	void *context;
};

/*
 * All but the end: the mark (volume/reset_mark.h), the header area overwritten, then both ends,
 * every signature, and discard. The device is writable, nobody uses it, and its lock is held.
 * Returned early or cut off, it is left marked, or as it was before.
 */
MORTISE_MUST_CHECK enum mortise_code disk_wipe(const struct luks2_device *device,
					       const struct disk_wipe *how,
					       struct mortise_error *err);

/* The end: the mark goes; from then on the device is empty. */
MORTISE_MUST_CHECK enum mortise_code disk_wipe_end(const struct luks2_device *device,
						   struct mortise_error *err);

#endif
