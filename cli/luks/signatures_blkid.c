/* SPDX-License-Identifier: MIT */
/* The warning of luksFormat about signatures that it will overwrite. */
#include <stdio.h>

#include <blkid/blkid.h>

#include "cli/print.h"
#include "cli/luks/signatures.h"

static void show(blkid_probe probe, const char *device)
{
	const char *type = NULL;

	if (blkid_probe_lookup_value(probe, "TYPE", &type, NULL) == 0)
		print("WARNING: Device %s already contains a '%s' superblock signature.\n", device,
		      type);
	else if (blkid_probe_lookup_value(probe, "PTTYPE", &type, NULL) == 0)
		print("WARNING: Device %s already contains a '%s' partition signature.\n", device,
		      type);
}

static enum status show_all(const char *device, bool luks)
{
	static char luks_name[] = "crypto_LUKS";
	char *names[] = { luks_name, NULL };
	blkid_probe probe = blkid_new_probe_from_filename(device);

	if (!probe)
		return fail_with(STATUS_USAGE, "Failed to initialize device signature probes.");
	blkid_probe_enable_superblocks(probe, 1);
	blkid_probe_set_superblocks_flags(probe, BLKID_SUBLKS_TYPE | BLKID_SUBLKS_MAGIC);
	if (!luks)
		blkid_probe_filter_superblocks_type(probe, BLKID_FLTR_NOTIN, names);
	blkid_probe_enable_partitions(probe, 1);
	blkid_probe_set_partitions_flags(probe, BLKID_PARTS_MAGIC);
	while (blkid_do_probe(probe) == 0)
		show(probe, device);
	blkid_free_probe(probe);
	return STATUS_OK;
}

enum status signatures_show(const char *device)
{
	return show_all(device, true);
}

enum status signatures_show_foreign(const char *device)
{
	return show_all(device, false);
}
