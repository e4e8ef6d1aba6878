/* SPDX-License-Identifier: MIT */
/* Waiting for devices that the kernel has not found yet, early in the boot. */
#ifndef VOLUME_WAIT_H
#define VOLUME_WAIT_H

#include "config/config.h"

/*
 * Returns when the devices of all wanted volumes exist, or after options->device_wait_ms. Planning
 * reports the missing ones. A disk that is found by its selector and would be formatted counts as
 * present once no other disk has appeared for a second: the selector may match a disk that appears
 * later. In the same way, META counts as absent once no device has appeared for a second; it is
 * waited for only if a key needs the machine's UUID, which META can override, and partitions only as
 * long if they are to be created and options->system_disk is given. Fails only with
 * MORTISE_E_CANCELED.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_wait_for_devices(const struct config *volumes, const struct mortise_up_options *options,
			struct mortise_error *err);

/*
 * The same for STATE and its META, before a configuration is read. If STATE is LUKS2, waits for
 * META as long as the options allow.
 */
MORTISE_MUST_CHECK enum mortise_code volume_wait_for_state(const struct mortise_up_options *options,
							   struct mortise_error *err);

#endif
