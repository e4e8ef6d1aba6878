/* SPDX-License-Identifier: MIT */
/*
 * The seal of declared volumes. A header is used only if its seal is valid and names the volume.
 * Another header is sealed by mortise_apply (options->adopt), and once by the first run of this
 * version on a machine.
 */
#ifndef DECLARED_PLAN_SEAL_H
#define DECLARED_PLAN_SEAL_H

#include "declared/declared.h"

/*
 * Call it when the volume key is known, before any other step is planned. Adds nothing if the seal
 * is valid; a SEAL step (plan->adopted), if the header may be adopted; else a REFUSE or WAIT step.
 * Sets plan->unsealed_state if STATE must be mounted to decide.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plan_check_seal(struct volume_run *run,
							    struct volume_plan *plan,
							    struct mortise_error *err);

/* Adds the SEAL step of an unsealed STATE, after its MOUNT step. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_adopt_state(struct volume_plan *plan,
							     struct mortise_error *err);

/* After an unsealed STATE was mounted. MORTISE_E_POLICY: it must have been sealed before. */
MORTISE_MUST_CHECK enum mortise_code volume_check_unsealed_state(const struct volume_plan *plan,
								 const char *root,
								 struct mortise_error *err);

#endif
