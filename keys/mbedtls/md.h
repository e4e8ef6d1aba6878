/* SPDX-License-Identifier: MIT */
/* What the files that use Mbed TLS share; no other folder may include it. */
#ifndef KEYS_MBEDTLS_MD_H
#define KEYS_MBEDTLS_MD_H

#include <mbedtls/md.h>

#define KEYS_MBEDTLS_BLOCK_MAX 128u /* bytes, of SHA-384 and SHA-512 */

/*
 * The hash by its name in keys/hash.c, NULL when there is none such. *block (wanted or NULL):
 * the bytes that it works on at once, to which HMAC pads its key.
 */
const mbedtls_md_info_t *keys_mbedtls_md(const char *name, size_t *block);

#endif
