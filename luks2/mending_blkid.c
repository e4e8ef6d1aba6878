/* SPDX-License-Identifier: MIT */
/* Looks for other signatures with libblkid. */
#include <blkid/blkid.h>

#include "luks2/mending.h"

enum luks2_mending luks2_mending_allowed(const struct luks2_device *device,
					 const struct luks2_binary *good, uint64_t offset)
{
	static char luks_name[] = "crypto_LUKS";
	char *luks[] = { luks_name, NULL };
	blkid_probe probe = blkid_new_probe();
	bool found = true;

	(void)good;
	(void)offset;
	if (probe && !blkid_probe_set_device(probe, device->fd, 0, 0) &&
	    !blkid_probe_enable_superblocks(probe, 1) &&
	    !blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE) &&
	    !blkid_probe_filter_superblocks_type(probe, BLKID_FLTR_NOTIN, luks) &&
	    !blkid_probe_enable_partitions(probe, 1))
		found = blkid_do_safeprobe(probe) != 1;
	blkid_free_probe(probe);
	return found ? LUKS2_MENDING_FOREIGN : LUKS2_MENDING_SAFE;
}
