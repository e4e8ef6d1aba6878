/* SPDX-License-Identifier: MIT */
/* Digests, which verify a volume key. */
#ifndef LUKS2_DIGEST_H
#define LUKS2_DIGEST_H

#include "luks2/header.h"

#define LUKS2_DIGEST_ITERATIONS_MIN 1000u	/* a digest with fewer is refused as weak */

/* MORTISE_E_POLICY, MORTISE_E_UNSUPPORTED: the digest is refused, whatever the key. */
MORTISE_MUST_CHECK enum mortise_code luks2_digest_check(const struct mortise_luks2 *header,
							int id, struct mortise_error *err);

/*
 * Verifies key. MORTISE_E_KEY: it is another key. MORTISE_E_POLICY: the digest is weak, or takes
 * longer than the header's limit.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_digest_verify(const struct mortise_luks2 *header, int id,
							 const struct mortise_secret *key,
							 struct mortise_error *err);

/*
 * Adds a digest of key with empty lists under the first free id. iterations 0: as many as take an
 * eighth of a second on this machine, at least 1000.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_digest_add(struct json_object *metadata,
						      const char *hash, uint32_t iterations,
						      const struct mortise_secret *key,
						      const struct mortise_events *events, int *id,
						      struct mortise_error *err);

/* Adds id to the list "keyslots" or "segments" of a digest. False: out of memory. */
bool luks2_digest_assign(struct json_object *metadata, int digest, const char *list, int id);

#endif
