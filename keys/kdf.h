/* SPDX-License-Identifier: MIT */
/* From passphrase to key: PBKDF2, Argon2i and Argon2id behind one function, and their cost. */
#ifndef KEYS_KDF_H
#define KEYS_KDF_H

#include <mortise.h>

#include "keys/hash.h"

/* Bounds when creating (cryptsetup's); reading takes what the format allows. */
#define KEYS_ARGON2_TIME_MIN	4u
#define KEYS_ARGON2_MEMORY_MIN	32u		/* KiB */
#define KEYS_ARGON2_MEMORY_MAX	4194304u	/* KiB */
#define KEYS_ARGON2_LANES_MAX	4u
#define KEYS_PBKDF2_TIME_MIN	1000u
#define KEYS_KDF_MEMORY_DEFAULT	1048576u	/* KiB */
#define KEYS_KDF_TARGET_DEFAULT	2000u		/* ms */

/* Bytes of memory that the KDF works on, 0 for PBKDF2. */
uint64_t keys_kdf_memory(const struct mortise_kdf *kdf);

/*
 * MORTISE_E_MEMORY when the machine cannot give this much now: what /proc/meminfo calls
 * available (swap counted), the cgroup's limit and RLIMIT_AS are all asked. who stands at
 * the start of the sentence: "keyslot 0" -> "keyslot 0 needs 1024 MiB, 312 MiB is available".
 */
MORTISE_MUST_CHECK enum mortise_code keys_kdf_fits(const struct mortise_kdf *kdf, const char *who,
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
 * Turns a choice into a cost, measuring this machine unless forced_time is given: the
 * cost reaches target_ms of wall time for key_size bytes, using at most memory_kib, at most
 * half of the machine's memory (and of what is available where there is no swap and less than
 * 4 GiB), and at most as many lanes as there are online CPUs. With forced_time the values are
 * taken as given. MORTISE_E_USAGE when one is out of bounds, with cryptsetup's sentence.
 */
MORTISE_MUST_CHECK enum mortise_code keys_kdf_choose(const struct mortise_kdf_choice *choice,
						     size_t key_size,
						     const struct mortise_events *events,
						     struct mortise_kdf *kdf,
						     struct mortise_error *err);

/* PBKDF2 iterations a second of processor time for a key of key_size bytes, measured here. */
MORTISE_MUST_CHECK enum mortise_code keys_pbkdf2_rate(const char *hash, size_t key_size,
						      const struct mortise_events *events,
						      uint32_t *iterations,
						      struct mortise_error *err);

#endif
