/* SPDX-License-Identifier: MIT */
/*
 * Authenticated encryption: the integrity object of a segment, and the closed list of combinations
 * with a cipher, for the reason that ciphers.h gives.
 */
#ifndef LUKS2_INTEGRITY_H
#define LUKS2_INTEGRITY_H

#include "luks2/json.h"
#include "luks2/model.h"

/*
 * Looks up a type by its name in the header ("hmac(sha256)") or on the command line ("hmac-sha256").
 * key_size: bytes of the MAC's key, 0 for the default; only HMAC has others. integrity->tag_size is
 * that of the cipher with this type. MORTISE_E_USAGE: an unknown name or an invalid key size.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_integrity_find(const char *name, const char *cipher,
							  uint32_t key_size,
							  struct luks2_integrity *integrity,
							  struct mortise_error *err);

/*
 * Decodes the integrity object of a segment with this cipher; NULL: the data is not authenticated.
 * MORTISE_E_POLICY: an unknown type, or an encrypted or authenticated journal.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_integrity_get(struct json_object *object,
							 const char *cipher,
							 struct luks2_integrity *integrity,
							 struct mortise_error *err);

/* The object for a new header. NULL: out of memory. */
struct json_object *luks2_integrity_new(const struct luks2_integrity *integrity);

/*
 * luks2_cipher_check() for data. key_size: bytes of the volume key with the key of the MAC, or 0 if
 * it is not known yet. allowed permits a cipher with any known type that stores tags for it.
 */
MORTISE_MUST_CHECK enum mortise_code
luks2_integrity_check(const char *who, const char *cipher, uint32_t key_size,
		      const struct luks2_integrity *integrity, const char *allowed,
		      struct mortise_error *err);

#endif
