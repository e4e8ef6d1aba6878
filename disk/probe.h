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

/* A LUKS header, also one that the device does not count as (DISK_OTHER). */
enum disk_header_content {
	DISK_HEADER_NONE,
	DISK_HEADER_LUKS1,
	DISK_HEADER_WHOLE,	/* LUKS2, like all that follow: both copies are valid */
	DISK_HEADER_HALF,	/* one copy is valid, the other is damaged or older */
	DISK_HEADER_ERASED,	/* the copy at erased_at is valid but for its magic */
	DISK_HEADER_DAMAGED,	/* parts of a header, without a valid copy */
};

/* The first page, apart from the other contents. The greater value counts. */
enum disk_swap_content {
	DISK_SWAP_NONE,
	DISK_SWAP_AREA,
	DISK_SWAP_SUSPENDED,	/* the image of a suspended system */
};

struct disk_probe {
	enum disk_content content;
	char type[128];		/* "xfs", "LUKS1", "a partition table (gpt)", "unknown data" */
	bool unknown;		/* DISK_OTHER: bytes that are not zero, without any signature */
	enum disk_header_content header;
	uint64_t erased_at;	/* byte offset */
	enum disk_swap_content swap;
};

/* Reads only. MORTISE_E_DEVICE, MORTISE_E_SYSTEM, or MORTISE_E_CANCELED in a wait for the lock. */
MORTISE_MUST_CHECK enum mortise_code disk_probe(const char *device,
						const struct mortise_events *events,
						struct disk_probe *probe, struct mortise_error *err);

/*
 * Does the device have a valid superblock of this file system ("xfs", "ext4"), whatever else is on
 * it? A disk image in a file may contain any signature. *holds is false for a member of an md array.
 */
MORTISE_MUST_CHECK enum mortise_code disk_holds_filesystem(const char *device, const char *type,
							   bool *holds, struct mortise_error *err);

/*
 * Is there a header that needs repair, or that something else on the device contradicts? No message
 * may advise to erase it.
 */
bool disk_header_is_damaged(const struct disk_probe *probe);

/* How to make this header usable again, by the commands of cryptsetup; "" if there is none. */
void disk_repair_advice(const struct disk_probe *probe, const char *device, char *text,
			size_t room);

/*
 * Looks for libblkid's signatures alone: DISK_EMPTY if there are none, even if bytes are not
 * zero. libblkid runs in a child process, because it frees its buffers without wiping them: META,
 * for which this is, may hold passphrases.
 */
MORTISE_MUST_CHECK enum mortise_code disk_probe_signatures(const struct luks2_device *device,
							   struct disk_probe *probe,
							   struct mortise_error *err);

#endif
