/* SPDX-License-Identifier: MIT */
/* Derives keys from passphrases, and checks that the machine has the memory for it. */
#include "keys/kdf.h"

#include <inttypes.h>

#include "keys/argon2/argon2.h"
#include "keys/crypto.h"
#include "keys/pbkdf2.h"
#include "base/error.h"
#include "base/events.h"
#include "base/machine.h"
#include "base/secret.h"

/* RFC 9106, section 3.1. */
#define SALT_MIN     8u
#define TAG_MIN	     4u
#define LANES_MAX    0xffffffu
#define LANE_KIB_MIN 8u

#define MIB	     (UINT64_C(1) << 20)

const char *mortise_kdf_name(enum mortise_kdf_type type)
{
	switch (type) {
	case MORTISE_KDF_ARGON2ID:
		return "argon2id";
	case MORTISE_KDF_ARGON2I:
		return "argon2i";
	case MORTISE_KDF_PBKDF2:
		return "pbkdf2";
	}
	return "unknown";
}

uint64_t keys_kdf_memory(const struct mortise_kdf *kdf)
{
	return kdf->type == MORTISE_KDF_PBKDF2 ? 0 : (uint64_t)kdf->memory_kib * 1024;
}

#define SMALL_MEMORY (1u << 20) /* bytes that are not worth a check */

enum mortise_code keys_kdf_fits(const struct mortise_kdf *kdf, const char *who,
				struct mortise_error *err)
{
	const uint64_t need = keys_kdf_memory(kdf);
	uint64_t available;

	/* The check takes about fifty system calls, too many for so little memory. */
	if (need <= SMALL_MEMORY)
		return MORTISE_OK;
	available = machine_available(&machine_files);
	if (need <= available)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_MEMORY, 0,
			 "%s needs %" PRIu64 " MiB, %" PRIu64 " MiB is available; free memory, "
			 "raise the limit, or set a lower --pbkdf-memory on a larger machine",
			 who, (need + MIB - 1) / MIB, available / MIB);
}

static enum mortise_code check_argon2_cost(const struct mortise_kdf *kdf, size_t salt_size,
					   size_t key_size, struct mortise_error *err)
{
	const char *name = mortise_kdf_name(kdf->type);

	if (!kdf->time)
		return error_set(err, MORTISE_E_USAGE, 0, "%s needs at least 1 pass", name);
	if (!kdf->lanes || kdf->lanes > LANES_MAX)
		return error_set(err, MORTISE_E_USAGE, 0, "%s has 1 to %u lanes, not %u", name,
				 LANES_MAX, kdf->lanes);
	if (kdf->memory_kib < (uint64_t)LANE_KIB_MIN * kdf->lanes)
		return error_set(
			err, MORTISE_E_USAGE, 0,
			"%s needs at least %u KiB for each of its %u lanes, not %u KiB in all",
			name, LANE_KIB_MIN, kdf->lanes, kdf->memory_kib);
	if (salt_size < SALT_MIN || salt_size > UINT32_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "%s needs a salt of at least %u bytes, not %zu", name, SALT_MIN,
				 salt_size);
	if (key_size < TAG_MIN || key_size > UINT32_MAX)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "%s derives keys of at least %u bytes, not %zu", name, TAG_MIN,
				 key_size);
	return MORTISE_OK;
}

static enum mortise_code derive_pbkdf2(const struct mortise_kdf *kdf,
				       const struct mortise_events *events,
				       const struct mortise_secret *passphrase,
				       struct keys_bytes salt, uint8_t *key, size_t key_size,
				       struct mortise_error *err)
{
	const struct keys_pbkdf2 what = {
		.hash = keys_hash_name(kdf->hash),
		.passphrase = { mortise_secret_data(passphrase), mortise_secret_size(passphrase) },
		.salt = salt,
		.iterations = kdf->time,
		.events = events,
	};
	enum mortise_code code;

	if (salt.size > MORTISE_SALT_MAX)
		return error_set(err, MORTISE_E_USAGE, 0, "a salt has at most %u bytes, not %zu",
				 MORTISE_SALT_MAX, salt.size);
	if (!what.hash)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0, "hash %s is not available",
				 kdf->hash);
	code = keys_pbkdf2(&what, key, key_size);
	if (code == MORTISE_E_CANCELED)
		return events_cancel_error(err);
	if (code)
		return error_set(err, code, 0, "%s failed to compute pbkdf2-%s",
				 keys_crypto_library(), kdf->hash);
	return MORTISE_OK;
}

enum mortise_code keys_kdf_derive(const struct mortise_kdf *kdf,
				  const struct mortise_events *events,
				  const struct mortise_secret *passphrase, struct keys_bytes salt,
				  uint8_t *key, size_t key_size, struct mortise_error *err)
{
	const struct keys_argon2_input input = {
		.passphrase = { mortise_secret_data(passphrase), mortise_secret_size(passphrase) },
		.salt = salt,
		.events = events,
	};
	enum mortise_code code;

	switch (kdf->type) {
	case MORTISE_KDF_ARGON2ID:
	case MORTISE_KDF_ARGON2I:
		code = check_argon2_cost(kdf, salt.size, key_size, err);
		return code ? code : keys_argon2(kdf, &input, key, key_size, err);
	case MORTISE_KDF_PBKDF2:
		if (!kdf->time || !key_size)
			return error_set(err, MORTISE_E_USAGE, 0,
					 "pbkdf2 needs at least 1 iteration and 1 byte of key");
		return derive_pbkdf2(kdf, events, passphrase, salt, key, key_size, err);
	}
	return error_set(err, MORTISE_E_UNSUPPORTED, 0, "unknown key derivation function");
}
