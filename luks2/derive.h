/* SPDX-License-Identifier: MIT */
/* From a passphrase to an area key, within the memory limit. */
#ifndef LUKS2_DERIVE_H
#define LUKS2_DERIVE_H

#include "keys/kdf.h"
#include "luks2/header.h"

struct luks2_derivation {
	const char *who;	/* "keyslot 0", for the error */
	const struct mortise_kdf *kdf;
	struct keys_bytes salt;
	bool limited;		/* the cost comes from the header, which may ask for years */
};

/*
 * Fills key, which has the size of the area key. MORTISE_E_MEMORY: the KDF needs more memory than
 * is available; nothing was allocated. MORTISE_E_POLICY: limited, and it takes longer than the
 * header's limit. Otherwise the codes of keys_kdf_derive().
 */
MORTISE_MUST_CHECK enum mortise_code luks2_derive(const struct mortise_luks2 *header,
						  const struct luks2_derivation *how,
						  const struct mortise_secret *passphrase,
						  struct mortise_secret *key,
						  struct mortise_error *err);

#endif
