/* SPDX-License-Identifier: MIT */
/* The canonical text of JSON metadata: programs may reorder members and change white space. */
#ifndef LUKS2_CANONICAL_H
#define LUKS2_CANONICAL_H

#include "luks2/json.h"

/*
 * The text of value with sorted members and without white space. Leaves out the object skip,
 * wherever it is; NULL: nothing. *out: free(3) it. MORTISE_E_MEMORY.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_canonical(struct json_object *value,
						     const struct json_object *skip, char **out,
						     struct mortise_error *err);

#endif
