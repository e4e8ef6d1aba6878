/* SPDX-License-Identifier: MIT */
/* What luksFormat, luksAddKey and luksChangeKey share: the new keyslot that options describe. */
#ifndef CLI_KEYSLOT_H
#define CLI_KEYSLOT_H

#include "cli/command.h"

/* --iter-time and --pbkdf-*, those that kdf->type has a use for. */
void keyslot_cost(const struct command *c, struct mortise_kdf_choice *kdf);

/*
 * Fills *what from --hash and --keyslot-*, and *kdf, to which it points, from --pbkdf* and
 * --iter-time; the id stays "any". Costs out of bounds are refused here, before anything is
 * written.
 */
enum status keyslot_describe(const struct command *c, struct mortise_keyslot_new *what,
			     struct mortise_kdf_choice *kdf);

/* Is id (or any) free? Prints cryptsetup's sentence when it is not. */
enum status keyslot_check_free(const struct mortise_luks2 *header, int id);

#endif
