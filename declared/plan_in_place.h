/* SPDX-License-Identifier: MIT */
/*
 * Encrypting a plain file system in place (inPlace), before the volume is opened. A file system that
 * someone has put in the place of an encrypted volume is never accepted so: the list of known volumes
 * or an operator must say that the volume is not encrypted yet.
 */
#ifndef DECLARED_PLAN_IN_PLACE_H
#define DECLARED_PLAN_IN_PLACE_H

#include "declared/steps.h"

/*
 * Plans a volume that is declared encrypted and holds something else than LUKS2: the room for the
 * header, an ENCRYPT step, its keys, and the steps that open and mount the volume; or why not.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plan_in_place(struct volume_run *run,
							  struct volume_plan *plan,
							  struct mortise_error *err);

/* Executes the ENCRYPT step. */
MORTISE_MUST_CHECK enum mortise_code volume_do_encrypt(struct volume_work *work,
						       struct mortise_error *err);

#endif
