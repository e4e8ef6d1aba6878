/* SPDX-License-Identifier: MIT */
/* AES through Mbed TLS. The kernel provides all other ciphers. */
#include <mbedtls/aes.h>
#include <stdlib.h>
#include <string.h>

#include "keys/crypto.h"
#include "base/secret.h"

struct keys_crypto_cipher {
	enum keys_crypto_mode mode;
	int direction;
	union {
		mbedtls_aes_context aes;
		mbedtls_aes_xts_context xts;
	} context;
};

bool keys_crypto_cipher_has(const struct keys_crypto_algorithm *algorithm)
{
	const size_t size = algorithm->key_size;

	if (strcmp(algorithm->cipher, "aes"))
		return false;
	if (algorithm->mode == KEYS_CRYPTO_XTS)
		return size == 32 || size == 64;
	return size == 16 || size == 24 || size == 32;
}

/* CTR uses the block cipher's encryption in both directions. */
static int set_key(struct keys_crypto_cipher *cipher, const uint8_t *key, unsigned bits)
{
	const bool forwards = cipher->direction == MBEDTLS_AES_ENCRYPT;

	if (cipher->mode == KEYS_CRYPTO_XTS) {
		mbedtls_aes_xts_init(&cipher->context.xts);
		return forwards ? mbedtls_aes_xts_setkey_enc(&cipher->context.xts, key, bits)
				: mbedtls_aes_xts_setkey_dec(&cipher->context.xts, key, bits);
	}
	mbedtls_aes_init(&cipher->context.aes);
	return forwards || cipher->mode == KEYS_CRYPTO_CTR
		       ? mbedtls_aes_setkey_enc(&cipher->context.aes, key, bits)
		       : mbedtls_aes_setkey_dec(&cipher->context.aes, key, bits);
}

struct keys_crypto_cipher *keys_crypto_cipher_new(const struct keys_crypto_algorithm *algorithm,
						  const uint8_t *key, bool encrypt)
{
	struct keys_crypto_cipher *cipher = calloc(1, sizeof(*cipher));

	if (!cipher)
		return NULL;
	cipher->mode = algorithm->mode;
	cipher->direction = encrypt ? MBEDTLS_AES_ENCRYPT : MBEDTLS_AES_DECRYPT;
	if (!set_key(cipher, key, (unsigned)algorithm->key_size * 8))
		return cipher;
	keys_crypto_cipher_free(cipher);
	return NULL;
}

void keys_crypto_cipher_free(struct keys_crypto_cipher *cipher)
{
	if (!cipher)
		return;
	if (cipher->mode == KEYS_CRYPTO_XTS)
		mbedtls_aes_xts_free(&cipher->context.xts);
	else
		mbedtls_aes_free(&cipher->context.aes);
	free(cipher);
}

static int ecb(struct keys_crypto_cipher *cipher, uint8_t *sector, size_t size)
{
	int error = 0;

	for (size_t at = 0; !error && at < size; at += KEYS_CRYPTO_BLOCK)
		error = mbedtls_aes_crypt_ecb(&cipher->context.aes, cipher->direction, sector + at,
					      sector + at);
	return error;
}

bool keys_crypto_sector(struct keys_crypto_cipher *cipher,
			const uint8_t iv[static KEYS_CRYPTO_BLOCK], uint8_t *sector, size_t size)
{
	uint8_t counter[KEYS_CRYPTO_BLOCK], stream[KEYS_CRYPTO_BLOCK];
	size_t used = 0;
	int error = 0;

	/* Mbed TLS overwrites the IV. */
	memcpy(counter, iv, sizeof(counter));
	switch (cipher->mode) {
	case KEYS_CRYPTO_ECB:
		error = ecb(cipher, sector, size);
		break;
	case KEYS_CRYPTO_CBC:
		error = mbedtls_aes_crypt_cbc(&cipher->context.aes, cipher->direction, size,
					      counter, sector, sector);
		break;
	case KEYS_CRYPTO_CTR:
		error = mbedtls_aes_crypt_ctr(&cipher->context.aes, size, &used, counter, stream,
					      sector, sector);
		secret_wipe(stream, sizeof(stream));
		break;
	case KEYS_CRYPTO_XTS:
		error = mbedtls_aes_crypt_xts(&cipher->context.xts, cipher->direction, size,
					      counter, sector, sector);
		break;
	}
	return !error;
}
