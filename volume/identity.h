/* SPDX-License-Identifier: MIT */
/* The identity of an encrypted volume: a value that only the owner of its volume key can compute. */
#ifndef VOLUME_IDENTITY_H
#define VOLUME_IDENTITY_H

#include "luks2/header.h"

#define VOLUME_IDENTITY_SIZE 32u

/*
 * Computes HMAC-SHA-256(volume key, "cryptsetup:MAPPING:UUID"), the value that systemd-cryptsetup
 * extends into a PCR (tpm2-measure-pcr=) and compares (fixate-volume-key=) for this mapping name.
 * MORTISE_E_USAGE: the key is NULL, or systemd would escape a character of the name.
 */
MORTISE_MUST_CHECK enum mortise_code
volume_identity_of(const struct mortise_luks2 *header, const struct mortise_secret *key,
		   const char *mapping, uint8_t identity[static VOLUME_IDENTITY_SIZE],
		   struct mortise_error *err);
/* The same for the volume key that the header knows. */
MORTISE_MUST_CHECK enum mortise_code
volume_identity(const struct mortise_luks2 *header, const char *mapping,
		uint8_t identity[static VOLUME_IDENTITY_SIZE], struct mortise_error *err);

#endif
