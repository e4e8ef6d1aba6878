/* SPDX-License-Identifier: MIT */
/* Inside luks2/: what reading and writing the metadata of a reencryption share. */
#ifndef LUKS2_REENCRYPT_PRIVATE_H
#define LUKS2_REENCRYPT_PRIVATE_H

#include "luks2/reencrypt.h"

#define LUKS2_REQUIREMENT_REENCRYPT "online-reencrypt"

/* The first segment with a flag that begins so, and its id; or NULL. */
struct json_object *luks2_segment_flagged(struct json_object *segments, const char *flag, int *id);

/* The version of the requirement; 1: it has no number. */
unsigned luks2_reencrypt_version(struct json_object *metadata);

/*
 * The bytes that the digest covers: both keys, which may be NULL, and the metadata.
 * MORTISE_E_POLICY: the metadata is incomplete.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_reencrypt_record(struct json_object *metadata,
							    const struct mortise_secret *old_key,
							    const struct mortise_secret *new_key,
							    struct mortise_secret **out,
							    struct mortise_error *err);

/* Adds the digest over the metadata and both keys. */
MORTISE_MUST_CHECK enum mortise_code
luks2_reencrypt_add_digest(struct luks2_update *update, int keyslot,
			   const struct mortise_secret *old_key,
			   const struct mortise_secret *new_key, struct mortise_error *err);

/* Replace the requirement, and the area of the keyslot, as state needs. False: out of memory. */
bool luks2_reencrypt_set_requirement(struct json_object *metadata,
				     const struct luks2_reencryption *state);
bool luks2_reencrypt_set_area(struct json_object *keyslot, const struct luks2_reencryption *state,
			      uint64_t offset, uint64_t size);

#endif
