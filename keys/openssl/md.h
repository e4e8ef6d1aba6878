/* SPDX-License-Identifier: MIT */
/* What the files that use OpenSSL share; no other folder may include it. */
#ifndef KEYS_OPENSSL_MD_H
#define KEYS_OPENSSL_MD_H

#include <openssl/evp.h>

/* The hash by its name in keys/hash.c, NULL when there is none such. EVP_MD_free() it. */
EVP_MD *keys_openssl_md(const char *name);

#endif
