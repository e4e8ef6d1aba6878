/* SPDX-License-Identifier: MIT */
/* Where to find KMS and TPM, from options and environment. */
#ifndef CLI_SOURCES_H
#define CLI_SOURCES_H

#include "cli/command.h"

/* Strings belong to the command line and the environment. */
void sources_fill(const struct command *c, struct mortise_key_sources *sources);

#endif
