/* SPDX-License-Identifier: MIT */
/*
 * The complete interface to the crypto library. keys/openssl/, keys/nettle/ and keys/mbedtls/
 * contain one implementation each; the build selects one of them (-DMORTISE_CRYPTO=...). Only files
 * in keys/ may include this header. The callers write the error messages.
 */
#ifndef KEYS_CRYPTO_H
#define KEYS_CRYPTO_H

#include "keys/hash.h"

/* name is a name in the list of keys/hash.c, as below. Returns 0 if the library lacks the hash. */
size_t keys_crypto_hash_size(const char *name);

/* Returns NULL if out of memory. keys_crypto_hash_size(name) is not 0. */
struct keys_hash *keys_crypto_hash_new(const char *name);
/* NULL is allowed. */
void keys_crypto_hash_free(struct keys_hash *hash);

/* digest = H(part[0] || part[1] || ...). Can be called any number of times. */
MORTISE_MUST_CHECK bool keys_crypto_hash(struct keys_hash *hash, const struct keys_bytes *part,
					 size_t parts, uint8_t *digest);

/* HMAC (RFC 2104) with one key. It keeps the states of the hash after the padded key. */
struct keys_hmac;

/* Returns NULL if out of memory or if the library fails. keys_crypto_hash_size(name) is not 0. */
struct keys_hmac *keys_crypto_hmac_new(const char *name, struct keys_bytes key);
/* Wipes the key; NULL is allowed. */
void keys_crypto_hmac_free(struct keys_hmac *hmac);

/*
 * mac = HMAC(key, part[0] || part[1] || ...). Can be called any number of times. mac may be one of
 * the parts.
 */
MORTISE_MUST_CHECK bool keys_crypto_hmac(struct keys_hmac *hmac, const struct keys_bytes *part,
					 size_t parts, uint8_t *mac);

#define KEYS_CRYPTO_BLOCK 16u /* block size in bytes of all ciphers */

enum keys_crypto_mode {
	KEYS_CRYPTO_ECB,
	KEYS_CRYPTO_CBC,
	KEYS_CRYPTO_CTR,
	KEYS_CRYPTO_XTS,
};

/* A block cipher in a mode, with a key size. */
struct keys_crypto_algorithm {
	const char *cipher;
	enum keys_crypto_mode mode;
	size_t key_size; /* bytes; XTS: of both keys together */
};

bool keys_crypto_cipher_has(const struct keys_crypto_algorithm *algorithm);

struct keys_crypto_cipher;

/*
 * Returns NULL if out of memory or if the library refuses the key.
 * keys_crypto_cipher_has(algorithm) is true.
 */
struct keys_crypto_cipher *keys_crypto_cipher_new(const struct keys_crypto_algorithm *algorithm,
						  const uint8_t *key, bool encrypt);
/* Wipes the key; NULL is allowed. */
void keys_crypto_cipher_free(struct keys_crypto_cipher *cipher);

/*
 * Encrypts or decrypts one sector in place, independently of other sectors. size is a multiple of
 * KEYS_CRYPTO_BLOCK. ECB does not use the IV.
 */
MORTISE_MUST_CHECK bool keys_crypto_sector(struct keys_crypto_cipher *cipher,
					   const uint8_t iv[static KEYS_CRYPTO_BLOCK],
					   uint8_t *sector, size_t size);

struct keys_crypto_rsa {
	uint8_t modulus[1024]; /* big-endian, without leading zeros */
	size_t modulus_size;
	uint32_t exponent;
};

/*
 * Reads a public key in PEM format (SubjectPublicKeyInfo). Returns false if there is no key, if it
 * is not an RSA key, or if it does not fit. Exists only with OpenSSL, in builds with keys of kind
 * tpm.
 */
MORTISE_MUST_CHECK bool keys_crypto_rsa_public(const char *pem, size_t size,
					       struct keys_crypto_rsa *rsa);

/* The name of the library, as in error messages: "OpenSSL". */
const char *keys_crypto_library(void);

#endif
