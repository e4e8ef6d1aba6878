/* SPDX-License-Identifier: MIT */
/* Where a new recovery key goes: to a terminal or into a new file, once, and nowhere else. */
#ifndef CLI_RECOVERY_KEY_H
#define CLI_RECOVERY_KEY_H

#include "cli/command.h"

struct recovery_sink {
	const char *file;	/* --recovery-file; NULL: standard output, a terminal */
	int fd;
	bool filled;
};

/* Is a terminal there, or a file named? Says so when not, before anybody is asked anything. */
bool recovery_sink_there(const struct command *c);
/*
 * Before anything is changed: makes the file, with room for the key in it, so that what comes
 * later does not fail for want of space.
 */
enum status recovery_sink_open(const struct command *c, struct recovery_sink *sink);
/* Hands the key of a keyslot over. */
enum status recovery_sink_put(struct recovery_sink *sink, const struct mortise_secret *key,
			      const char *device, int keyslot);
/* Removes the file again when no key came into it. */
void recovery_sink_close(struct recovery_sink *sink);

#endif
