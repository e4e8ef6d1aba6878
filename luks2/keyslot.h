/* SPDX-License-Identifier: MIT */
/* Changing keyslots inside an update: areas are written, the header is not yet. */
#ifndef LUKS2_KEYSLOT_H
#define LUKS2_KEYSLOT_H

#include "luks2/model.h"

/*
 * Puts a keyslot for passphrase into the update: its area is on disk when this returns, at a
 * place that no header refers to, and its object in update->metadata, linked to digest.
 * kdf is the chosen cost. *id: MORTISE_ANY or the id wanted in, the id taken out.
 */
struct luks2_keyslot_stage {
	const struct mortise_keyslot_new *what;
	const struct mortise_kdf *kdf;
	const struct mortise_secret *passphrase;
	const struct mortise_secret *key;
	int digest;
};

MORTISE_MUST_CHECK enum mortise_code luks2_keyslot_stage(struct luks2_update *update,
							 const struct luks2_keyslot_stage *stage,
							 int *id, struct mortise_error *err);

/* The cost that a new keyslot of this header will have; measures, so call it before locking. */
MORTISE_MUST_CHECK enum mortise_code luks2_keyslot_cost(const struct mortise_luks2 *header,
							const struct mortise_keyslot_new *what,
							struct mortise_kdf *kdf,
							struct mortise_error *err);

/*
 * Takes keyslot id out of the update, with its links in digests and (token_links) tokens.
 * The commit wipes its area.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_keyslot_unstage(struct luks2_update *update, int id,
							   bool token_links,
							   struct mortise_error *err);

#endif
