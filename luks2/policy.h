/* SPDX-License-Identifier: MIT */
/*
 * What mortise does with a valid header: it decodes the objects that it can use and refuses the
 * others. The rules of the format itself are in validate.h, the list of ciphers is in ciphers.h.
 */
#ifndef LUKS2_POLICY_H
#define LUKS2_POLICY_H

#include "luks2/json.h"
#include "luks2/model.h"

/*
 * Decodes a keyslot. MORTISE_E_NO_KEYSLOT: the id is not in use. MORTISE_E_POLICY: a null cipher,
 * an area shorter than its key, other than 4000 stripes, a cost or salt out of bounds.
 * MORTISE_E_UNSUPPORTED: another keyslot type, or an unknown KDF.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_keyslot_get(struct json_object *metadata, int id,
						       struct luks2_keyslot *keyslot,
						       struct mortise_error *err);

/*
 * Checks that the header may be changed and its keyslots opened. MORTISE_E_POLICY: it has
 * requirements ("Unmet LUKS2 requirements detected."), its data is not encrypted, or its sector
 * size or cipher name is invalid.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_usable(struct json_object *metadata,
						  struct mortise_error *err);

/*
 * Decodes the data segment. MORTISE_E_POLICY: there is more than one, or it is of a type that
 * mortise does not map.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_segment_get(struct json_object *metadata,
						       struct luks2_segment *segment,
						       struct mortise_error *err);

/*
 * Decodes all segments of the data in their order, *count of them; one without a cipher is not
 * encrypted. size is 0 at most for the last one. MORTISE_E_POLICY: integrity, an unknown type, more
 * than LUKS2_PARTS_MAX, or as luks2_segment_get().
 */
#define LUKS2_PARTS_MAX 5u
MORTISE_MUST_CHECK enum mortise_code luks2_parts_get(struct json_object *metadata,
						     struct luks2_segment parts[static LUKS2_PARTS_MAX],
						     unsigned *count, struct mortise_error *err);

#endif
