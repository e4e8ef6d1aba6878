/* SPDX-License-Identifier: MIT */
/* Wiping a device: first the key material, then every signature. */
#ifndef DISK_WIPE_H
#define DISK_WIPE_H

#include "luks2/device.h"

/* Bytes; the default headers of Talos and of cryptsetup end here. */
#define DISK_KEYS_END_MIN	(16u << 20)
/* Two header copies of 4 MiB and 128 MiB of keyslots: the largest LUKS2 header. */
#define DISK_KEYS_END_MAX	(136u << 20)

struct disk_wipe {
	bool full;		/* overwrite the whole device, not only keys and signatures */
	/*
	 * Called as a step advances, may be NULL. False cancels the steps that only take time:
	 * the full overwrite and discard.
	 */
	bool (*progress)(void *context, const char *step, uint64_t done, uint64_t total);
	void *context;
};

/*
 * Writes the mark (disk/reset_mark.h), overwrites the header area and both ends, wipes every
 * signature, and discards the data. The device is writable, unused, and locked by the caller.
 * After an error or a power cut it carries the mark or is unchanged.
 */
MORTISE_MUST_CHECK enum mortise_code disk_wipe(const struct luks2_device *device,
					       const struct disk_wipe *how,
					       struct mortise_error *err);

/*
 * Empties a range that nothing uses, of a writable device: discards it, writes zeros to its start
 * and end, and wipes every signature. Flushed.
 */
MORTISE_MUST_CHECK enum mortise_code disk_wipe_range(const struct luks2_device *device,
						     uint64_t from, uint64_t size,
						     struct mortise_error *err);

/* Removes the mark; from then on the device is empty. */
MORTISE_MUST_CHECK enum mortise_code disk_wipe_end(const struct luks2_device *device,
						   struct mortise_error *err);

#endif
