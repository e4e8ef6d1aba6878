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

#endif
