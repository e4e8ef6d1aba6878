/* SPDX-License-Identifier: MIT */
/* Where to find KMS and TPM, from options and environment. */
#ifndef CLI_SOURCES_H
#define CLI_SOURCES_H

#include "cli/command.h"

/* Strings belong to the command line and the environment. */
void sources_fill(const struct command *c, struct mortise_key_sources *sources);

#define SOURCES_UUID_ROOM 64u

/*
 * Uses the node UUID in META if a KMS is to be contacted and no --node-uuid was given, as the library
 * does for declared volumes. uuid must outlive sources.
 */
void sources_add_meta(const struct command *c, struct mortise_key_sources *sources,
		      char uuid[static SOURCES_UUID_ROOM]);

#endif
