/* SPDX-License-Identifier: MIT */
/* Declarations shared by the files in keys/mbedtls/; no other folder may include them. */
#ifndef KEYS_MBEDTLS_MD_H
#define KEYS_MBEDTLS_MD_H

#include <mbedtls/version.h>

/* Undefined only in static analysis without the headers of Mbed TLS. */
#ifdef MBEDTLS_VERSION_NUMBER
#if MBEDTLS_VERSION_NUMBER < 0x021c0000 || MBEDTLS_VERSION_NUMBER >= 0x04000000
#error "Mbed TLS 2.28 or 3.x is required"
#endif
/* Hashes that only a PSA driver implements need psa_crypto_init(), which nothing here calls. */
#if !defined(MBEDTLS_MD_C) || !defined(MBEDTLS_SHA256_C)
#error "Mbed TLS with MBEDTLS_MD_C and MBEDTLS_SHA256_C is required"
#endif
#endif

#include <mbedtls/md.h>

/* The longest block of a hash in the list of keys/mbedtls/hash.c: SHA3-224's, in bytes. */
#define KEYS_MBEDTLS_BLOCK_MAX 144u

/*
 * Find a hash by its name in keys/hash.c; NULL if Mbed TLS lacks it. block may be NULL, else
 * *block is the hash's block size in bytes, to which HMAC pads its key.
 */
const mbedtls_md_info_t *keys_mbedtls_md(const char *name, size_t *block);

#endif
