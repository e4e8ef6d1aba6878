/* SPDX-License-Identifier: MIT */
/* Keys in the kernel's keyrings. */
#ifndef VOLUME_KEYRING_H
#define VOLUME_KEYRING_H

#include <mortise.h>

/*
 * Reads key serial; negative: it was not found, and errno says why. name: for errors.
 * MORTISE_E_KEY: as in cryptsetup, a missing key counts as a wrong passphrase.
 */
MORTISE_MUST_CHECK enum mortise_code volume_keyring_get(long serial, const char *name,
							struct mortise_secret **out,
							struct mortise_error *err);

#endif
