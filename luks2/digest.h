/* SPDX-License-Identifier: MIT */
/* Digests: how a header tells the right volume key from a wrong one. */
#ifndef LUKS2_DIGEST_H
#define LUKS2_DIGEST_H

#include "luks2/header.h"

#define LUKS2_DIGEST_ITERATIONS_MIN 1000u	/* fewer are refused as weak, and never written */

/* Is key what digest id was made of? MORTISE_E_KEY when not, MORTISE_E_POLICY for weak ones. */
MORTISE_MUST_CHECK enum mortise_code luks2_digest_verify(struct json_object *metadata, int id,
							 const struct mortise_secret *key,
							 struct mortise_error *err);

/*
 * Adds a digest of key to metadata, with empty lists; *id is the first that is free.
 * iterations 0: an eighth of a second's worth on this machine, at least 1000.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_digest_add(struct json_object *metadata,
						      const char *hash, uint32_t iterations,
						      const struct mortise_secret *key, int *id,
						      struct mortise_error *err);

/* Adds an id to the list ("keyslots", "segments") of a digest. False: out of memory. */
bool luks2_digest_assign(struct json_object *metadata, int digest, const char *list, int id);

#endif
