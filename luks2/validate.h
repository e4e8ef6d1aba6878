/* SPDX-License-Identifier: MIT */
/*
 * The rules of the format (specification, section 3, as cryptsetup checks them). A header that
 * breaks one is not loaded. What mortise refuses in valid headers is in policy.h.
 */
#ifndef LUKS2_VALIDATE_H
#define LUKS2_VALIDATE_H

#include "luks2/json.h"

/*
 * Checks the metadata of a copy whose JSON area has json_size bytes. MORTISE_E_CORRUPT: the error
 * names the first broken rule.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_validate(struct json_object *metadata,
						    uint64_t json_size, struct mortise_error *err);

/* The parts of luks2_validate(), in the order of the calls: each relies on those before it. */
MORTISE_MUST_CHECK enum mortise_code luks2_validate_requirements(struct json_object *metadata,
								 struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code luks2_validate_tokens(struct json_object *metadata,
							   struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code luks2_validate_digests(struct json_object *metadata,
							    struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code luks2_validate_config(struct json_object *metadata,
							   struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code luks2_validate_segments(struct json_object *metadata,
							     struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code luks2_validate_keyslots(struct json_object *metadata,
							     struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code luks2_validate_areas(struct json_object *metadata,
							  struct mortise_error *err);

/* True if array is an array of at most 32 strings, each of them the key of an object in targets. */
bool luks2_references_valid(struct json_object *array, struct json_object *targets);

/*
 * Removes members that a KDF object must not have, which old versions of cryptsetup left behind.
 * The metadata may be valid then. The next update writes the change to disk.
 */
void luks2_drop_superfluous_kdf_members(struct json_object *metadata);

#endif
