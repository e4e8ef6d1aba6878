/* SPDX-License-Identifier: MIT */
/* The encryption of a keyslot area: 512-byte sectors, IVs count from 0 at the area's start. */
#ifndef KEYS_AREA_H
#define KEYS_AREA_H

#include <mortise.h>

#define KEYS_AREA_SECTOR 512u

/* Does the crypto library support a cipher ("aes-xts-plain64") with a key of key_size bytes? */
bool keys_area_supported(const char *cipher, size_t key_size);

/*
 * Encrypt or decrypt in place. size is a multiple of KEYS_AREA_SECTOR. MORTISE_E_UNSUPPORTED: the
 * crypto library does not support the cipher; the message names it.
 */
MORTISE_MUST_CHECK enum mortise_code keys_area_encrypt(const char *cipher, const uint8_t *key,
						       size_t key_size, uint8_t *area, size_t size,
						       struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code keys_area_decrypt(const char *cipher, const uint8_t *key,
						       size_t key_size, uint8_t *area, size_t size,
						       struct mortise_error *err);

#endif
