/* SPDX-License-Identifier: MIT */
/* Activation flags: public bits, dm-crypt bits, names in the header. */
#ifndef VOLUME_FLAGS_H
#define VOLUME_FLAGS_H

#include "luks2/header.h"

uint32_t volume_flags_to_dm(uint32_t flags);
uint32_t volume_flags_from_dm(uint32_t dm_flags);

/* The flags of a mapping: the given ones and, unless they say otherwise, those in the header. */
uint32_t volume_flags_choose(const struct mortise_luks2 *header, uint32_t flags);

/* With MORTISE_PERSISTENT, replaces config.flags. The mapping is active already. */
MORTISE_MUST_CHECK enum mortise_code volume_flags_persist(struct mortise_luks2 *header,
							  const char *name, uint32_t flags,
							  struct mortise_error *err);

#endif
