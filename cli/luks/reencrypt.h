/* SPDX-License-Identifier: MIT */
/* The ways in which reencrypt begins. */
#ifndef CLI_LUKS_REENCRYPT_H
#define CLI_LUKS_REENCRYPT_H

#include "cli/device.h"

/* How a reencryption began. Free both. */
struct reencrypt_start {
	struct mortise_luks2 *header;
	struct mortise_secret *passphrase; /* that continues it */
	const char *active;	/* the mapping that stays in use; NULL: offline */
	char found[256];	/* its name, if it was searched for */
};

/* Sets start->active: the mapping of the header's volume that is given or found. */
enum status reencrypt_find_active(const struct command *c, const struct paths *paths,
				  const struct mortise_luks2 *header,
				  struct reencrypt_start *start);

/* --encrypt: of a device without a header. */
enum status encrypt_start(const struct command *c, const struct paths *paths,
			  struct reencrypt_start *start);

/* --decrypt with a --header that does not exist: it receives the header of the device. */
enum status decrypt_start(const struct command *c, const struct paths *paths,
			  struct reencrypt_start *start);

/*
 * The passphrase of a keyslot (MORTISE_ANY: any): from a token, else from --key-file or the prompt (NULL:
 * the usual one). Free it.
 */
enum status reencrypt_read_passphrase(const struct command *c, const struct paths *paths,
				      struct mortise_luks2 *header, int keyslot, const char *prompt,
				      struct mortise_secret **passphrase);

/*
 * The resilience of a decryption that moves the data: the option has other names than the format.
 * *name NULL: the default.
 */
enum status decrypt_resilience(const struct command *c, const char **name);

#endif
