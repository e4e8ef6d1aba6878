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
/*
 * Stores the volume key as --link-vk-to-keyring says. NULL: only check the option, before a passphrase
 * is read.
 */
enum status open_link_key(const struct command *c, const struct mortise_secret *volume_key);
/* Reports flags that the kernel does not support, with -v. */
void open_say_dropped(const struct command *c, uint32_t dropped);
/* Reads the key of a plain mapping, key_size bytes, from --key-file or a passphrase and --hash. */
enum status plain_read_key(const struct command *c, const char *device, uint32_t key_size,
			   struct mortise_secret **key);
/* open --type plain. */
enum status open_plain(const struct command *c);

#endif
