/* SPDX-License-Identifier: MIT */
/* From a header to its volume key: by a token, or by what a person or a file gives. */
#ifndef CLI_UNLOCK_H
#define CLI_UNLOCK_H

#include "cli/command.h"

/* --token-id, --token-only or --token-type: a token shall open. */
bool unlock_wants_token(const struct command *c);

/*
 * Tries the tokens that --token-id and --token-type let through. What failed is told; one that
 * has nothing to try is told with -v only. cryptsetup looks at no --key-slot for this.
 */
enum status unlock_by_token(const struct command *c, struct mortise_luks2 *header,
			    struct mortise_secret **volume_key, int *opened);

struct unlock_passphrase {
	const char *device;	/* as people know it */
	const char *prompt;	/* NULL: "Enter passphrase for DEVICE: " */
	struct mortise_key_search search;
};

/*
 * Reads a passphrase as --key-file has it and opens a keyslot with it, or with the recovery key
 * that it may be in another notation. A terminal is asked again, --tries times.
 */
enum status unlock_by_passphrase(const struct command *c, const struct unlock_passphrase *how,
				 struct mortise_luks2 *header, struct mortise_secret **volume_key);

#endif
