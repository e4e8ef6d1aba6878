/* SPDX-License-Identifier: MIT */
/* Keyslot areas under ciphers that only the kernel has. */
#ifndef VOLUME_KERNEL_CIPHER_H
#define VOLUME_KERNEL_CIPHER_H

#include "luks2/header.h"

/* Hands the kernel's ciphers to luks2: a hidden dm-crypt mapping over the area, meanwhile. */
extern const struct luks2_kernel_cipher volume_kernel_cipher;

/*
 * May data be formatted with this cipher? What the crypto library lacks is tried on the
 * kernel, over the first sectors of device, read-only; where there is no device-mapper (an
 * image for another machine), names that Linux has are believed. MORTISE_E_UNSUPPORTED:
 * "Cipher X with a key of N bits is not available."
 */
MORTISE_MUST_CHECK enum mortise_code volume_cipher_check(const struct luks2_device *device,
							 const char *cipher, uint32_t key_size,
							 struct mortise_error *err);

#endif
