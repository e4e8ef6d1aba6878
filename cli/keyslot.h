/* SPDX-License-Identifier: MIT */
/* The options for a new keyslot (luksFormat, luksAddKey, luksChangeKey). */
#ifndef CLI_KEYSLOT_H
#define CLI_KEYSLOT_H

#include "cli/command.h"

/* Reads --iter-time and those of --pbkdf-* that apply to kdf->type. */
void keyslot_cost(const struct command *c, struct mortise_kdf_choice *kdf);

/*
 * Fills *what from --hash and --keyslot-*, with MORTISE_ANY for the id, and *kdf, to which it
 * points, from --pbkdf* and --iter-time. Refuses costs out of bounds, before anything is written.
 */
enum status keyslot_describe(const struct command *c, struct mortise_keyslot_new *what,
			     struct mortise_kdf_choice *kdf);

/* Checks that keyslot id is free, or id is MORTISE_ANY. Prints cryptsetup's error otherwise. */
enum status keyslot_check_free(const struct mortise_luks2 *header, int id);

#endif
