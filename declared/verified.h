/* SPDX-License-Identifier: MIT */
/*
 * A record that a run of this boot has verified an open volume, so that the next run derives no key
 * while mapping, header and declaration are the same. It is kept in root's keyring: kernel memory,
 * which is never swapped and does not survive the boot.
 */
#ifndef DECLARED_VERIFIED_H
#define DECLARED_VERIFIED_H

#include "declared/plan.h"

/*
 * Has a run of this boot verified the header under its seal, and each declared key against its
 * keyslot, as they are now? The volume is open, and check_mapping() has compared its mapping.
 */
bool volume_verified(struct volume_run *run, const struct volume_plan *plan);

/* Keeps what this run has verified, if nothing of it is open. Call it after the last write. */
void volume_verified_keep(const struct volume_run *run, const struct volume_plan *plan,
			  const struct volume_result *result);

#endif
