/* SPDX-License-Identifier: MIT */
/* Declarations shared by the files in keys/openssl/; no other folder may include them. */
#ifndef KEYS_OPENSSL_MD_H
#define KEYS_OPENSSL_MD_H

#include <openssl/evp.h>

/*
 * Fetches a hash by its name in keys/hash.c; NULL if OpenSSL lacks it. The caller releases it with
 * EVP_MD_free().
 */
EVP_MD *keys_openssl_md(const char *name);

#endif
