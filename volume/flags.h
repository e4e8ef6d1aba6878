/* SPDX-License-Identifier: MIT */
/* Activation flags: public bits, dm-crypt bits, names in the header. */
#ifndef VOLUME_FLAGS_H
#define VOLUME_FLAGS_H

#include "luks2/metadata.h"

uint32_t volume_flags_to_dm(uint32_t flags);
uint32_t volume_flags_from_dm(uint32_t dm_flags);

/* The flags in config.flags; unknown names are ignored. */
uint32_t volume_flags_of_header(struct json_object *metadata);

/* Replaces config.flags. False: out of memory. */
bool volume_flags_to_header(struct json_object *metadata, uint32_t flags);

#endif
