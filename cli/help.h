/* SPDX-License-Identifier: MIT */
/* --help, --usage and --version. */
#ifndef CLI_HELP_H
#define CLI_HELP_H

#include <stdio.h>

#include "cli/command.h"

void help_usage(const struct command *c, FILE *out);
void help_full(const struct command *c);
/* The arguments and options of c->verb. */
void help_verb(const struct command *c);
void help_version(const struct command *c);
/* Reports why options_parse has refused the command line. */
void help_problem(const struct command *c, const struct option_problem *problem);

#endif
