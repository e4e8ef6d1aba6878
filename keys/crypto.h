/* SPDX-License-Identifier: MIT */
/*
 * What the crypto library does for us, and all that it does: keys/openssl/, keys/nettle/ and
 * keys/mbedtls/ hold one implementation each, and the build takes one of them
 * (-DMORTISE_CRYPTO=...). Only the other files of keys/ may include this; sentences for people
 * are theirs to make.
 */
#ifndef KEYS_CRYPTO_H
#define KEYS_CRYPTO_H

#include "keys/hash.h"

/* Hashes go by their names in the list of keys/hash.c. 0: the library lacks this one. */
size_t keys_crypto_hash_size(const char *name);

/* NULL: no memory. name is one that has a size. */
struct keys_hash *keys_crypto_hash_new(const char *name);
/* NULL is allowed. */
void keys_crypto_hash_free(struct keys_hash *hash);

/* digest = H(part[0] || part[1] || ...), as often as is wanted. */
MORTISE_MUST_CHECK bool keys_crypto_hash(struct keys_hash *hash, const struct keys_bytes *part,
					 size_t parts, uint8_t *digest);

/* HMAC (RFC 2104) under one key: the states after the padded key are kept. */
struct keys_hmac;

/* NULL: no memory, or the library failed. name is one that has a size. */
struct keys_hmac *keys_crypto_hmac_new(const char *name, struct keys_bytes key);
/* Wipes the key; NULL is allowed. */
void keys_crypto_hmac_free(struct keys_hmac *hmac);

/* mac = HMAC(key, part[0] || part[1] || ...), any number of times. mac may be one of the parts. */
MORTISE_MUST_CHECK bool keys_crypto_hmac(struct keys_hmac *hmac, const struct keys_bytes *part,
					 size_t parts, uint8_t *mac);

#define KEYS_CRYPTO_BLOCK 16u /* bytes, of each cipher in the list of keys/area.c */

enum keys_crypto_mode {
	KEYS_CRYPTO_ECB,
	KEYS_CRYPTO_CBC,
	KEYS_CRYPTO_CTR,
	KEYS_CRYPTO_XTS,
};

/* A block cipher of the list in keys/area.c in a mode, for keys of one size. */
struct keys_crypto_algorithm {
	const char *cipher;
	enum keys_crypto_mode mode;
	size_t key_size; /* bytes; XTS: both keys together */
};

bool keys_crypto_cipher_has(const struct keys_crypto_algorithm *algorithm);

struct keys_crypto_cipher;

/* NULL: no memory, or the library refuses the key. algorithm is one that it has. */
struct keys_crypto_cipher *keys_crypto_cipher_new(const struct keys_crypto_algorithm *algorithm,
						  const uint8_t *key, bool encrypt);
/* Wipes the key; NULL is allowed. */
void keys_crypto_cipher_free(struct keys_crypto_cipher *cipher);

/*
 * One sector in place, each on its own: size is a multiple of KEYS_CRYPTO_BLOCK. ECB has no
 * use for the IV.
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
 * The public key in PEM (SubjectPublicKeyInfo). False: there is none, it is not RSA, or larger
 * than this. OpenSSL only, where keys of kind tpm are built.
 */
MORTISE_MUST_CHECK bool keys_crypto_rsa_public(const char *pem, size_t size,
					       struct keys_crypto_rsa *rsa);

/* The library and its version as a line of mortise_features() has it: "OpenSSL 3.0.15". */
const char *keys_crypto_library(void);

#endif
