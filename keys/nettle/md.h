/* SPDX-License-Identifier: MIT */
/* Declarations shared by the files in keys/nettle/; no other folder may include them. */
#ifndef KEYS_NETTLE_MD_H
#define KEYS_NETTLE_MD_H

#include <nettle/nettle-meta.h>
#include <nettle/version.h>

#include "keys/hash.h"

/* Finds a hash by its name in keys/hash.c; NULL if Nettle lacks it. */
const struct nettle_hash *keys_nettle_md(const char *name);

#endif
