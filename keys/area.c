/* SPDX-License-Identifier: MIT */
/* The encryption of keyslot areas and data, sector by sector like dm-crypt. */
#include "keys/area.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "keys/crypto.h"
#include "base/error.h"
#include "keys/hash.h"
#include "base/secret.h"

#define BLOCK KEYS_CRYPTO_BLOCK

enum iv_kind {
	IV_NONE, /* ECB */
	IV_NULL,
	IV_PLAIN,     /* low 32 bits of the sector number, little-endian */
	IV_PLAIN64,   /* 64 bits of the sector number, little-endian */
	IV_PLAIN64BE, /* sector number, big-endian, in the last 8 bytes */
	IV_BENBI,     /* block number, starting at 1, big-endian */
	IV_ESSIV,     /* sector number, encrypted with the hash of the key */
	IV_EBOIV,     /* byte offset, encrypted with the key */
};

static const struct {
	const char *name;
	enum iv_kind kind;
} iv_names[] = {
	{ "null", IV_NULL },	       { "plain", IV_PLAIN }, { "plain64", IV_PLAIN64 },
	{ "plain64be", IV_PLAIN64BE }, { "benbi", IV_BENBI }, { "eboiv", IV_EBOIV },
};

/* In the order of enum keys_crypto_mode. */
static const char *const modes[] = { "ecb", "cbc", "ctr", "xts" };

/* The parts of "cipher-mode-iv". */
struct area_cipher {
	char name[16];
	struct keys_crypto_algorithm data;
	enum iv_kind iv_kind;
	struct keys_crypto_algorithm iv; /* for ESSIV and EBOIV */
	char hash[MORTISE_HASH_MAX + 1]; /* for ESSIV */
};

static bool has_iv_cipher(const struct area_cipher *area)
{
	return area->iv_kind == IV_ESSIV || area->iv_kind == IV_EBOIV;
}

static bool parse_mode(const char *name, enum keys_crypto_mode *mode)
{
	for (size_t i = 0; i < sizeof(modes) / sizeof(modes[0]); i++) {
		if (!strcmp(name, modes[i])) {
			*mode = (enum keys_crypto_mode)i;
			return true;
		}
	}
	return false;
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

/* area->data and area->iv point into *area. */
static bool parse_cipher(const char *text, size_t key_size, struct area_cipher *area)
{
	char mode[8], iv[MORTISE_HASH_MAX + 8];
	int end = 0, fields;

	*area = (struct area_cipher){ 0 };
	fields = sscanf(text, "%15[^-]-%7[^-]%n-%39[^ ]%n", area->name, mode, &end, iv, &end);
	if (fields < 2 || text[end] || !parse_mode(mode, &area->data.mode))
		return false;
	if (area->data.mode == KEYS_CRYPTO_ECB ? fields != 2 : fields != 3 || !parse_iv(iv, area))
		return false;
	area->data.cipher = area->name;
	area->data.key_size = key_size;
	area->iv.cipher = area->name;
	area->iv.mode = KEYS_CRYPTO_ECB;
	area->iv.key_size = area->iv_kind == IV_ESSIV ? keys_hash_size(area->hash) : key_size;
	return keys_crypto_cipher_has(&area->data) &&
	       (!has_iv_cipher(area) || keys_crypto_cipher_has(&area->iv));
}

bool keys_area_supported(const char *cipher, size_t key_size)
{
	struct area_cipher area;

	return parse_cipher(cipher, key_size, &area);
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

/* encrypt: the keyed cipher for IV_ESSIV and IV_EBOIV. */
static bool make_iv(enum iv_kind kind, uint64_t sector, struct keys_crypto_cipher *encrypt,
		    uint8_t iv[static BLOCK])
{
	static const uint8_t none[BLOCK];

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
	return keys_crypto_sector(encrypt, none, iv, BLOCK);
}

/* Creates the cipher that encrypts IVs with the key or its hash; NULL if IVs are not encrypted. */
static enum mortise_code iv_cipher_new(const struct area_cipher *area, struct keys_bytes key,
				       struct keys_crypto_cipher **out, struct mortise_error *err)
{
	uint8_t digest[KEYS_HASH_SIZE_MAX];
	enum mortise_code code = MORTISE_OK;
	struct keys_hash *hash = NULL;

	*out = NULL;
	if (!has_iv_cipher(area))
		return MORTISE_OK;
	if (area->iv_kind == IV_ESSIV) {
		code = keys_hash_new(area->hash, &hash, err);
		if (code)
			goto out;
		code = keys_hash_parts(hash, &key, 1, digest, err);
		if (code)
			goto out;
		key.data = digest;
	}
	*out = keys_crypto_cipher_new(&area->iv, key.data, true);
	if (!*out)
		code = error_set(err, MORTISE_E_SYSTEM, 0, "%s refuses the key of the IV",
				 keys_crypto_library());
out:
	keys_hash_free(hash);
	secret_wipe(digest, sizeof(digest));
	return code;
}

/* FIPS 140-2 IG A.9 forbids equal halves, which encrypt the tweak with the key of the data. */
static bool is_weak_key(const struct keys_crypto_algorithm *data, const uint8_t *key)
{
	return data->mode == KEYS_CRYPTO_XTS &&
	       secret_equal(key, key + data->key_size / 2, data->key_size / 2);
}

struct keys_sectors_cipher {
	struct area_cipher area;
	struct keys_crypto_cipher *data, *iv; /* iv: NULL if IVs are not encrypted */
};

static enum mortise_code cipher_error(const struct area_cipher *area, struct mortise_error *err)
{
	return error_set(err, MORTISE_E_SYSTEM, 0, "%s failed to run cipher %s-%s",
			 keys_crypto_library(), area->name, modes[area->data.mode]);
}

static enum mortise_code cipher_new(const char *name, struct keys_bytes key, bool encrypt,
				    struct keys_sectors_cipher *cipher, struct mortise_error *err)
{
	struct area_cipher *area = &cipher->area;
	enum mortise_code code;

	if (!strncmp(name, "cipher_null", 11) || !strncmp(name, "null", 4))
		return error_set(err, MORTISE_E_POLICY, 0,
				 "cipher %s does not encrypt and is refused; recreate the keyslot "
				 "with aes-xts-plain64",
				 name);
	if (!parse_cipher(name, key.size, area))
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "the crypto library does not support cipher %s with a key of %zu "
				 "bits",
				 name, key.size * 8);
	code = iv_cipher_new(area, key, &cipher->iv, err);
	if (code)
		return code;
	if (is_weak_key(&area->data, key.data))
		return error_set(err, MORTISE_E_SYSTEM, 0,
				 "an XTS key with equal halves is refused");
	cipher->data = keys_crypto_cipher_new(&area->data, key.data, encrypt);
	return cipher->data ? MORTISE_OK : cipher_error(area, err);
}

void keys_sectors_free(struct keys_sectors_cipher *cipher)
{
	if (!cipher)
		return;
	keys_crypto_cipher_free(cipher->data);
	keys_crypto_cipher_free(cipher->iv);
	free(cipher);
}

static enum mortise_code sectors_new(const char *name, struct keys_bytes key, bool encrypt,
				     struct keys_sectors_cipher **out, struct mortise_error *err)
{
	enum mortise_code code;

	*out = calloc(1, sizeof(**out));
	if (!*out)
		return error_memory(err);
	code = cipher_new(name, key, encrypt, *out, err);
	if (code) {
		keys_sectors_free(*out);
		*out = NULL;
	}
	return code;
}

enum mortise_code keys_sectors_new(const char *cipher, const struct mortise_secret *key,
				   bool encrypt, struct keys_sectors_cipher **out,
				   struct mortise_error *err)
{
	return sectors_new(
		cipher, (struct keys_bytes){ mortise_secret_data(key), mortise_secret_size(key) },
		encrypt, out, err);
}

enum mortise_code keys_sectors_run(struct keys_sectors_cipher *cipher,
				   const struct keys_sectors *sectors, struct mortise_error *err)
{
	const uint32_t step = sectors->sector_size;
	uint8_t iv[BLOCK];

	if (sectors->size % step)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot encrypt %zu bytes in sectors of %u bytes", sectors->size,
				 step);
	for (size_t at = 0; at < sectors->size; at += step)
		if (!make_iv(cipher->area.iv_kind, sectors->first + at / KEYS_AREA_SECTOR,
			     cipher->iv, iv) ||
		    !keys_crypto_sector(cipher->data, iv, sectors->data + at, step))
			return cipher_error(&cipher->area, err);
	return MORTISE_OK;
}

static enum mortise_code crypt_bytes(const char *name, struct keys_bytes key,
				     const struct keys_sectors *sectors, bool encrypt,
				     struct mortise_error *err)
{
	struct keys_sectors_cipher *cipher;
	enum mortise_code code = sectors_new(name, key, encrypt, &cipher, err);

	if (!code)
		code = keys_sectors_run(cipher, sectors, err);
	keys_sectors_free(cipher);
	return code;
}

enum mortise_code keys_sectors_crypt(const char *cipher, const struct mortise_secret *key,
				     const struct keys_sectors *sectors, bool encrypt,
				     struct mortise_error *err)
{
	return crypt_bytes(
		cipher, (struct keys_bytes){ mortise_secret_data(key), mortise_secret_size(key) },
		sectors, encrypt, err);
}

static enum mortise_code crypt_area(const char *cipher, struct keys_bytes key, uint8_t *area,
				    size_t size, bool encrypt, struct mortise_error *err)
{
	const struct keys_sectors sectors = { area, size, KEYS_AREA_SECTOR, 0 };

	return crypt_bytes(cipher, key, &sectors, encrypt, err);
}

enum mortise_code keys_area_encrypt(const char *cipher, const uint8_t *key, size_t key_size,
				    uint8_t *area, size_t size, struct mortise_error *err)
{
	return crypt_area(cipher, (struct keys_bytes){ key, key_size }, area, size, true, err);
}

enum mortise_code keys_area_decrypt(const char *cipher, const uint8_t *key, size_t key_size,
				    uint8_t *area, size_t size, struct mortise_error *err)
{
	return crypt_area(cipher, (struct keys_bytes){ key, key_size }, area, size, false, err);
}
