/* SPDX-License-Identifier: MIT */
/* The one way from a passphrase to an area key: through the gate, and only when it fits. */
#ifndef LUKS2_DERIVE_H
#define LUKS2_DERIVE_H

#include "keys/kdf.h"
#include "luks2/header.h"

struct luks2_derivation {
	const char *who;	/* "keyslot 0": the start of a sentence */
	const struct mortise_kdf *kdf;
	struct keys_bytes salt;
};

/*
 * Fills key, whose size is that of the area key. MORTISE_E_MEMORY, said before it is tried,
 * and what keys_kdf_derive returns.
 */
MORTISE_MUST_CHECK enum mortise_code luks2_derive(const struct mortise_luks2 *header,
						  const struct luks2_derivation *how,
						  const struct mortise_secret *passphrase,
						  struct mortise_secret *key,
						  struct mortise_error *err);

#endif
