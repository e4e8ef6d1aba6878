/* SPDX-License-Identifier: MIT */
/* The cipher over a keyslot area through OpenSSL 3: what dm-crypt does, sector by sector. */
#include "keys/area.h"

#include <openssl/err.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>

#include "keys/error.h"
#include "keys/hash.h"
#include "keys/openssl.h"
#include "keys/secret.h"

#define BLOCK 16u	/* bytes, of each cipher in the list below */

enum iv_kind {
	IV_NONE,	/* ECB */
	IV_NULL,
	IV_PLAIN,	/* 32 bits of sector, little-endian */
	IV_PLAIN64,	/* 64 bits */
	IV_PLAIN64BE,	/* big-endian, in the last 8 bytes */
	IV_BENBI,	/* number of the block, from 1, big-endian */
	IV_ESSIV,	/* sector, encrypted under the hash of the key */
	IV_EBOIV,	/* byte offset, encrypted under the key */
};

static const struct {
	const char *name;
	enum iv_kind kind;
} iv_names[] = {
	{ "null", IV_NULL },	     { "plain", IV_PLAIN }, { "plain64", IV_PLAIN64 },
	{ "plain64be", IV_PLAIN64BE }, { "benbi", IV_BENBI }, { "eboiv", IV_EBOIV },
};

/*
 * OpenSSL's SM4 is left to the kernel: since 3.2 its XTS is by default another one, that of
 * GB/T 17964.
 */
static const char *const ciphers[] = { "aes", "camellia", "aria" };
static const char *const modes[] = { "xts", "cbc", "ctr", "ecb" };

/* "cipher-mode-iv", taken apart, and what of OpenSSL does it. */
struct area_cipher {
	EVP_CIPHER *data;
	EVP_CIPHER *iv;		/* for ESSIV and EBOIV, else NULL */
	enum iv_kind iv_kind;
	char hash[MORTISE_HASH_MAX + 1];
};

static bool is_one_of(const char *word, const char *const *list, size_t count)
{
	for (size_t i = 0; i < count; i++)
		if (!strcmp(word, list[i]))
			return true;
	return false;
}

static EVP_CIPHER *fetch(const char *name, size_t bits, const char *mode)
{
	EVP_CIPHER *cipher;
	char full[48];

	snprintf(full, sizeof(full), "%s-%zu-%s", name, bits, mode);
	ERR_set_mark();
	cipher = EVP_CIPHER_fetch(NULL, full, NULL);
	ERR_pop_to_mark();
	return cipher;
}

static bool parse_iv(const char *name, struct area_cipher *area)
{
	for (size_t i = 0; i < sizeof(iv_names) / sizeof(iv_names[0]); i++) {
		if (!strcasecmp(name, iv_names[i].name)) {
			area->iv_kind = iv_names[i].kind;
			return true;
		}
	}
	if (strncasecmp(name, "essiv:", 6) || strlen(name + 6) > MORTISE_HASH_MAX)
		return false;
	area->iv_kind = IV_ESSIV;
	memcpy(area->hash, name + 6, strlen(name + 6) + 1);
	return true;
}

static void area_cipher_free(struct area_cipher *area)
{
	EVP_CIPHER_free(area->data);
	EVP_CIPHER_free(area->iv);
}

/* True: *area is for area_cipher_free(). */
static bool area_cipher_find(const char *text, size_t key_size, struct area_cipher *area)
{
	char name[16], mode[8], iv[MORTISE_HASH_MAX + 8];
	size_t iv_key_size = key_size, data_bits = key_size * 8;
	int end = 0, fields;

	*area = (struct area_cipher){ 0 };
	fields = sscanf(text, "%15[^-]-%7[^-]%n-%39[^ ]%n", name, mode, &end, iv, &end);
	if (fields < 2 || text[end] ||
	    !is_one_of(name, ciphers, sizeof(ciphers) / sizeof(ciphers[0])) ||
	    !is_one_of(mode, modes, sizeof(modes) / sizeof(modes[0])))
		return false;
	if (!strcmp(mode, "ecb") ? fields != 2 : fields != 3 || !parse_iv(iv, area))
		return false;
	if (!strcmp(mode, "xts"))
		data_bits /= 2;
	if (area->iv_kind == IV_ESSIV)
		iv_key_size = keys_hash_size(area->hash);
	area->data = fetch(name, data_bits, mode);
	if (area->iv_kind == IV_ESSIV || area->iv_kind == IV_EBOIV)
		area->iv = fetch(name, iv_key_size * 8, "ecb");
	if (area->data && (size_t)EVP_CIPHER_get_key_length(area->data) == key_size &&
	    (area->iv || (area->iv_kind != IV_ESSIV && area->iv_kind != IV_EBOIV)))
		return true;
	area_cipher_free(area);
	return false;
}

bool keys_area_supported(const char *cipher, size_t key_size)
{
	struct area_cipher area;
	bool found = area_cipher_find(cipher, key_size, &area);

	if (found)
		area_cipher_free(&area);
	return found;
}

static void store_le(uint8_t *bytes, uint64_t value, unsigned size)
{
	for (unsigned i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> (8 * i));
}

static void store_be64(uint8_t *bytes, uint64_t value)
{
	for (unsigned i = 0; i < 8; i++)
		bytes[i] = (uint8_t)(value >> (56 - 8 * i));
}

/* encrypt: for IV_ESSIV and IV_EBOIV, keyed. */
static bool make_iv(enum iv_kind kind, uint64_t sector, EVP_CIPHER_CTX *encrypt,
		    uint8_t iv[static BLOCK])
{
	int done;

	memset(iv, 0, BLOCK);
	switch (kind) {
	case IV_NONE:
	case IV_NULL:
		return true;
	case IV_PLAIN:
		store_le(iv, sector, 4);
		return true;
	case IV_PLAIN64:
		store_le(iv, sector, 8);
		return true;
	case IV_PLAIN64BE:
		store_be64(iv + 8, sector);
		return true;
	case IV_BENBI:
		store_be64(iv + 8, sector * (KEYS_AREA_SECTOR / BLOCK) + 1);
		return true;
	case IV_ESSIV:
		store_le(iv, sector, 8);
		break;
	case IV_EBOIV:
		store_le(iv, sector * KEYS_AREA_SECTOR, 8);
		break;
	}
	return EVP_EncryptUpdate(encrypt, iv, &done, iv, BLOCK) == 1 && done == (int)BLOCK;
}

static enum mortise_code key_iv_cipher(const struct area_cipher *area, const uint8_t *key,
				       size_t key_size, EVP_CIPHER_CTX *context,
				       struct mortise_error *err)
{
	const struct keys_bytes part = { key, key_size };
	uint8_t digest[KEYS_HASH_SIZE_MAX];
	struct keys_hash *hash = NULL;
	enum mortise_code code = MORTISE_OK;

	if (area->iv_kind == IV_ESSIV) {
		code = keys_hash_new(area->hash, &hash, err);
		if (!code)
			code = keys_hash_parts(hash, &part, 1, digest, err);
		key = digest;
	}
	if (!code && (EVP_EncryptInit_ex2(context, area->iv, key, NULL, NULL) != 1 ||
		      EVP_CIPHER_CTX_set_padding(context, 0) != 1))
		code = error_set(err, MORTISE_E_SYSTEM, 0, "OpenSSL refuses the key of the IV");
	keys_hash_free(hash);
	keys_wipe(digest, sizeof(digest));
	return code;
}

struct area_bytes {
	uint8_t *data;
	size_t size;
	int encrypt;	/* 1 or 0, as OpenSSL has it */
};

static bool crypt_sectors(const struct area_cipher *area, EVP_CIPHER_CTX *data,
			  EVP_CIPHER_CTX *iv_context, struct area_bytes bytes)
{
	uint8_t iv[BLOCK], *sector = bytes.data;
	int done;

	for (uint64_t i = 0; i < bytes.size / KEYS_AREA_SECTOR; i++, sector += KEYS_AREA_SECTOR) {
		if (!make_iv(area->iv_kind, i, iv_context, iv) ||
		    EVP_CipherInit_ex2(data, NULL, NULL, area->iv_kind == IV_NONE ? NULL : iv,
				       bytes.encrypt, NULL) != 1 ||
		    EVP_CipherUpdate(data, sector, &done, sector, KEYS_AREA_SECTOR) != 1 ||
		    done != (int)KEYS_AREA_SECTOR)
			return false;
	}
	return true;
}

static enum mortise_code crypt_area(const char *cipher, struct keys_bytes key,
				    struct area_bytes bytes, struct mortise_error *err)
{
	EVP_CIPHER_CTX *data = NULL, *iv = NULL;
	enum mortise_code code = MORTISE_OK;
	struct area_cipher area;

	if (!strncmp(cipher, "cipher_null", 11) || !strncmp(cipher, "null", 4))
		return error_set(err, MORTISE_E_POLICY, 0,
				 "cipher %s encrypts nothing and is refused: recreate the keyslot "
				 "with aes-xts-plain64",
				 cipher);
	if (bytes.size % KEYS_AREA_SECTOR)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "an area of %zu bytes is not a multiple of %u", bytes.size,
				 KEYS_AREA_SECTOR);
	if (!area_cipher_find(cipher, key.size, &area))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "cipher %s with a key of %zu bits is not in the crypto library",
				 cipher, key.size * 8);
	data = EVP_CIPHER_CTX_new();
	iv = EVP_CIPHER_CTX_new();
	if (!data || !iv) {
		code = error_set(err, MORTISE_E_MEMORY, 0, "no memory for cipher %s", cipher);
		goto out;
	}
	if (area.iv) {
		code = key_iv_cipher(&area, key.data, key.size, iv, err);
		if (code)
			goto out;
	}
	if (EVP_CipherInit_ex2(data, area.data, key.data, NULL, bytes.encrypt, NULL) != 1 ||
	    EVP_CIPHER_CTX_set_padding(data, 0) != 1 ||
	    !crypt_sectors(&area, data, iv, bytes))
		code = error_set(err, MORTISE_E_SYSTEM, 0,
				 "OpenSSL failed to run cipher %s (an XTS key with equal halves "
				 "is refused)",
				 cipher);
out:
	EVP_CIPHER_CTX_free(data);
	EVP_CIPHER_CTX_free(iv);
	area_cipher_free(&area);
	return code;
}

enum mortise_code keys_area_encrypt(const char *cipher, const uint8_t *key, size_t key_size,
				    uint8_t *area, size_t size, struct mortise_error *err)
{
	return crypt_area(cipher, (struct keys_bytes){ key, key_size },
			  (struct area_bytes){ area, size, 1 }, err);
}

enum mortise_code keys_area_decrypt(const char *cipher, const uint8_t *key, size_t key_size,
				    uint8_t *area, size_t size, struct mortise_error *err)
{
	return crypt_area(cipher, (struct keys_bytes){ key, key_size },
			  (struct area_bytes){ area, size, 0 }, err);
}
