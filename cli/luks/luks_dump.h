/* SPDX-License-Identifier: MIT */
/* luksDump: the text of a header, and its keys. */
#ifndef CLI_LUKS_DUMP_H
#define CLI_LUKS_DUMP_H

#include "cli/device.h"

/* Prints the header, line for line as cryptsetup 2.6.1. */
void dump_text(const struct mortise_luks2 *header);
/* The same for a LUKS1 header. path: of the device with the header. */
void dump_luks1(const struct mortise_luks2 *header, const char *path);
/* Prints the seal, if there is one, as one more section. */
void dump_seal(const struct mortise_luks2 *header);

/* --dump-volume-key, and --unbound with --key-slot. Both ask for confirmation. */
enum status dump_volume_key(const struct command *c, const struct paths *paths,
			    struct mortise_luks2 *header);
enum status dump_unbound_key(const struct command *c, const struct paths *paths,
			     struct mortise_luks2 *header);

#endif
