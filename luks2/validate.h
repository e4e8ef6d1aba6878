/* SPDX-License-Identifier: MIT */
/*
 * The rules of the format (specification, section 3; those that cryptsetup checks): a header
 * that breaks one does not load. Rules of prudence are in policy.h.
 */
#ifndef LUKS2_VALIDATE_H
#define LUKS2_VALIDATE_H

#include "luks2/json.h"

/*
 * Checks the whole metadata of a copy whose JSON area has json_size bytes. MORTISE_E_CORRUPT
 * with a sentence about the first rule that is broken.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_validate(struct json_object *metadata,
						    uint64_t json_size, struct mortise_error *err);

/* The rules by section; each needs those before it, in this order. */
MORTISE_MUST_CHECK enum mortise_code luks2_validate_segments(struct json_object *metadata,
							     struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code luks2_validate_keyslots(struct json_object *metadata,
							     struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code luks2_validate_areas(struct json_object *metadata,
							  struct mortise_error *err);

/* "keyslots" of a token or digest: strings, each the key of an object in targets. */
bool luks2_references_valid(struct json_object *array, struct json_object *targets);

/*
 * Drops members that a KDF object must not have (old cryptsetup left some behind), so that
 * the rules can be checked again. Written to disk by the next update.
 */
void luks2_drop_superfluous_kdf_members(struct json_object *metadata);

/* Where the keyslots area ends: two copies and keyslots_size; 0 when config is not valid. */
uint64_t luks2_keyslots_end(struct json_object *metadata);

/* The lowest offset of a regular (not backup) segment, bytes. */
uint64_t luks2_first_data_offset(struct json_object *metadata);

/* Does this segment hold a copy of an earlier or later one ("backup-..." flag)? */
bool luks2_segment_is_backup(struct json_object *segment);

/* The text of requirements.mandatory[i], NULL when there are no more. */
const char *luks2_requirement(struct json_object *metadata, unsigned i);

/* Is it "online-reencrypt" or "online-reencrypt-vN"? */
bool luks2_requirement_is_online_reencrypt(const char *name);

#endif
