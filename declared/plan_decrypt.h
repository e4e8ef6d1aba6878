/* SPDX-License-Identifier: MIT */
/*
 * Decrypting a volume in place ("provider: none" with inPlace), before it is mounted. Nothing on the
 * volume's device orders it: only the configuration does, and the list of known volumes must have the
 * volume as encrypted, or an operator runs apply. Meanwhile, its header is a file in STATE.
 */
#ifndef DECLARED_PLAN_DECRYPT_H
#define DECLARED_PLAN_DECRYPT_H

#include "declared/steps.h"

/*
 * Sets plan->has_header and plan->header_file. Adds a step if the volume cannot be used without
 * STATE, or without its header there.
 */
MORTISE_MUST_CHECK enum mortise_code volume_plan_find_header(struct volume_run *run,
							     struct volume_plan *plan,
							     struct mortise_error *err);

/* Is the data plain already, and only the header in STATE left over? */
bool volume_plan_is_decrypted(const struct volume_plan *plan);

/* Adds a REFUSE or FAIL step if the volume cannot be decrypted. Needs no key. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_check_decryption(struct volume_run *run,
								  struct volume_plan *plan,
								  struct mortise_error *err);

/* Adds the DECRYPT step. The key and the seal have been checked. */
MORTISE_MUST_CHECK enum mortise_code volume_plan_decrypt(const struct volume_run *run,
							 struct volume_plan *plan,
							 struct mortise_error *err);

/* Executes the DECRYPT step. */
MORTISE_MUST_CHECK enum mortise_code volume_do_decrypt(struct volume_work *work,
						       struct mortise_error *err);

#endif
