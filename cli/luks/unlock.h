/* SPDX-License-Identifier: MIT */
/* Unlocking a volume key with a token, a passphrase or a key file. */
#ifndef CLI_UNLOCK_H
#define CLI_UNLOCK_H

#include "cli/device.h"

/* Was --token-id, --token-only or --token-type given? */
bool unlock_wants_token(const struct command *c);

/* Does the volume have two keys, so that one volume key does not open it? */
bool unlock_in_reencryption(const struct mortise_luks2 *header);

/*
 * The passphrase of a keyslot (MORTISE_ANY: any) that a token gives. Asks for a PIN if it needs one.
 * False: no token gives it, or the user wants a key file, or the name is cryptsetup, which asks.
 */
bool unlock_token_passphrase(const struct command *c, struct mortise_luks2 *header, int keyslot,
			     struct mortise_secret **passphrase);

/*
 * Tries the tokens that --token-id and --token-type select, and prints why they failed; if there are
 * none, only with -v. As in cryptsetup, --key-slot does not apply.
 */
enum status unlock_by_token(const struct command *c, struct mortise_luks2 *header,
			    struct mortise_secret **volume_key, int *opened);

struct unlock_passphrase {
	const char *device;	/* for prompts */
	const char *prompt;	/* NULL: "Enter passphrase for DEVICE: " */
	struct mortise_key_search search;
};

/*
 * Reads a passphrase from --key-file or the prompt and opens a keyslot with it, also if it is a
 * recovery key in another notation. Asks on a terminal up to --tries times.
 */
enum status unlock_by_passphrase(const struct command *c, const struct unlock_passphrase *how,
				 struct mortise_luks2 *header, struct mortise_secret **volume_key);

/* The same with one try and without recovery keys. The caller frees *passphrase and *volume_key. */
enum status unlock_keyslot(const struct command *c, const struct unlock_passphrase *how,
			   struct mortise_luks2 *header, struct mortise_secret **passphrase,
			   struct mortise_secret **volume_key, int *opened);

/* By a token or, without --token-only, by a passphrase. */
enum status unlock_volume(const struct command *c, const struct unlock_passphrase *how,
			  struct mortise_luks2 *header, struct mortise_secret **volume_key);

/* By --volume-key-file, a token or a passphrase, for a verb that changes the header. */
enum status unlock_header(const struct command *c, const struct paths *paths,
			  struct mortise_luks2 *header, struct mortise_secret **volume_key);

#endif
