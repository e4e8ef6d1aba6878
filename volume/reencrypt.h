/* SPDX-License-Identifier: MIT */
/* Taking part in the update that begins a reencryption. */
#ifndef VOLUME_REENCRYPT_H
#define VOLUME_REENCRYPT_H

#include "luks2/header.h"

/*
 * Adds the keyslots of the new volume key to the update, under this digest, in place of those that
 * mortise_reencrypt_begin() makes. It may change more of the header: the commit follows.
 */
struct volume_reencrypt_stage {
	enum mortise_code (*call)(void *context, struct luks2_update *update, int digest,
				  const struct mortise_secret *key, struct mortise_error *err);
	void *context;
};

/* mortise_reencrypt_begin() with a stage for a new volume key; NULL: none. */
MORTISE_MUST_CHECK enum mortise_code
volume_reencrypt_begin(struct mortise_luks2 *header, const struct mortise_reencrypt_new *what,
		       const struct volume_reencrypt_stage *stage, struct mortise_error *err);

#endif
