/* SPDX-License-Identifier: MIT */
/* Handing out a new recovery key, once: to a terminal or to a new file. */
#ifndef CLI_RECOVERY_KEY_H
#define CLI_RECOVERY_KEY_H

#include "cli/command.h"

struct recovery_sink {
	const char *file;	/* NULL: standard output, a terminal */
	int fd;
	bool filled;
};

/* Checks, before anything is asked for, that there is a terminal or --recovery-file. Prints errors. */
bool recovery_sink_there(const struct command *c);
/*
 * Creates the file before anything is changed, with space for the key, so that writing the key
 * cannot fail for lack of space.
 */
enum status recovery_sink_open(const struct command *c, struct recovery_sink *sink);
/* The same for a given file, or NULL: standard output. */
enum status recovery_sink_create(const char *file, struct recovery_sink *sink);
/* Prints or writes the key of a keyslot. */
enum status recovery_sink_put(struct recovery_sink *sink, const struct mortise_secret *key,
			      const char *device, int keyslot);
/* Removes the file if no key was written to it. */
void recovery_sink_close(struct recovery_sink *sink);

#endif
