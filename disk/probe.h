/* SPDX-License-Identifier: MIT */
/* The contents of a device. Only an empty or unfinished one may be formatted. */
#ifndef DISK_PROBE_H
#define DISK_PROBE_H

#include "luks2/device.h"

enum disk_content {
	DISK_EMPTY,		/* no signature; first and last MiB all zero */
	DISK_UNFINISHED,	/* only an interrupted format by this program */
	DISK_RESETTING,		/* an interrupted reset */
	DISK_LUKS2,
	DISK_FILESYSTEM,	/* type names it */
	DISK_OTHER,		/* type names it */
};

struct disk_probe {
	enum disk_content content;
	char type[128];		/* "xfs", "LUKS1", "a partition table (gpt)", "unknown data" */
	bool unknown;		/* DISK_OTHER: bytes that are not zero, without any signature */
};

/* Reads only. MORTISE_E_DEVICE, MORTISE_E_SYSTEM, or MORTISE_E_CANCELED in a wait for the lock. */
MORTISE_MUST_CHECK enum mortise_code disk_probe(const char *device,
						const struct mortise_events *events,
						struct disk_probe *probe, struct mortise_error *err);

/*
 * Looks for libblkid's signatures alone: DISK_EMPTY if there are none, even if bytes are not
 * zero. libblkid runs in a child process, because it frees its buffers without wiping them: META,
 * for which this is, may hold passphrases.
 */
MORTISE_MUST_CHECK enum mortise_code disk_probe_signatures(const struct luks2_device *device,
							   struct disk_probe *probe,
							   struct mortise_error *err);

#endif
