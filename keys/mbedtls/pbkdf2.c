/* SPDX-License-Identifier: MIT */
/*
 * PBKDF2 on Mbed TLS's hashes. Its own takes four blocks of hashing for each iteration, twice
 * what an attacker needs; here the states after the padded key are kept, as RFC 2104, section
 * 4, proposes.
 */
#include <string.h>

#include "keys/crypto.h"
#include "keys/mbedtls/md.h"
#include "base/secret.h"

struct hmac {
	mbedtls_md_context_t inner, outer; /* after the padded key */
	mbedtls_md_context_t work;
	size_t size; /* bytes of a digest */
};

static void hmac_free(struct hmac *hmac)
{
	mbedtls_md_free(&hmac->inner);
	mbedtls_md_free(&hmac->outer);
	mbedtls_md_free(&hmac->work);
}

static int absorb_key(mbedtls_md_context_t *state, const uint8_t *key, size_t block, uint8_t pad)
{
	uint8_t padded[KEYS_MBEDTLS_BLOCK_MAX];
	int error;

	for (size_t i = 0; i < block; i++)
		padded[i] = key[i] ^ pad;
	error = mbedtls_md_starts(state);
	if (!error)
		error = mbedtls_md_update(state, padded, block);
	secret_wipe(padded, sizeof(padded));
	return error;
}

/* The caller frees it whether or not this succeeds. */
static int hmac_new(const char *hash, struct keys_bytes key, struct hmac *hmac)
{
	uint8_t bytes[KEYS_MBEDTLS_BLOCK_MAX] = { 0 };
	size_t block = 0;
	const mbedtls_md_info_t *info = keys_mbedtls_md(hash, &block);
	int error;

	mbedtls_md_init(&hmac->inner);
	mbedtls_md_init(&hmac->outer);
	mbedtls_md_init(&hmac->work);
	if (!info)
		return -1;
	hmac->size = mbedtls_md_get_size(info);
	error = mbedtls_md_setup(&hmac->inner, info, 0);
	if (!error)
		error = mbedtls_md_setup(&hmac->outer, info, 0);
	if (!error)
		error = mbedtls_md_setup(&hmac->work, info, 0);
	if (!error && key.size > block)
		error = mbedtls_md(info, key.data, key.size, bytes);
	else if (!error && key.size)
		memcpy(bytes, key.data, key.size);
	if (!error)
		error = absorb_key(&hmac->inner, bytes, block, 0x36);
	if (!error)
		error = absorb_key(&hmac->outer, bytes, block, 0x5c);
	secret_wipe(bytes, sizeof(bytes));
	return error;
}

static int hmac_parts(struct hmac *hmac, const struct keys_bytes *part, size_t parts, uint8_t *mac)
{
	int error = mbedtls_md_clone(&hmac->work, &hmac->inner);

	for (size_t i = 0; !error && i < parts; i++)
		error = mbedtls_md_update(&hmac->work, part[i].data, part[i].size);
	if (!error)
		error = mbedtls_md_finish(&hmac->work, mac);
	if (!error)
		error = mbedtls_md_clone(&hmac->work, &hmac->outer);
	if (!error)
		error = mbedtls_md_update(&hmac->work, mac, hmac->size);
	return error ? error : mbedtls_md_finish(&hmac->work, mac);
}

/* sum = T_number of RFC 8018, section 5.2. */
static int sum_iterations(struct hmac *hmac, const struct keys_crypto_pbkdf2 *what, uint32_t number,
			  uint8_t sum[static KEYS_HASH_SIZE_MAX])
{
	const uint8_t index[4] = { (uint8_t)(number >> 24), (uint8_t)(number >> 16),
				   (uint8_t)(number >> 8), (uint8_t)number };
	const struct keys_bytes first[] = { what->salt, { index, sizeof(index) } };
	uint8_t mac[KEYS_HASH_SIZE_MAX] = { 0 };
	const struct keys_bytes previous = { mac, hmac->size };
	int error = hmac_parts(hmac, first, 2, mac);

	memcpy(sum, mac, hmac->size);
	for (uint32_t done = 1; !error && done < what->iterations; done++) {
		error = hmac_parts(hmac, &previous, 1, mac);
		for (size_t i = 0; i < hmac->size; i++)
			sum[i] ^= mac[i];
	}
	secret_wipe(mac, sizeof(mac));
	return error;
}

bool keys_crypto_pbkdf2(const struct keys_crypto_pbkdf2 *what, uint8_t *key, size_t key_size)
{
	uint8_t sum[KEYS_HASH_SIZE_MAX];
	struct hmac hmac;
	uint32_t number = 0;
	size_t piece;
	int error = hmac_new(what->hash, what->passphrase, &hmac);

	for (size_t at = 0; !error && at < key_size; at += piece) {
		error = sum_iterations(&hmac, what, ++number, sum);
		piece = key_size - at < hmac.size ? key_size - at : hmac.size;
		if (!error)
			memcpy(key + at, sum, piece);
	}
	hmac_free(&hmac);
	secret_wipe(sum, sizeof(sum));
	return !error;
}
