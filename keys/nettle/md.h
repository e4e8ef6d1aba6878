/* SPDX-License-Identifier: MIT */
/* What the files that use Nettle share; no other folder may include it. */
#ifndef KEYS_NETTLE_MD_H
#define KEYS_NETTLE_MD_H

#include <nettle/nettle-meta.h>
#include <nettle/version.h>

#include "keys/hash.h"

/* The hash by its name in keys/hash.c, NULL when there is none such. */
const struct nettle_hash *keys_nettle_md(const char *name);

#endif
