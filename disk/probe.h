/* SPDX-License-Identifier: MIT */
/* What is on a device: the question that decides whether it may be formatted. */
#ifndef DISK_PROBE_H
#define DISK_PROBE_H

#include "luks2/device.h"

enum disk_content {
	DISK_EMPTY,		/* no signature; first and last MiB all zero */
	DISK_UNFINISHED,	/* nothing but a format of ours that was cut off */
	DISK_RESETTING,	/* a reset of it was cut off */
	DISK_LUKS2,
	DISK_FILESYSTEM,	/* type names it */
	DISK_OTHER,		/* type says what */
};

struct disk_probe {
	enum disk_content content;
	char type[128];		/* "xfs", "LUKS1", "a partition table (gpt)", "unknown data" */
	bool unknown;		/* OTHER: nothing but bytes that are not zero */
};

/* Looks, never writes. MORTISE_E_DEVICE, MORTISE_E_SYSTEM. */
MORTISE_MUST_CHECK enum mortise_code disk_probe(const char *device, struct disk_probe *probe,
						struct mortise_error *err);

/*
 * What libblkid knows on an open device and nothing else: DISK_EMPTY when no signature is
 * there, however much is not zero.
 */
MORTISE_MUST_CHECK enum mortise_code disk_probe_signatures(const struct luks2_device *device,
							   struct disk_probe *probe,
							   struct mortise_error *err);

#endif
