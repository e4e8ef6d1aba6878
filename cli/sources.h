/* SPDX-License-Identifier: MIT */
/* Where KMS and TPM are found, as options and the environment say it. */
#ifndef CLI_SOURCES_H
#define CLI_SOURCES_H

#include "cli/command.h"

/* Strings belong to the command line and the environment. */
void sources_fill(const struct command *c, struct mortise_key_sources *sources);

#define SOURCES_UUID_ROOM 64u

/*
 * What META calls this machine, where a KMS is to be asked and nothing else was given: as for
 * declared volumes, whose library functions look for themselves. uuid has to outlive sources.
 */
void sources_add_meta(const struct command *c, struct mortise_key_sources *sources,
		      char uuid[static SOURCES_UUID_ROOM]);

#endif
