/* SPDX-License-Identifier: MIT */
/*
 * Replacing the volume key of a declared volume (rotateVolumeKey): before the volume is opened, or online,
 * which is only begun here. The header records, under its seal, which rotation is done, or ordered for the
 * next boot.
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

/* Is the data encrypted while the volume is in use? While META describes STATE, its header decides. */
bool volume_is_online(const struct volume_run *run, const struct volume_plan *plan);

/*
 * Is the volume, which is closed or encrypted online, to be re-encrypted with the declared cipher, key
 * size or sector size (inPlace)? Only the ciphers that can be declared are replaced, and no larger sectors
 * are made below a file system that may use smaller blocks.
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

/*
 * Makes the header know both keys of the reencryption, with the declared key that has opened it, unless
 * the header knows them already.
 */
MORTISE_MUST_CHECK enum mortise_code volume_know_keys(struct volume_plan *plan,
						      struct mortise_error *err);

/* Records both identities again: the list may have been written since the reencryption began. */
MORTISE_MUST_CHECK enum mortise_code volume_record_next(struct volume_run *run,
							const struct volume_plan *plan,
							struct mortise_error *err);

/* Continues a reencryption of plan->header, which knows the keys, up to its end. */
MORTISE_MUST_CHECK enum mortise_code volume_reencrypt_all(struct volume_work *work,
							  struct mortise_error *err);

/* Executes a REENCRYPT step. While none has begun, a failure does not keep the volume closed. */
MORTISE_MUST_CHECK enum mortise_code volume_do_reencrypt(struct volume_work *work,
							 const struct volume_step *step,
							 struct mortise_error *err);

#endif
