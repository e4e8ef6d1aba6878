/* SPDX-License-Identifier: MIT */
/* The process that re-encrypts a volume while it is in use, and other processes that stop it. */
#ifndef DECLARED_CONTINUE_H
#define DECLARED_CONTINUE_H

#include "declared/declared.h"

/*
 * Leaves the reencryption of the volume to mortise_continue(): keeps its keys, and creates the file of
 * its lock, by which an init system can start it.
 */
void volume_continue_later(const struct volume_plan *plan);

/* Removes the keys and the file: the reencryption has ended, or the volume is closed. */
void volume_continue_forget(const struct config_volume *volume);

/* The same, if the volume has no mapping. Under the lock of a run. */
void volume_continue_forget_closed(const struct volume_plan *plan);

/*
 * Asks the process that re-encrypts the volume to stop, and waits for it. No other one begins until *fd
 * is closed. MORTISE_E_CANCELED.
 */
MORTISE_MUST_CHECK enum mortise_code volume_continue_stop(const struct config_volume *volume,
							  const struct mortise_events *events,
							  int *fd, struct mortise_error *err);

/* Does a process re-encrypt the volume now? */
bool volume_continue_runs(const struct config_volume *volume);

#endif
