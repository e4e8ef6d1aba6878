/* SPDX-License-Identifier: MIT */
/*
 * What mortise remembers in the header itself, in a token of type "mortise": a file system
 * that is still to be made, and for each declared key what it was when last in step. Other
 * programs keep the token as it is.
 */
#ifndef VOLUME_RECORD_H
#define VOLUME_RECORD_H

#include "luks2/header.h"
#include "meta/config.h"

/* The file system that is to be made ("xfs"), NULL when none is. */
const char *volume_record_mkfs(struct json_object *metadata);

/* Sets it. False: out of memory or tokens. */
MORTISE_MUST_CHECK bool volume_record_set_mkfs(struct json_object *metadata,
					       const struct meta_volume *volume,
					       const char *filesystem);

/* It is made. */
void volume_record_mkfs_done(struct json_object *metadata);

#define VOLUME_FINGERPRINT_SIZE 16u

/*
 * What tells that a keyslot still holds the declared passphrase without deriving a key: a MAC
 * under the volume key over slot, keyslot salt and passphrase.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_fingerprint(struct json_object *metadata, int keyslot,
		   const struct mortise_secret *passphrase, const struct mortise_secret *volume_key,
		   uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE], struct mortise_error *err);

bool volume_record_matches(struct json_object *metadata, int keyslot,
			   const uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE]);

/* Stores a keyslot's fingerprint. False: out of memory or tokens. */
MORTISE_MUST_CHECK bool volume_record_set_key(struct json_object *metadata,
					      const struct meta_volume *volume, int keyslot,
					      const uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE]);

void volume_record_forget_key(struct json_object *metadata, int keyslot);

#endif
