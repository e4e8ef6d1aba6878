/* SPDX-License-Identifier: MIT */
/*
 * PBKDF2 with the crypto library's HMAC. The library's own PBKDF2 is not used because it cannot be
 * interrupted, and that of Mbed TLS hashes four blocks in each iteration where two are enough.
 */
#include "keys/pbkdf2.h"

#include <string.h>

#include "keys/crypto.h"
#include "base/events.h"
#include "base/secret.h"

/* Iterations between polls: less than a millisecond on a fast machine, a few on a slow one. */
#define POLL_ITERATIONS 1024u

/* Sets sum to the size bytes of T_number (RFC 8018, section 5.2). */
static enum mortise_code sum_iterations(struct keys_hmac *hmac, const struct keys_pbkdf2 *what,
					struct events_watch *watch, uint32_t number, size_t size,
					uint8_t sum[static KEYS_HASH_SIZE_MAX])
{
	const uint8_t index[4] = { (uint8_t)(number >> 24), (uint8_t)(number >> 16),
				   (uint8_t)(number >> 8), (uint8_t)number };
	const struct keys_bytes first[] = { what->salt, { index, sizeof(index) } };
	uint8_t mac[KEYS_HASH_SIZE_MAX] = { 0 };
	const struct keys_bytes previous = { mac, size };
	enum mortise_code code = MORTISE_OK;

	if (!keys_crypto_hmac(hmac, first, 2, mac))
		code = MORTISE_E_SYSTEM;
	memcpy(sum, mac, size);
	for (uint32_t done = 1; !code && done < what->iterations; done++) {
		if (done % POLL_ITERATIONS == 0 && events_watch_canceled(watch))
			code = MORTISE_E_CANCELED;
		else if (!keys_crypto_hmac(hmac, &previous, 1, mac))
			code = MORTISE_E_SYSTEM;
		for (size_t i = 0; i < size; i++)
			sum[i] ^= mac[i];
	}
	secret_wipe(mac, sizeof(mac));
	return code;
}

enum mortise_code keys_pbkdf2(const struct keys_pbkdf2 *what, uint8_t *key, size_t key_size)
{
	const size_t size = keys_crypto_hash_size(what->hash);
	struct events_watch watch = { .events = what->events };
	uint8_t sum[KEYS_HASH_SIZE_MAX];
	struct keys_hmac *hmac = keys_crypto_hmac_new(what->hash, what->passphrase);
	enum mortise_code code = hmac ? MORTISE_OK : MORTISE_E_SYSTEM;
	uint32_t number = 0;

	for (size_t at = 0; !code && at < key_size; at += size) {
		code = sum_iterations(hmac, what, &watch, ++number, size, sum);
		if (!code)
			memcpy(key + at, sum, key_size - at < size ? key_size - at : size);
	}
	keys_crypto_hmac_free(hmac);
	secret_wipe(sum, sizeof(sum));
	if (code)
		secret_wipe(key, key_size);
	return code;
}
