/* SPDX-License-Identifier: MIT */
/* The figures of cryptsetup's table: PBKDF2, the cost of a new keyslot, ciphers. */
#include "keys/area.h"
#include "base/clock.h"
#include "base/error.h"
#include "keys/hash.h"
#include "keys/kdf.h"
#include "base/secret.h"
#include "bench/benchmark.h"

#define CIPHER_BYTES (1u << 20) /* per run: results are per MiB */

enum mortise_code mortise_benchmark_pbkdf2(const char *hash, uint32_t key_size,
					   const struct mortise_events *events,
					   uint32_t *iterations, struct mortise_error *err)
{
	if (!keys_hash_size(hash))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Requested hash %.40s is not supported.", hash);
	return keys_pbkdf2_rate(hash, key_size, events, iterations, err);
}

enum mortise_code mortise_benchmark_kdf_choice(const struct mortise_kdf_choice *choice,
					       uint32_t key_size,
					       const struct mortise_events *events,
					       struct mortise_kdf *kdf, struct mortise_error *err)
{
	return keys_kdf_choose(choice, key_size, events, kdf, err);
}

struct cipher_run {
	const char *cipher;
	struct mortise_secret *key;
	struct mortise_secret *bytes;
	struct benchmark_samples encrypt, decrypt;
};

static enum mortise_code measure_once(struct cipher_run *run, bool decrypt,
				      struct mortise_error *err)
{
	uint8_t *bytes = mortise_secret_writable(run->bytes);
	const uint8_t *key = mortise_secret_data(run->key);
	const size_t size = mortise_secret_size(run->bytes);
	const size_t key_size = mortise_secret_size(run->key);
	uint64_t start = clock_now_ns();
	enum mortise_code code;

	code = decrypt ? keys_area_decrypt(run->cipher, key, key_size, bytes, size, err)
		       : keys_area_encrypt(run->cipher, key, key_size, bytes, size, err);
	if (!code)
		benchmark_samples_add(decrypt ? &run->decrypt : &run->encrypt,
				      benchmark_ms_since(start));
	return code;
}

enum mortise_code mortise_benchmark_cipher(const char *cipher, uint32_t key_size,
					   const struct mortise_benchmark *how,
					   struct mortise_spread *encrypt,
					   struct mortise_spread *decrypt,
					   struct mortise_error *err)
{
	struct cipher_run run = { .cipher = cipher };
	struct benchmark_loop loop;
	enum mortise_code code;

	if (!keys_area_supported(cipher, key_size))
		return error_set(
			err, MORTISE_E_UNSUPPORTED, 0,
			"the crypto library does not support cipher %.60s with a key of %u bits",
			cipher, key_size * 8);
	code = secret_random(key_size, &run.key, err);
	if (code)
		return code;
	code = mortise_secret_new(CIPHER_BYTES, &run.bytes, err);
	if (code)
		goto out;
	code = benchmark_loop_begin(&loop, how, err);
	if (code)
		goto out;
	while (benchmark_loop_next(&loop, cipher)) {
		code = measure_once(&run, false, err);
		if (code)
			goto out;
		code = measure_once(&run, true, err);
		if (code)
			goto out;
	}
	benchmark_samples_spread(&run.encrypt, encrypt);
	benchmark_samples_spread(&run.decrypt, decrypt);
out:
	mortise_secret_free(&run.bytes);
	mortise_secret_free(&run.key);
	return code;
}
