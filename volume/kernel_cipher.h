/* SPDX-License-Identifier: MIT */
/* Keyslot areas with ciphers that only the kernel supports. */
#ifndef VOLUME_KERNEL_CIPHER_H
#define VOLUME_KERNEL_CIPHER_H

#include "luks2/header.h"

/* Lets luks2 use the kernel's ciphers, by a temporary hidden dm-crypt mapping of the area. */
extern const struct luks2_kernel_cipher volume_kernel_cipher;

/*
 * Can data be formatted with this cipher? If the crypto library lacks the cipher, maps the first
 * sectors of device read-only to ask the kernel. Without device-mapper, as when building an image
 * for another machine, accepts any names that Linux knows. MORTISE_E_UNSUPPORTED. tags and
 * mac_key_size: members integrity and integrity_key_size of struct dm_crypt_target, or NULL and 0.
 */
MORTISE_MUST_CHECK enum mortise_code volume_cipher_check(const struct luks2_device *device,
							 const char *cipher, uint32_t key_size,
							 const char *tags, uint32_t mac_key_size,
							 struct mortise_error *err);

#endif
