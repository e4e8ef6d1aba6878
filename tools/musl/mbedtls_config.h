/* SPDX-License-Identifier: MIT */
/* Of Mbed TLS 2.28 what keys/mbedtls/ uses, and nothing else. */
#ifndef MORTISE_MBEDTLS_CONFIG_H
#define MORTISE_MBEDTLS_CONFIG_H

/* AES instructions where the processor has them, which also keeps its time from the key. */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_AESNI_C

#define MBEDTLS_AES_C
#define MBEDTLS_CIPHER_MODE_CBC
#define MBEDTLS_CIPHER_MODE_CTR
#define MBEDTLS_CIPHER_MODE_XTS
/* Tables in read-only memory: made at run time they are 8 kB of globals behind a race. */
#define MBEDTLS_AES_ROM_TABLES
#define MBEDTLS_AES_FEWER_TABLES

#define MBEDTLS_MD_C
#define MBEDTLS_SHA1_C
#define MBEDTLS_SHA224_C
#define MBEDTLS_SHA256_C
#define MBEDTLS_SHA512_C
#define MBEDTLS_RIPEMD160_C

#include <mbedtls/check_config.h>

#endif
