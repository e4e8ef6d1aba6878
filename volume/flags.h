/* SPDX-License-Identifier: MIT */
/* Activation flags by their three names: public bit, dm-crypt bit, text in the header. */
#ifndef VOLUME_FLAGS_H
#define VOLUME_FLAGS_H

#include "luks2/metadata.h"

uint32_t volume_flags_to_dm(uint32_t flags);
uint32_t volume_flags_from_dm(uint32_t dm_flags);

/* Those in config.flags; texts that we do not know count for nothing. */
uint32_t volume_flags_of_header(struct json_object *metadata);

/* Puts them into config.flags, replacing what is there. False: out of memory. */
bool volume_flags_to_header(struct json_object *metadata, uint32_t flags);

#endif
