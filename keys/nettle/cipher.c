/* SPDX-License-Identifier: MIT */
/* Block ciphers through Nettle. */
#include <endian.h>
#include <nettle/cbc.h>
#include <nettle/ctr.h>
#include <nettle/nettle-meta.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "keys/crypto.h"
#include "base/secret.h"

#define XTS_BATCH 512u /* bytes */

struct keys_crypto_cipher {
	const struct nettle_cipher *cipher;
	enum keys_crypto_mode mode;
	bool encrypt;
	size_t stride; /* bytes from the state for data to the state for XTS tweaks */
	_Alignas(max_align_t) uint8_t states[];
};

/* Only ciphers that OpenSSL has, too, since the tests compare them. The kernel has the others. */
static const struct {
	const char *name;
	const struct nettle_cipher *cipher;
} ciphers[] = {
	{ "aes", &nettle_aes128 },	     { "aes", &nettle_aes192 },
	{ "aes", &nettle_aes256 },	     { "camellia", &nettle_camellia128 },
	{ "camellia", &nettle_camellia192 }, { "camellia", &nettle_camellia256 },
};

static const struct nettle_cipher *find_cipher(const struct keys_crypto_algorithm *what)
{
	const bool xts = what->mode == KEYS_CRYPTO_XTS;
	const size_t size = xts ? what->key_size / 2 : what->key_size;

	/* IEEE 1619 defines XTS only for AES with 128 and 256 bits. */
	if (xts && (what->key_size % 2 || size == 24 || strcmp(what->cipher, "aes")))
		return NULL;
	for (size_t i = 0; i < sizeof(ciphers) / sizeof(ciphers[0]); i++)
		if (!strcmp(what->cipher, ciphers[i].name) && ciphers[i].cipher->key_size == size)
			return ciphers[i].cipher;
	return NULL;
}

bool keys_crypto_cipher_has(const struct keys_crypto_algorithm *algorithm)
{
	return find_cipher(algorithm);
}

struct keys_crypto_cipher *keys_crypto_cipher_new(const struct keys_crypto_algorithm *algorithm,
						  const uint8_t *key, bool encrypt)
{
	const struct nettle_cipher *found = find_cipher(algorithm);
	const size_t alignment = _Alignof(max_align_t);
	const size_t stride = (found->context_size + alignment - 1) / alignment * alignment;
	struct keys_crypto_cipher *cipher = calloc(1, sizeof(*cipher) + 2 * stride);

	if (!cipher)
		return NULL;
	cipher->cipher = found;
	cipher->mode = algorithm->mode;
	cipher->encrypt = encrypt;
	cipher->stride = stride;
	/* CTR uses the block cipher's encryption in both directions. */
	if (encrypt || algorithm->mode == KEYS_CRYPTO_CTR)
		found->set_encrypt_key(cipher->states, key);
	else
		found->set_decrypt_key(cipher->states, key);
	if (algorithm->mode == KEYS_CRYPTO_XTS)
		found->set_encrypt_key(cipher->states + stride, key + found->key_size);
	return cipher;
}

void keys_crypto_cipher_free(struct keys_crypto_cipher *cipher)
{
	if (!cipher)
		return;
	secret_wipe(cipher->states, 2 * cipher->stride);
	free(cipher);
}

/* XTS multiplies its tweak by x in GF(2^128) for each block (IEEE 1619-2018, 5.2). */
static void double_tweak(const uint64_t from[static 2], uint64_t to[static 2])
{
	const uint64_t low = le64toh(from[0]), high = le64toh(from[1]);

	to[0] = htole64(low << 1 ^ (-(high >> 63) & 0x87));
	to[1] = htole64(high << 1 | low >> 63);
}

static void add_tweaks(uint8_t *bytes, const uint64_t *with, size_t size)
{
	for (size_t at = 0; at < size; at += sizeof(*with)) {
		uint64_t word;

		memcpy(&word, bytes + at, sizeof(word));
		word ^= with[at / sizeof(word)];
		memcpy(bytes + at, &word, sizeof(word));
	}
}

/*
 * Nettle's own XTS calls the cipher for each block; with many blocks in a call, the processor works
 * on two at a time. size: a multiple of KEYS_CRYPTO_BLOCK.
 */
static void crypt_xts(const struct keys_crypto_cipher *cipher, const uint8_t *iv, uint8_t *sector,
		      size_t size)
{
	const struct nettle_cipher *c = cipher->cipher;
	uint64_t tweaks[XTS_BATCH / sizeof(uint64_t) + 2];

	c->encrypt(cipher->states + cipher->stride, KEYS_CRYPTO_BLOCK, (uint8_t *)tweaks, iv);
	for (size_t now; size; size -= now, sector += now) {
		now = size < XTS_BATCH ? size : XTS_BATCH;
		for (size_t i = 0; i < now / sizeof(uint64_t); i += 2)
			double_tweak(tweaks + i, tweaks + i + 2);
		add_tweaks(sector, tweaks, now);
		(cipher->encrypt ? c->encrypt : c->decrypt)(cipher->states, now, sector, sector);
		add_tweaks(sector, tweaks, now);
		memcpy(tweaks, tweaks + now / sizeof(uint64_t), KEYS_CRYPTO_BLOCK);
	}
}

bool keys_crypto_sector(struct keys_crypto_cipher *cipher,
			const uint8_t iv[static KEYS_CRYPTO_BLOCK], uint8_t *sector, size_t size)
{
	const struct nettle_cipher *c = cipher->cipher;
	uint8_t chain[KEYS_CRYPTO_BLOCK];

	/* Nettle overwrites the IV. */
	memcpy(chain, iv, sizeof(chain));
	switch (cipher->mode) {
	case KEYS_CRYPTO_ECB:
		(cipher->encrypt ? c->encrypt : c->decrypt)(cipher->states, size, sector, sector);
		break;
	case KEYS_CRYPTO_CBC:
		if (cipher->encrypt)
			cbc_encrypt(cipher->states, c->encrypt, sizeof(chain), chain, size, sector,
				    sector);
		else
			cbc_decrypt(cipher->states, c->decrypt, sizeof(chain), chain, size, sector,
				    sector);
		break;
	case KEYS_CRYPTO_CTR:
		ctr_crypt(cipher->states, c->encrypt, sizeof(chain), chain, size, sector, sector);
		break;
	case KEYS_CRYPTO_XTS:
		crypt_xts(cipher, iv, sector, size);
		break;
	}
	return true;
}
