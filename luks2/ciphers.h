/* SPDX-License-Identifier: MIT */
/*
 * The closed list of ciphers for data and for keyslot areas. A header chooses its ciphers, and anyone
 * who can write the disk can write the header: with "aes-xts-null" or "aes:2-ctr-null" the right
 * volume key encrypts new data so that it can be read without any key.
 */
#ifndef LUKS2_CIPHERS_H
#define LUKS2_CIPHERS_H

#include <mortise.h>

/* Is the cipher on the list with a key of key_size bytes? 0: with any key size. */
bool luks2_cipher_listed(const char *cipher, uint32_t key_size);

/*
 * MORTISE_E_POLICY: the cipher is not on the list, nor is it allowed, the name that an operator
 * accepts (may be NULL). The error begins with who, for example "segment 0", and ends with the
 * remedy. key_size: bytes, 0 if it is not known yet.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_cipher_check(const char *who, const char *cipher,
							uint32_t key_size, const char *allowed,
							struct mortise_error *err);

/* True if the cipher does not encrypt. --allow-cipher does not allow it. */
bool luks2_cipher_is_null(const char *cipher);

#endif
