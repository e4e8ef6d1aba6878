/* SPDX-License-Identifier: MIT */
/* A keyslot whose passphrase costs a test nothing. */
#ifndef CHEAP_KEYSLOT_H
#define CHEAP_KEYSLOT_H

#include <mortise.h>

/* The result is valid until the next call. */
static inline const struct mortise_keyslot_new *cheap_keyslot(int id)
{
	static const struct mortise_kdf_choice cost = {
		.struct_size = sizeof(cost),
		.type = MORTISE_KDF_PBKDF2,
		.hash = "sha256",
		.forced_time = 1000,
	};
	static struct mortise_keyslot_new what;

	what = (struct mortise_keyslot_new){
		.struct_size = sizeof(struct mortise_keyslot_new),
		.keyslot = id,
		.kdf = &cost,
	};
	return &what;
}

#endif
