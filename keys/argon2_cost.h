/* SPDX-License-Identifier: MIT */
/* The search for the Argon2 cost that takes a given time, and the memory it may use. */
#ifndef KEYS_ARGON2_COST_H
#define KEYS_ARGON2_COST_H

#include <mortise.h>

#include "base/machine.h"

/*
 * Returns the maximum memory cost of a new keyslot in KiB: half of the machine's memory; on
 * machines with less than 4 GiB and no swap, at most half of the memory available now, like
 * cryptsetup since 2.7.0; and never more than is available. Unlike in cryptsetup, this also
 * applies to machines with less than 128 MiB.
 */
uint32_t keys_argon2_memory_cap(const struct machine_files *files);

/* Measures how many milliseconds a cost takes. Tests replace it by a model. */
struct keys_stopwatch {
	enum mortise_code (*measure)(void *context, const struct mortise_kdf *kdf, uint32_t *ms,
				     struct mortise_error *err);
	void *context;
};

/*
 * Reads type, lanes and the maximum of memory_kib. Sets time and memory_kib so that a run takes
 * 95 to 110 % of target_ms, or as close to this as the limits in keys/kdf.h allow. The algorithm is
 * that of cryptsetup (lib/crypto_backend/pbkdf_check.c).
 */
MORTISE_MUST_CHECK enum mortise_code keys_argon2_cost(struct mortise_kdf *kdf, uint32_t target_ms,
						      const struct keys_stopwatch *watch,
						      struct mortise_error *err);

#endif
