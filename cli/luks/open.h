/* SPDX-License-Identifier: MIT */
/* What open, refresh and luksResume have in common, and the parts of open for each type. */
#ifndef CLI_LUKS_OPEN_H
#define CLI_LUKS_OPEN_H

#include "cli/device.h"

/* The activation flags that the options name. */
uint32_t open_flags(const struct command *c);
/* By --volume-key-file, a token or a passphrase. */
enum status open_unlock(const struct command *c, const struct paths *paths,
			struct mortise_luks2 *header, struct mortise_secret **volume_key);
/* Reports flags that the kernel does not support, with -v. */
void open_say_dropped(const struct command *c, uint32_t dropped);
/* open --type plain. */
enum status open_plain(const struct command *c);

#endif
