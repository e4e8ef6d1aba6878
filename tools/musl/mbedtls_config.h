/* SPDX-License-Identifier: MIT */
/* The parts of Mbed TLS (2.28 or 3.x) that keys/mbedtls/ uses. */
#ifndef MORTISE_MBEDTLS_CONFIG_H
#define MORTISE_MBEDTLS_CONFIG_H

/* AES instructions where the processor has them, which also keeps its time from the key. */
#define MBEDTLS_HAVE_ASM
#define MBEDTLS_AESNI_C
#define MBEDTLS_AESCE_C /* 3.x: the same on 64-bit Arm */

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
#define MBEDTLS_SHA384_C /* 3.x: no longer a part of SHA512_C */
#define MBEDTLS_SHA512_C
#define MBEDTLS_RIPEMD160_C

/* 3.x: mbedtls/build_info.h includes this file, and then the check. */
#ifndef MBEDTLS_BUILD_INFO_H
#include <mbedtls/check_config.h>
#endif

#endif
