/* SPDX-License-Identifier: MIT */
/* What is on a device: the question that decides whether it may be formatted. */
#ifndef VOLUME_PROBE_H
#define VOLUME_PROBE_H

#include "luks2/device.h"

enum volume_content {
	VOLUME_EMPTY,		/* no signature; first and last MiB all zero */
	VOLUME_UNFINISHED,	/* nothing but a format of ours that was cut off */
	VOLUME_RESETTING,	/* a reset of it was cut off */
	VOLUME_LUKS2,
	VOLUME_FILESYSTEM,	/* type names it */
	VOLUME_OTHER,		/* type says what */
};

struct volume_probe {
	enum volume_content content;
	char type[128];		/* "xfs", "LUKS1", "a partition table (gpt)", "unknown data" */
	bool unknown;		/* OTHER: nothing but bytes that are not zero */
};

/* Looks, never writes. MORTISE_E_DEVICE, MORTISE_E_SYSTEM. */
MORTISE_MUST_CHECK enum mortise_code volume_probe(const char *device, struct volume_probe *probe,
						  struct mortise_error *err);

/*
 * What libblkid knows on an open device and nothing else: VOLUME_EMPTY when no signature is
 * there, however much is not zero.
 */
MORTISE_MUST_CHECK enum mortise_code volume_probe_signatures(const struct luks2_device *device,
							     struct volume_probe *probe,
							     struct mortise_error *err);

#endif
