/* SPDX-License-Identifier: MIT */
/* Parts of open for each type of mapping. */
#ifndef CLI_OPEN_H
#define CLI_OPEN_H

#include "cli/command.h"

/* The enum mortise_activation_flags that the options set. */
uint32_t open_flags(const struct command *c);
/* open --type plain. */
enum status open_plain(const struct command *c);

#endif
