/* SPDX-License-Identifier: MIT */
/* What luksFormat and reencrypt --encrypt share. */
#ifndef CLI_LUKS_FORMAT_H
#define CLI_LUKS_FORMAT_H

#include "cli/device.h"

/* The options that describe a header. cipher: its whole name. */
void format_describe(const struct command *c, const char *cipher, struct mortise_format *format);

/*
 * Creates the file of --header unless it exists. *created: it is new, so there is nothing to
 * overwrite.
 */
enum status format_make_file(const struct command *c, const struct paths *paths, bool *created);

/*
 * Reads the passphrase of the first keyslot, from key_file or a prompt that names device, and the volume
 * key if --volume-key-file names one. The caller frees both.
 */
enum status format_read_keys(const struct command *c, const char *device, const char *key_file,
			     const struct mortise_format *format,
			     struct mortise_secret **passphrase,
			     struct mortise_secret **volume_key);

#endif
