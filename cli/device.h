/* SPDX-License-Identifier: MIT */
/* Resolving device arguments and loading headers. */
#ifndef CLI_DEVICE_H
#define CLI_DEVICE_H

#include "cli/command.h"

struct paths {
	char device[PATH_MAX];	/* the verb's device */
	char header[PATH_MAX];	/* --header, else the device */
	bool detached;		/* --header was given */
};

/* Fills *paths. "UUID=..." becomes /dev/disk/by-uuid/... */
void paths_find(const struct command *c, const char *device, struct paths *paths);

/* As in cryptsetup: a cipher name alone, or with "-plain", means cbc-plain. */
void cipher_whole(const char *given, char cipher[static MORTISE_CIPHER_MAX + 1]);

/*
 * Loads the header for a verb that needs only the header. As in cryptsetup, with --header the device
 * is not opened. kind is "LUKS" or "LUKS2", for the error message. Verbs that only read accept LUKS1,
 * unless --type is luks2; for others, the error says how to convert it.
 */
enum status header_load(const struct command *c, const struct paths *paths, const char *kind,
			struct mortise_luks2 **out);
/* Loads the header together with its data device, for a mapping. */
enum status header_load_with_device(const struct command *c, const struct paths *paths,
				    struct mortise_luks2 **out);

/* 1 or 2. */
uint32_t header_version(const struct mortise_luks2 *header);
/* The same for an active mapping, whose data device is also that of *paths. */
enum status header_load_of_mapping(const struct command *c, const char *name,
				   struct mortise_mapping_info *info, struct paths *paths,
				   struct mortise_luks2 **out);

/* Is it a LUKS1 header, which the library refuses as not LUKS2? */
bool header_is_luks1(const char *path);

/* Size of the volume key in bytes according to the keyslots; 0 without keyslots. */
uint32_t header_volume_key_size(const struct mortise_luks2 *header);

/* Was --volume-key-file or --volume-key-keyring given? */
bool header_has_volume_key(const struct command *c);
/* Reads that volume key and checks it against the digest. */
enum status header_read_volume_key(const struct command *c, struct mortise_luks2 *header,
				   struct mortise_secret **volume_key);

#endif
