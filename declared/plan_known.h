/* SPDX-License-Identifier: MIT */
/*
 * The rules that the list of known volumes imposes on a run. A known volume is not formatted again,
 * and no other volume is opened in its place; only an operator replaces it (mortise_apply, or
 * mortise_reset_run). Without a list, which is the case once for each STATE, a run takes the declared
 * volumes as they are.
 */
#ifndef DECLARED_PLAN_KNOWN_H
#define DECLARED_PLAN_KNOWN_H

#include "declared/declared.h"

/* Reads the list, unless it is read already or STATE is not mounted. Sets run->known.state. */
void volume_known_begin(struct volume_run *run);

/* May a run take this volume as it is, because it was not ready since the list was created? */
bool volume_known_is_expected(struct known_list *list, const char *id);

/*
 * Compares the volume, as far as it is known by now, with the list: the contents of its device, its
 * header, and the identity of its volume key. Adds a REFUSE, WAIT or FAIL step if it must not be
 * formatted or opened.
 */
MORTISE_MUST_CHECK enum mortise_code volume_known_check(struct volume_run *run,
							struct volume_plan *plan,
							struct mortise_error *err);

/* Says in the first step that it replaces a known volume, once all steps are planned. */
void volume_known_describe(struct volume_plan *plan);

/* Must the volume be planned again, now that STATE is mounted or will not be mounted? */
bool volume_known_review(struct volume_run *run, struct volume_plan *plan);

/*
 * Records, before the commit that ends the format of a volume, which volume this will be. After a
 * power cut, the next run finds either an unfinished format or the recorded volume.
 */
MORTISE_MUST_CHECK enum mortise_code volume_known_record_format(struct volume_run *run,
								const struct volume_plan *plan,
								struct mortise_error *err);

/*
 * Records, before the commit that begins to replace the volume key, which identity the volume will
 * have. Until it is ready again, both identities are its own.
 */
MORTISE_MUST_CHECK enum mortise_code volume_known_record_next(struct volume_run *run,
							      const struct volume_plan *plan,
							      const struct mortise_secret *key,
							      struct mortise_error *err);

/*
 * Records, before the first write of an encryption in place, that the file system on the device is
 * the volume, and with plan->header, which volume it will be. After a power cut, the next run finds
 * either.
 */
MORTISE_MUST_CHECK enum mortise_code volume_known_record_encryption(struct volume_run *run,
								    const struct volume_plan *plan,
								    struct mortise_error *err);

/*
 * done false: records, before the first write of a decryption in place, that the volume is being
 * decrypted. done true: records, before the header is removed, that the data is plain. Between the two,
 * only this header is accepted.
 */
MORTISE_MUST_CHECK enum mortise_code volume_known_record_decryption(struct volume_run *run,
								    const struct volume_plan *plan,
								    bool done,
								    struct mortise_error *err);

/* Records a volume that is ready. STATE creates the list. Reports failures and changes in result. */
void volume_known_record(struct volume_run *run, const struct volume_plan *plan,
			 struct volume_result *result);

#endif
