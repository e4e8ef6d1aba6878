/* SPDX-License-Identifier: MIT */
/*
 * What mortise remembers in the header itself, in a token of type "mortise": a file system
 * that is still to be made, and for each declared key what it was when last in step. Other
 * programs keep the token as it is.
 */
#ifndef VOLUME_RECORD_H
#define VOLUME_RECORD_H

#include "keys/sources/tpm/tpm.h"
#include "luks2/header.h"

/* The file system that is to be made ("xfs"), NULL when none is. */
const char *volume_record_mkfs(struct json_object *metadata);

/*
 * Sets it. taken, here and below: bit n: keyslot n is declared, and Talos takes token n for its
 * token. False: out of memory or tokens.
 */
MORTISE_MUST_CHECK bool volume_record_set_mkfs(struct json_object *metadata, uint32_t taken,
					       const char *filesystem);

/* It is made. */
void volume_record_mkfs_done(struct json_object *metadata);

#define VOLUME_FINGERPRINT_SIZE 16u

/* What a keyslot was made from. */
struct volume_origin {
	int keyslot;
	/* Not the passphrase but what it is had by, when asking for it would cost a call. */
	bool is_definition;
	const struct mortise_secret *bytes;
};

/*
 * What tells that a keyslot is still the declared one without deriving a key: a MAC under the
 * volume key over slot, keyslot salt and origin.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_fingerprint(struct json_object *metadata, const struct volume_origin *origin,
		   const struct mortise_secret *volume_key,
		   uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE], struct mortise_error *err);

bool volume_record_matches(struct json_object *metadata, int keyslot,
			   const uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE]);

/* Stores a keyslot's fingerprint. False: out of memory or tokens. */
MORTISE_MUST_CHECK bool
volume_record_set_key(struct json_object *metadata, uint32_t taken, int keyslot,
		      const uint8_t fingerprint[static VOLUME_FINGERPRINT_SIZE]);

/*
 * What the literal PCRs of a sealed object held, so that the one that differs can be named:
 * object's values as JSON (NULL: out of memory), stored for a keyslot, and back.
 */
struct json_object *volume_record_pcr_values_new(const struct keys_tpm_object *object);
MORTISE_MUST_CHECK bool volume_record_set_pcr_values(struct json_object *metadata, uint32_t taken,
						     int keyslot, struct json_object *values);
void volume_record_pcr_values(struct json_object *metadata, int keyslot,
			      struct keys_tpm_object *object);

/* Fingerprint and PCR values. */
void volume_record_forget_key(struct json_object *metadata, int keyslot);

#endif
