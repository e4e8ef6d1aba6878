/* SPDX-License-Identifier: MIT */
/* Ciphers with integrity in dm-crypt's notation: "capi:" and the name in the kernel's crypto API. */
#ifndef VOLUME_INTEGRITY_CIPHER_H
#define VOLUME_INTEGRITY_CIPHER_H

#include "luks2/model.h"

#define VOLUME_TAGS_MAX 24u /* "96:aead" */

/* Formats the cipher and dm-crypt's integrity option. False: the cipher's name has another form. */
bool volume_integrity_encode(const struct luks2_segment *segment,
			     char cipher[static MORTISE_CIPHER_MAX + 1],
			     char tags[static VOLUME_TAGS_MAX]);

/*
 * The reverse: cipher becomes "aes-xts-plain64", type "hmac(sha256)". type is dm-crypt's integrity
 * option or "". Forms that are not known stay.
 */
void volume_integrity_parse(char cipher[static MORTISE_CIPHER_MAX + 1], char type[static 64]);

#endif
