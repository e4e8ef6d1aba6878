/* SPDX-License-Identifier: MIT */
/* Waiting for devices that the kernel has not found yet, as early in a boot. */
#ifndef VOLUME_WAIT_H
#define VOLUME_WAIT_H

#include "config/config.h"

/*
 * Returns when the devices of all wanted volumes exist, or after options->device_wait_ms. Planning
 * reports what is missing. A disk found by a selector that would be formatted counts only when no
 * other disk has appeared for a second: the selector may mean a disk that appears later. In the
 * same way META counts as absent, where keys need the machine's UUID and only META could give
 * another one than the firmware. Fails with MORTISE_E_CANCELED only.
 */
MORTISE_MUST_CHECK enum mortise_code volume_wait_for_devices(const struct config *volumes,
							     const struct mortise_up_options *options,
							     struct mortise_error *err);

/*
 * The same for STATE alone and its META, before a configuration is read. While STATE is LUKS2, META
 * is waited for as long as the options allow.
 */
MORTISE_MUST_CHECK enum mortise_code volume_wait_for_state(const struct mortise_up_options *options,
							   struct mortise_error *err);

#endif
