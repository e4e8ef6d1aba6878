/* SPDX-License-Identifier: MIT */
/* Block ciphers through OpenSSL 3. */
#include <openssl/err.h>
#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/crypto.h"

struct keys_crypto_cipher {
	EVP_CIPHER *algorithm;
	EVP_CIPHER_CTX *context;
	bool has_iv;
	int encrypt; /* 1 or 0, as in OpenSSL */
};

/* Without SM4, for the kernel: since OpenSSL 3.2, its XTS mode is a different one (GB/T 17964). */
static const char *const ciphers[] = { "aes", "camellia", "aria" };

static const char *const modes[] = {
	[KEYS_CRYPTO_ECB] = "ecb",
	[KEYS_CRYPTO_CBC] = "cbc",
	[KEYS_CRYPTO_CTR] = "ctr",
	[KEYS_CRYPTO_XTS] = "xts",
};

static EVP_CIPHER *fetch_cipher(const struct keys_crypto_algorithm *what)
{
	const size_t bits = what->key_size * (what->mode == KEYS_CRYPTO_XTS ? 4 : 8);
	EVP_CIPHER *cipher = NULL;
	char full[48];

	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++) {
		if (strcmp(what->cipher, ciphers[i]))
			continue;
		snprintf(full, sizeof(full), "%s-%zu-%s", ciphers[i], bits, modes[what->mode]);
		ERR_set_mark();
		cipher = EVP_CIPHER_fetch(NULL, full, NULL);
		ERR_pop_to_mark();
	}
	/* The number of bits of an excessive size may have wrapped around. */
	if (cipher && (size_t)EVP_CIPHER_get_key_length(cipher) != what->key_size) {
		EVP_CIPHER_free(cipher);
		cipher = NULL;
	}
	return cipher;
}

bool keys_crypto_cipher_has(const struct keys_crypto_algorithm *algorithm)
{
	EVP_CIPHER *cipher = fetch_cipher(algorithm);
	bool has = cipher != NULL;

	EVP_CIPHER_free(cipher);
	return has;
}

/* In the other modes, a context without padding only takes longer for each sector. */
static bool pads(enum keys_crypto_mode mode)
{
	return mode == KEYS_CRYPTO_ECB || mode == KEYS_CRYPTO_CBC;
}

struct keys_crypto_cipher *keys_crypto_cipher_new(const struct keys_crypto_algorithm *algorithm,
						  const uint8_t *key, bool encrypt)
{
	struct keys_crypto_cipher *cipher = calloc(1, sizeof(*cipher));

	if (!cipher)
		return NULL;
	cipher->algorithm = fetch_cipher(algorithm);
	cipher->context = EVP_CIPHER_CTX_new();
	cipher->has_iv = algorithm->mode != KEYS_CRYPTO_ECB;
	cipher->encrypt = encrypt;
	if (cipher->algorithm && cipher->context &&
	    EVP_CipherInit_ex2(cipher->context, cipher->algorithm, key, NULL, encrypt, NULL) == 1 &&
	    (!pads(algorithm->mode) || EVP_CIPHER_CTX_set_padding(cipher->context, 0) == 1))
		return cipher;
	keys_crypto_cipher_free(cipher);
	return NULL;
}

void keys_crypto_cipher_free(struct keys_crypto_cipher *cipher)
{
	if (!cipher)
		return;
	EVP_CIPHER_CTX_free(cipher->context);
	EVP_CIPHER_free(cipher->algorithm);
	free(cipher);
}

bool keys_crypto_sector(struct keys_crypto_cipher *cipher,
			const uint8_t iv[static KEYS_CRYPTO_BLOCK], uint8_t *sector, size_t size)
{
	int done;

	return EVP_CipherInit_ex2(cipher->context, NULL, NULL, cipher->has_iv ? iv : NULL,
				  cipher->encrypt, NULL) == 1 &&
	       EVP_CipherUpdate(cipher->context, sector, &done, sector, (int)size) == 1 &&
	       done == (int)size;
}
