/* SPDX-License-Identifier: MIT */
/* Declarations shared by the files in keys/nettle/; no other folder may include them. */
#ifndef KEYS_NETTLE_MD_H
#define KEYS_NETTLE_MD_H

#include <nettle/nettle-meta.h>
#include <nettle/version.h>

#include "keys/hash.h"

/* Finds a hash by its name in keys/hash.c; NULL if Nettle lacks it. */
const struct nettle_hash *keys_nettle_md(const char *name);

/* HMAC after its key, of any hash. */
struct keys_nettle_hmac;

/* NULL: no memory. */
struct keys_nettle_hmac *keys_nettle_hmac_new(const struct nettle_hash *hash,
					      struct keys_bytes key);
/* Wipes the key; NULL is allowed. */
void keys_nettle_hmac_free(struct keys_nettle_hmac *hmac);

/* As Nettle's PBKDF2 wants to call them: hmac is a struct keys_nettle_hmac. */
void keys_nettle_hmac_update(void *hmac, size_t size, const uint8_t *bytes);
/* The MAC of all that was given since the last one. */
#if NETTLE_VERSION_MAJOR < 4
void keys_nettle_hmac_digest(void *hmac, size_t size, uint8_t *mac);
#else
void keys_nettle_hmac_digest(void *hmac, uint8_t *mac);
#endif

#endif
