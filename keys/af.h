/* SPDX-License-Identifier: MIT */
/* The anti-forensic splitter of LUKS ("luks1" in LUKS2 headers). */
#ifndef KEYS_AF_H
#define KEYS_AF_H

#include <mortise.h>

#define KEYS_AF_STRIPES 4000u

/*
 * Splits key into stripes * key_size bytes at split. All stripes except the last are random.
 * MORTISE_E_UNSUPPORTED: unknown hash.
 */
MORTISE_MUST_CHECK enum mortise_code keys_af_split(const uint8_t *key, size_t key_size,
						   unsigned stripes, const char *hash,
						   uint8_t *split, struct mortise_error *err);

/* Reverses the split: reads stripes * key_size bytes at split, writes key_size bytes to key. */
MORTISE_MUST_CHECK enum mortise_code keys_af_merge(const uint8_t *split, size_t key_size,
						   unsigned stripes, const char *hash, uint8_t *key,
						   struct mortise_error *err);

#endif
