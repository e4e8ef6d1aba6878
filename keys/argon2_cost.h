/* SPDX-License-Identifier: MIT */
/* The search for an Argon2 cost that takes a given time, and the memory it may use. */
#ifndef KEYS_ARGON2_COST_H
#define KEYS_ARGON2_COST_H

#include <mortise.h>

#include "base/machine.h"

/*
 * KiB that a new keyslot may ask for: half of the memory; on a machine below 4 GiB without
 * swap also half of what is available now, as cryptsetup since 2.7.0; and never more than is
 * available. Smaller machines than 128 MiB are capped too, other than in cryptsetup.
 */
uint32_t keys_argon2_memory_cap(const struct machine_files *files);

/* How long a cost takes, in milliseconds: measured by keys_kdf_choose(), invented by tests. */
struct keys_stopwatch {
	enum mortise_code (*measure)(void *context, const struct mortise_kdf *kdf, uint32_t *ms,
				     struct mortise_error *err);
	void *context;
};

/*
 * In: type, lanes, and the most that memory_kib may be. Out: time and memory_kib that come
 * within 95 to 110 % of target_ms, or as near as the bounds of keys/kdf.h let them. The
 * choice is cryptsetup's (lib/crypto_backend/pbkdf_check.c).
 */
MORTISE_MUST_CHECK enum mortise_code keys_argon2_cost(struct mortise_kdf *kdf, uint32_t target_ms,
						      const struct keys_stopwatch *watch,
						      struct mortise_error *err);

#endif
