/* SPDX-License-Identifier: MIT */
/* What a mistyped word may stand for. */
#ifndef CLI_NEAREST_H
#define CLI_NEAREST_H

#include "cli/command.h"

/* The name of a supported verb, an older name included, or NULL if none is near. */
const char *nearest_verb(const char *word);
/* The same for options. word is as given: "--name", "--name=value" or "-n". */
const char *nearest_option(const char *word);

#endif
