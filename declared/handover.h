/* SPDX-License-Identifier: MIT */
/*
 * The volume keys of an open volume in reencryption, for the process that continues it: the declared
 * keys may no longer be available. They are in root's keyring until the reencryption ends or the volume
 * is closed. The keyring is kernel memory, which is never swapped and does not survive the boot.
 */
#ifndef DECLARED_HANDOVER_H
#define DECLARED_HANDOVER_H

#include "declared/plan.h"

/* Keeps the keys that plan->header knows, if a declared key is known to open the volume. */
void volume_handover_keep(const struct volume_plan *plan);

/* Makes plan->header know the keys that were kept, if they are its own. */
void volume_handover_take(struct volume_plan *plan);

/* Finds a key of root's keyring, and makes it readable until it is released. Negative: not found. */
long volume_kept_find(const char *description);
void volume_kept_release(long id);

/* Removes the keys from the keyring. */
void volume_handover_forget(const struct config_volume *volume);

#endif
