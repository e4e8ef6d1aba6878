/* SPDX-License-Identifier: MIT */
#ifndef CLI_ENROLL_DECLARED_H
#define CLI_ENROLL_DECLARED_H

#include "cli/command.h"

/*
 * Unlocks the volume that the first word names with any of its declared keys. The header knows its
 * volume key. *keyslot is the declared keyslot of a recovery key, or MORTISE_ANY. Prints errors.
 */
enum status enroll_unlock_declared(const struct command *c, struct mortise_luks2 **header,
				   int *keyslot);

#endif
