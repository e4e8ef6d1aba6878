/* SPDX-License-Identifier: MIT */
/* Key derivation with PBKDF2, Argon2i and Argon2id through one function, and their costs. */
#ifndef KEYS_KDF_H
#define KEYS_KDF_H

#include <mortise.h>

#include "keys/hash.h"

/* Limits for new keyslots, from cryptsetup. Existing keyslots may use what the format allows. */
#define KEYS_ARGON2_TIME_MIN	4u
#define KEYS_ARGON2_MEMORY_MIN	32u		/* KiB */
#define KEYS_ARGON2_MEMORY_MAX	4194304u	/* KiB */
#define KEYS_ARGON2_LANES_MAX	4u
#define KEYS_PBKDF2_TIME_MIN	1000u
#define KEYS_KDF_MEMORY_DEFAULT	1048576u	/* KiB */
#define KEYS_KDF_TARGET_DEFAULT	2000u		/* ms */

/* Returns the memory that the KDF needs in bytes, 0 for PBKDF2. */
uint64_t keys_kdf_memory(const struct mortise_kdf *kdf);

/*
 * Checks that the machine has enough memory now: MORTISE_E_MEMORY if it exceeds the available
 * memory in /proc/meminfo (including swap), the limit of a cgroup, or RLIMIT_AS. who is the subject
 * of the message: "keyslot 0" -> "keyslot 0 needs 1024 MiB, 312 MiB is available".
 */
MORTISE_MUST_CHECK enum mortise_code keys_kdf_fits(const struct mortise_kdf *kdf, const char *who,
						   struct mortise_error *err);

/*
 * MORTISE_E_POLICY: the derivation would take longer than max_s seconds on this machine. A cost that
 * any machine can bear is not measured; otherwise a derivation of some 50 ms is. Also the errors of
 * keys_kdf_fits().
 */
MORTISE_MUST_CHECK enum mortise_code keys_kdf_check_time(const struct mortise_kdf *kdf,
							 uint32_t max_s, const char *who,
							 const struct mortise_events *events,
							 struct mortise_error *err);

/*
 * key[0..key_size-1] = KDF(passphrase, salt). The passphrase may be empty and hold any byte.
 * MORTISE_E_UNSUPPORTED for an unknown hash, MORTISE_E_USAGE for a cost outside what the
 * algorithm allows (RFC 9106 3.1: salt >= 8 bytes, memory >= 8*lanes), MORTISE_E_MEMORY,
 * MORTISE_E_CANCELED.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kdf_derive(const struct mortise_kdf *kdf,
						     const struct mortise_events *events,
						     const struct mortise_secret *passphrase,
						     struct keys_bytes salt, uint8_t *key,
						     size_t key_size, struct mortise_error *err);

/*
 * Turns a choice into a cost. Unless forced_time is set, measures this machine: deriving key_size
 * bytes takes target_ms of wall time, with at most memory_kib, at most half of the machine's memory
 * (also of the available memory, on machines with less than 4 GiB and no swap), and at most as many
 * lanes as online CPUs. With forced_time, the given values are used. MORTISE_E_USAGE: a value is
 * out of range; the message is that of cryptsetup.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kdf_choose(const struct mortise_kdf_choice *choice,
						     size_t key_size,
						     const struct mortise_events *events,
						     struct mortise_kdf *kdf,
						     struct mortise_error *err);

/* Measures the PBKDF2 iterations per second of CPU time for a key of key_size bytes. */
MORTISE_MUST_CHECK enum mortise_code keys_pbkdf2_rate(const char *hash, size_t key_size,
						      const struct mortise_events *events,
						      uint32_t *iterations,
						      struct mortise_error *err);

#endif
