/* SPDX-License-Identifier: MIT */
/* The two halves of luksDump: the text of a header, and the keys that it guards. */
#ifndef CLI_LUKS_DUMP_H
#define CLI_LUKS_DUMP_H

#include "cli/device.h"

/* cryptsetup 2.6.1's text, line for line. */
void dump_text(const struct mortise_luks2 *header);

/* --dump-volume-key, and --unbound with --key-slot; both ask first. */
enum status dump_volume_key(const struct command *c, const struct paths *paths,
			    struct mortise_luks2 *header);
enum status dump_unbound_key(const struct command *c, const struct paths *paths,
			     struct mortise_luks2 *header);

#endif
