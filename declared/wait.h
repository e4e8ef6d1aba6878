/* SPDX-License-Identifier: MIT */
/* Waiting for devices that the kernel has not found yet, as early in a boot. */
#ifndef VOLUME_WAIT_H
#define VOLUME_WAIT_H

#include "config/config.h"

/*
 * Returns when the devices of all wanted volumes are there, or after options->device_wait_ms.
 * Which are missing is what planning finds out. A disk found by a selector that would be
 * formatted is not believed before no other has turned up for a second: the selector may mean
 * one that comes later. In the same way META counts as absent, where keys need the machine's UUID
 * and only META could give another than the firmware does.
 */
void volume_wait_for_devices(const struct config *volumes,
			     const struct mortise_up_options *options);

/*
 * The same for STATE alone and its META, where no configuration has been read yet. For META of a
 * STATE that is LUKS2 it is waited as long as may be.
 */
void volume_wait_for_state(const struct mortise_up_options *options);

#endif
