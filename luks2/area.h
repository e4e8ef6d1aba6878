/* SPDX-License-Identifier: MIT */
/* Keyslot areas on the device, encrypted by the crypto library or by the kernel. */
#ifndef LUKS2_AREA_H
#define LUKS2_AREA_H

#include "luks2/header.h"

/* The bytes that an area reserves for the split key of a volume key, a multiple of 4096. */
uint64_t luks2_area_room(uint32_t key_size);

/* The bytes of it that are used: whole sectors. */
size_t luks2_area_used(uint32_t key_size);

/*
 * Reads an area and decrypts it. MORTISE_E_UNSUPPORTED: neither the crypto library nor the kernel
 * has the cipher.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_area_read(const struct mortise_luks2 *header,
						     const struct luks2_area *area, uint8_t *plain,
						     struct mortise_error *err);

/* Encrypts plain in place, writes it to the area and flushes. */
MORTISE_MUST_CHECK enum mortise_code luks2_area_write(const struct mortise_luks2 *header,
						      const struct luks2_area *area, uint8_t *plain,
						      struct mortise_error *err);

/* Overwrites the bytes at offset with random bytes and flushes. events NULL: to the end. */
MORTISE_MUST_CHECK enum mortise_code luks2_area_wipe(const struct luks2_device *device,
						     uint64_t offset, uint64_t size,
						     const struct mortise_events *events,
						     struct mortise_error *err);

#endif
