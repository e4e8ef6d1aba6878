/* SPDX-License-Identifier: MIT */
/*
 * PCR 15, the identity of the system. As soon as STATE is open, its identity is extended into the
 * PCR, before anything in STATE can run. A planted STATE therefore gets neither the key of the real
 * STATE, which is sealed to the value before, nor those of other volumes, which are sealed to the
 * value that the real STATE causes.
 */
#ifndef VOLUME_MEASURE_H
#define VOLUME_MEASURE_H

#include "declared/plan.h"
#include "volume/measured.h"

/*
 * Extends PCR 15 with the identity of STATE, or with a marker if STATE is not encrypted. Call it
 * before STATE is mounted, and again at any time: a PCR is extended once in a boot. Fails only if
 * STATE must not be mounted.
 */
MORTISE_MUST_CHECK enum mortise_code volume_measure_state(struct volume_run *run,
							  const struct volume_plan *state,
							  struct mortise_error *err);

/*
 * Is this STATE, whose identity this boot has not recorded? PCR 15 is compared with the identity,
 * for which the volume key is needed.
 */
bool volume_measure_needs_key(const struct volume_plan *plan);

/*
 * After STATE has been brought up: if its identity differs from the recorded one, the other volumes
 * are planned again, because their tpm keys must be sealed again.
 */
void volume_measure_plan_again(struct mortise_plan *plans, const struct volume_measured *before);

/* Extends the marker on a machine without encrypted STATE, before other volumes are planned. */
MORTISE_MUST_CHECK enum mortise_code volume_measure_no_state(struct volume_run *run,
							     struct mortise_error *err);

/*
 * Call it before another volume than STATE is opened or mounted. While encrypted STATE is not open,
 * programs in the volume must not get STATE's key: extends another marker.
 */
MORTISE_MUST_CHECK enum mortise_code volume_measure_before(struct volume_run *run,
							   struct mortise_error *err);

/*
 * Whether a tpm key that is bound to PCR 15 cannot be used or made yet. MORTISE_E_WAIT: no identity
 * was extended in this boot.
 */
MORTISE_MUST_CHECK enum mortise_code volume_measure_check(const struct volume_run *run,
							  const struct config_volume *volume,
							  uint32_t pcrs, struct mortise_error *err);

/* Predicts the value of PCR 15 for a key of volume, after volume_measure_check() succeeded. */
MORTISE_MUST_CHECK enum mortise_code
volume_measure_predict(const struct config_volume *volume,
		       uint8_t value[static KEYS_TPM_DIGEST_SIZE], struct mortise_error *err);

/*
 * Is this declared key the one that opened STATE in this boot, and can it not be unsealed again
 * before the next one?
 */
bool volume_measure_spent(const struct volume_plan *plan, const struct config_key *key);

/* Is a tpm keyslot sealed to another value of PCR 15 than that of the next boot? */
bool volume_measure_differs(const struct volume_plan *plan, const struct keys_tpm_object *object);

#endif
