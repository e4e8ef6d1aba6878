/* SPDX-License-Identifier: MIT */
/*
 * Replacing the volume key of a declared volume (rotateVolumeKey), offline, before it is opened.
 * Which rotation is done, or ordered for the next boot, is recorded in the header under its seal.
 */
#ifndef DECLARED_PLAN_REENCRYPT_H
#define DECLARED_PLAN_REENCRYPT_H

#include "declared/steps.h"

/* "about 12 min": the time to read and write bytes of a device, measured with a few reads. */
#define VOLUME_TIME_ROOM 40u
const char *volume_estimate_time(const char *device, uint64_t bytes,
				 char text[static VOLUME_TIME_ROOM]);

/* Has a reencryption of the volume begun? False without a header. */
bool volume_in_reencryption(const struct volume_plan *plan);

/*
 * The declared serial of rotateVolumeKey, or NULL. While META describes STATE, the configuration is
 * not known yet, and the order in the header counts.
 */
const char *volume_rotation_serial(const struct volume_run *run, const struct volume_plan *plan,
				   struct json_object *metadata);

/*
 * Is the closed volume to be re-encrypted with the declared cipher, key size or sector size (inPlace)?
 * Only the ciphers that can be declared are replaced, and no larger sectors are made below a file
 * system that may use smaller blocks.
 */
bool volume_plan_may_convert(const struct volume_plan *plan);

/* Is it neither done nor, while the volume is open, ordered? */
bool volume_rotation_is_wanted(const struct volume_run *run, const struct volume_plan *plan);

/*
 * Compares a reencryption that has begun with the declaration, before a key is derived. One that this
 * program cannot continue gets a REFUSE step.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plan_check_reencryption(struct volume_plan *plan,
								    struct mortise_error *err);

/*
 * Adds a REENCRYPT step (*begins) if a reencryption has begun, or if another serial is declared than
 * the one of the last rotation; of an open volume, one that orders the rotation. If the volume key
 * cannot be replaced now, a KEY_FAIL step says why. The seal has been checked.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plan_reencrypt(struct volume_run *run,
							   struct volume_plan *plan, bool *begins,
							   struct mortise_error *err);

/* The declared key that has opened the volume, or NULL: its keyslots hold the key before, and after. */
const struct key_attempt *volume_find_attempt(const struct volume_plan *plan);

/* Continues a reencryption of plan->header up to its end, with a passphrase of both volume keys. */
MORTISE_MUST_CHECK enum mortise_code
volume_reencrypt_all(struct volume_work *work, const struct mortise_secret *passphrase,
		     struct mortise_error *err);

/* Executes a REENCRYPT step. While none has begun, a failure does not keep the volume closed. */
MORTISE_MUST_CHECK enum mortise_code volume_do_reencrypt(struct volume_work *work,
							 const struct volume_step *step,
							 struct mortise_error *err);

#endif
