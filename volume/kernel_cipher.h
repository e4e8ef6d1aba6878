/* SPDX-License-Identifier: MIT */
/* Keyslot areas under ciphers that only the kernel has. */
#ifndef VOLUME_KERNEL_CIPHER_H
#define VOLUME_KERNEL_CIPHER_H

#include "luks2/header.h"

/* Hands the kernel's ciphers to luks2: a hidden dm-crypt mapping over the area, meanwhile. */
extern const struct luks2_kernel_cipher volume_kernel_cipher;

#endif
