/* SPDX-License-Identifier: MIT */
/* Signatures on a device: what a new header or a wrong mapping would destroy. */
#ifndef CLI_SIGNATURES_H
#define CLI_SIGNATURES_H

#include "cli/command.h"

struct signatures {
	unsigned count;
	char type[32];		/* of the last: "ext4", "crypto_LUKS", "gpt" */
};

/* Which of them get a line of output. */
enum signatures_shown {
	SIGNATURES_NONE,
	SIGNATURES_ALL,
	SIGNATURES_FOREIGN,	/* not a LUKS header */
};

/*
 * Finds file systems, RAID and partition tables, if they begin at byte offset of the device. found may
 * be NULL.
 */
enum status signatures_find(const char *device, uint64_t offset, enum signatures_shown shown,
			    struct signatures *found);

/* Is the block size of the file system on the device at least this many bytes? Without libblkid: yes. */
enum status signatures_check_sector(const char *device, uint32_t sector_size);

/* Finds the device of a tag, such as "UUID" and its value. Free it; NULL: none, or without libblkid. */
char *signatures_device(const char *tag, const char *value);

/* Prints a line for each one on the device. */
static inline enum status signatures_show(const char *device)
{
	return signatures_find(device, 0, SIGNATURES_ALL, NULL);
}

#endif
