/* SPDX-License-Identifier: MIT */
/* What other verbs say about the seal of a header. */
#ifndef CLI_SEAL_H
#define CLI_SEAL_H

#include "cli/command.h"

/*
 * After unlocking: warns if the seal does not match the header. With --sealed, fails in this case
 * and if the header has no seal.
 */
enum status seal_demand(const struct command *c, const struct mortise_luks2 *header);

/* After a change without the volume key, or of a header whose seal did not match: warns. */
void seal_warn_after_change(const struct command *c, const struct mortise_luks2 *header);

#endif
