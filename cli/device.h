/* SPDX-License-Identifier: MIT */
/* From words to headers: which path is meant, and loading what is there. */
#ifndef CLI_DEVICE_H
#define CLI_DEVICE_H

#include "cli/command.h"

struct paths {
	char device[PATH_MAX];	/* the verb's device */
	char header[PATH_MAX];	/* --header, else the device */
	bool detached;		/* --header was given */
};

/* Takes "UUID=..." as /dev/disk/by-uuid/... in both. */
void paths_find(const struct command *c, const char *device, struct paths *paths);

/*
 * Loads the header for a verb that works on the header alone: with --header the device is
 * not looked at, as in cryptsetup. kind is what the sentence calls it: "LUKS" or "LUKS2".
 */
enum status header_load(const struct command *c, const struct paths *paths, const char *kind,
			struct mortise_luks2 **out);
/* Loads header and device together, for a mapping. */
enum status header_load_with_device(const struct command *c, const struct paths *paths,
				    struct mortise_luks2 **out);

/* "LUKS", 0xba, 0xbe, version 1: what the library rightly does not take for LUKS2. */
bool header_is_luks1(const char *path);

/* Bytes of the volume key as the keyslots tell, 0 when there are none. */
uint32_t header_volume_key_size(const struct mortise_luks2 *header);

/* Reads --volume-key-file and checks that it is this volume's. */
enum status header_read_volume_key(const struct command *c, struct mortise_luks2 *header,
				   struct mortise_secret **volume_key);

#endif
