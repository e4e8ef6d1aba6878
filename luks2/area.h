/* SPDX-License-Identifier: MIT */
/* Keyslot areas on the device: encrypted by the crypto library or by the kernel, wiped. */
#ifndef LUKS2_AREA_H
#define LUKS2_AREA_H

#include "luks2/header.h"

/* Reads an area and decrypts it. MORTISE_E_UNSUPPORTED when nobody has the cipher. */
MORTISE_MUST_CHECK enum mortise_code luks2_area_read(const struct mortise_luks2 *header,
						     const struct luks2_area *area, uint8_t *plain,
						     struct mortise_error *err);

/* Encrypts plain (destroyed) into the area and flushes it. */
MORTISE_MUST_CHECK enum mortise_code luks2_area_write(const struct mortise_luks2 *header,
						      const struct luks2_area *area, uint8_t *plain,
						      struct mortise_error *err);

/* Overwrites with random bytes and flushes. */
MORTISE_MUST_CHECK enum mortise_code luks2_area_wipe(const struct luks2_device *device,
						     uint64_t offset, uint64_t size,
						     const struct mortise_progress *progress,
						     struct mortise_error *err);

#endif
