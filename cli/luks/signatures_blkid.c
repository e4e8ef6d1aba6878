/* SPDX-License-Identifier: MIT */
/* Signatures by libblkid. */
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <blkid/blkid.h>

#include "cli/print.h"
#include "cli/luks/signatures.h"

static void take(blkid_probe probe, const char *device, enum signatures_shown shown,
		 struct signatures *found)
{
	const char *kind = "superblock", *type = NULL;

	if (blkid_probe_lookup_value(probe, "TYPE", &type, NULL) != 0) {
		kind = "partition";
		if (blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL) != 0)
			return;
	}
	found->count++;
	snprintf(found->type, sizeof(found->type), "%s", type);
	if (shown == SIGNATURES_ALL ||
	    (shown == SIGNATURES_FOREIGN && strcmp(type, "crypto_LUKS") != 0))
		print("WARNING: Device %s already contains a '%s' %s signature.\n", device, type,
		      kind);
}

char *signatures_device(const char *tag, const char *value)
{
	return blkid_evaluate_tag(tag, value, NULL);
}

enum status signatures_check_sector(const char *device, uint32_t sector_size)
{
	blkid_probe probe = blkid_new_probe_from_filename(device);
	const char *size = NULL, *type = "";
	enum status status = STATUS_OK;

	if (!probe)
		return fail_with(STATUS_USAGE, "Failed to initialize device signature probes.");
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE);
	if (blkid_do_safeprobe(probe) == 0 &&
	    blkid_probe_lookup_value(probe, "BLOCK_SIZE", &size, NULL) == 0 &&
	    strtoul(size, NULL, 10) < sector_size) {
		(void)blkid_probe_lookup_value(probe, "TYPE", &type, NULL);
		status = fail_with(STATUS_USAGE,
				   "Requested --sector-size %" PRIu32 " is incompatible with %s "
				   "superblock\n(block size: %s bytes) detected on device %s.",
				   sector_size, type, size, device);
	}
	blkid_free_probe(probe);
	return status;
}

enum status signatures_find(const char *device, uint64_t offset, enum signatures_shown shown,
			    struct signatures *found)
{
	const int fd = open(device, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
	blkid_probe probe = fd < 0 ? NULL : blkid_new_probe();
	enum status status = STATUS_OK;
	struct signatures ignored;

	if (!found)
		found = &ignored;
	*found = (struct signatures){ 0 };
	if (!probe || offset > INT64_MAX ||
	    blkid_probe_set_device(probe, fd, (blkid_loff_t)offset, 0) != 0) {
		status = fail_with(STATUS_USAGE, "Failed to initialize device signature probes.");
		goto out;
	}
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC);
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC);
	while (blkid_do_probe(probe) == 0)
		take(probe, device, shown, found);
out:
	blkid_free_probe(probe);
	if (fd >= 0)
		close(fd);
	return status;
}
