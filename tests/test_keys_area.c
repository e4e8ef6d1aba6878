/* SPDX-License-Identifier: MIT */
/* Keyslot area encryption and the anti-forensic splitter, compared with areas of cryptsetup. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "keys/af.h"
#include "keys/area.h"
#include "keys/hash.h"
#include "keys/kdf.h"
#include "tests/lacks.h"
#include "tests/vectors/hex.h"
#include "tests/vectors/ieee1619.h"
#include "tests/vectors/luks2_areas.h"

static void test_ieee1619(void **state)
{
	const size_t size = 256 * KEYS_AREA_SECTOR;
	uint8_t key[64], ciphertext[KEYS_AREA_SECTOR], *area, *sector;
	size_t key_size;

	(void)state;
	area = malloc(size);
	assert_non_null(area);
	for (size_t i = 0; i < sizeof(ieee1619) / sizeof(ieee1619[0]); i++) {
		for (size_t at = 0; at < size; at++)
			area[at] = (uint8_t)at;
		key_size = from_hex(ieee1619[i].key, key, sizeof(key));
		from_hex(ieee1619[i].ciphertext, ciphertext, sizeof(ciphertext));
		sector = area + ieee1619[i].sector * KEYS_AREA_SECTOR;
		assert_int_equal(
			keys_area_encrypt("aes-xts-plain64", key, key_size, area, size, NULL),
			MORTISE_OK);
		assert_memory_equal(sector, ciphertext, KEYS_AREA_SECTOR);
		assert_int_equal(
			keys_area_decrypt("aes-xts-plain64", key, key_size, area, size, NULL),
			MORTISE_OK);
		for (size_t at = 0; at < size; at++)
			assert_int_equal(area[at], (uint8_t)at);
	}
	free(area);
}

/* See tests/vectors/luks2_areas.h. */
static uint8_t stream(uint64_t at)
{
	uint64_t z = (at / 8 + 1) * UINT64_C(0x9e3779b97f4a7c15);

	z = (z ^ z >> 30) * UINT64_C(0xbf58476d1ce4e5b9);
	z = (z ^ z >> 27) * UINT64_C(0x94d049bb133111eb);
	z ^= z >> 31;
	return (uint8_t)(z >> 8 * (at % 8));
}

static void sha256_of(const uint8_t *bytes, size_t size, uint8_t digest[static 32])
{
	const struct keys_bytes part = { bytes, size };
	struct keys_hash *hash;

	assert_int_equal(keys_hash_new("sha256", &hash, NULL), MORTISE_OK);
	assert_int_equal(keys_hash_parts(hash, &part, 1, digest, NULL), MORTISE_OK);
	keys_hash_free(hash);
}

static void check_area(size_t row)
{
	const size_t key_size = luks2_areas[row].key_size, used = KEYS_AF_STRIPES * key_size;
	const size_t size = (used + KEYS_AREA_SECTOR - 1) / KEYS_AREA_SECTOR * KEYS_AREA_SECTOR;
	const char *cipher = luks2_areas[row].cipher, *hash = luks2_areas[row].hash;
	struct mortise_kdf kdf = { .type = MORTISE_KDF_PBKDF2, .time = 1000 };
	uint8_t volume_key[64], merged[64], area_key[64], salt[32], digest[32], expected[32];
	struct mortise_secret *passphrase;
	uint8_t *split, *area, *last;

	if (lacks(cipher, keys_area_supported(cipher, key_size)) ||
	    lacks(hash, keys_hash_size(hash) > 0))
		return;
	split = calloc(1, size);
	area = malloc(size);
	assert_non_null(split);
	assert_non_null(area);
	for (size_t i = 0; i < key_size; i++)
		volume_key[i] = (uint8_t)(0x40 + 7 * i);
	last = split + used - key_size;
	for (size_t i = 0; i < used - key_size; i++)
		split[i] = stream(luks2_areas[row].stripes + i);
	/* With zeros as last stripe, merging returns the value that is XORed with the key there. */
	assert_int_equal(keys_af_merge(split, key_size, KEYS_AF_STRIPES, hash, merged, NULL),
			 MORTISE_OK);
	for (size_t i = 0; i < key_size; i++)
		last[i] = merged[i] ^ volume_key[i];
	assert_int_equal(keys_af_merge(split, key_size, KEYS_AF_STRIPES, hash, merged, NULL),
			 MORTISE_OK);
	assert_memory_equal(merged, volume_key, key_size);

	snprintf(kdf.hash, sizeof(kdf.hash), "%s", hash);
	from_hex(luks2_areas[row].salt, salt, sizeof(salt));
	assert_int_equal(mortise_secret_from("test", 4, &passphrase, NULL), MORTISE_OK);
	assert_int_equal(keys_kdf_derive(&kdf, NULL, passphrase, (struct keys_bytes){ salt, 32 },
					 area_key, key_size, NULL),
			 MORTISE_OK);
	mortise_secret_free(&passphrase);
	memcpy(area, split, size);
	assert_int_equal(keys_area_encrypt(cipher, area_key, key_size, area, size, NULL),
			 MORTISE_OK);
	sha256_of(area, size, digest);
	from_hex(luks2_areas[row].sha256, expected, sizeof(expected));
	if (memcmp(digest, expected, sizeof(digest)))
		fail_msg("%s, %s: differs from the area of cryptsetup", cipher, hash);
	assert_int_equal(keys_area_decrypt(cipher, area_key, key_size, area, size, NULL),
			 MORTISE_OK);
	assert_memory_equal(area, split, size);
	free(split);
	free(area);
}

static void test_luks2_areas(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(luks2_areas) / sizeof(luks2_areas[0]); i++)
		check_area(i);
}

static void test_split_and_merge(void **state)
{
	uint8_t key[33], merged[33], one[5 * 33], two[5 * 33];

	(void)state;
	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = (uint8_t)i;
	assert_int_equal(keys_af_split(key, sizeof(key), 5, "sha1", one, NULL), MORTISE_OK);
	assert_int_equal(keys_af_split(key, sizeof(key), 5, "sha1", two, NULL), MORTISE_OK);
	for (size_t stripe = 0; stripe < 5; stripe++)
		assert_memory_not_equal(one + stripe * 33, two + stripe * 33, 33);
	assert_int_equal(keys_af_merge(one, sizeof(key), 5, "sha1", merged, NULL), MORTISE_OK);
	assert_memory_equal(merged, key, sizeof(key));
	assert_int_equal(keys_af_merge(two, sizeof(key), 5, "sha1", merged, NULL), MORTISE_OK);
	assert_memory_equal(merged, key, sizeof(key));
	/* One bit of one stripe changes a whole block of the digest's size, 20 bytes. */
	one[0] ^= 1;
	assert_int_equal(keys_af_merge(one, sizeof(key), 5, "sha1", merged, NULL), MORTISE_OK);
	assert_memory_not_equal(merged, key, 10);
	assert_memory_not_equal(merged + 10, key + 10, 10);
	assert_memory_equal(merged + 20, key + 20, 13);
}

static void test_af_unknown_hash(void **state)
{
	const uint8_t zero[32] = { 0 };
	uint8_t key[32], split[64] = { 0 };
	struct mortise_error err;

	(void)state;
	memset(key, 0xff, sizeof(key));
	assert_int_equal(keys_af_merge(split, 32, 2, "shake128", key, &err), MORTISE_E_UNSUPPORTED);
	assert_string_equal(err.text, "hash shake128 is not available");
	assert_memory_equal(key, zero, sizeof(zero));
	assert_int_equal(keys_af_split(key, 32, 2, "shake128", split, &err), MORTISE_E_UNSUPPORTED);
}

/* Ciphers that no crypto library has, and malformed specifications. */
static const struct {
	const char *cipher;
	size_t key_size;
	enum mortise_code code;
} refused[] = {
	{ "serpent-xts-plain64", 64, MORTISE_E_UNSUPPORTED },
	{ "twofish-xts-plain64", 64, MORTISE_E_UNSUPPORTED },
	{ "xchacha12,aes-adiantum-plain64", 32, MORTISE_E_UNSUPPORTED },
	{ "xchacha20,aes-adiantum-plain64", 32, MORTISE_E_UNSUPPORTED },
	{ "capi:xts(aes)-plain64", 64, MORTISE_E_UNSUPPORTED },
	{ "aes-gcm-random", 32, MORTISE_E_UNSUPPORTED },
	{ "aes-lrw-benbi", 48, MORTISE_E_UNSUPPORTED },
	{ "camellia-xts-plain64", 64, MORTISE_E_UNSUPPORTED },
	{ "sm4-xts-plain64", 32, MORTISE_E_UNSUPPORTED },
	{ "aes-xts-plain64", 48, MORTISE_E_UNSUPPORTED },
	{ "aes-xts-plain64", 63, MORTISE_E_UNSUPPORTED },
	{ "aes-xts-plain64", 0, MORTISE_E_UNSUPPORTED },
	{ "aes-xts-plain64", SIZE_MAX / 8 + 9, MORTISE_E_UNSUPPORTED },
	{ "aes-xts-plain65", 64, MORTISE_E_UNSUPPORTED },
	{ "aes-xts-plain64 ", 64, MORTISE_E_UNSUPPORTED },
	{ "aes-xts- plain64", 64, MORTISE_E_UNSUPPORTED },
	{ " aes-xts-plain64", 64, MORTISE_E_UNSUPPORTED },
	{ "aes-xts-plain64-x", 64, MORTISE_E_UNSUPPORTED },
	{ "aes-xts-", 64, MORTISE_E_UNSUPPORTED },
	{ "aes-xts", 64, MORTISE_E_UNSUPPORTED },
	{ "aes-ecb-plain64", 32, MORTISE_E_UNSUPPORTED },
	{ "aes-cbc-essiv:", 32, MORTISE_E_UNSUPPORTED },
	{ "aes-cbc-essiv:shake256", 32, MORTISE_E_UNSUPPORTED },
	/* AES does not have keys of 20 or 64 bytes. */
	{ "aes-cbc-essiv:sha1", 32, MORTISE_E_UNSUPPORTED },
	{ "aes-cbc-essiv:sha512", 32, MORTISE_E_UNSUPPORTED },
	{ "aes-cbc-essiv:0123456789012345678901234567890123456789", 32, MORTISE_E_UNSUPPORTED },
	{ "aes-xts-eboiv", 64, MORTISE_E_UNSUPPORTED },
	{ "", 32, MORTISE_E_UNSUPPORTED },
	{ "-", 32, MORTISE_E_UNSUPPORTED },
	{ "aes", 32, MORTISE_E_UNSUPPORTED },
	{ "--", 32, MORTISE_E_UNSUPPORTED },
	{ "cipher_null-ecb", 32, MORTISE_E_POLICY },
	{ "cipher_null", 0, MORTISE_E_POLICY },
	{ "null", 0, MORTISE_E_POLICY },
};

static void test_refused(void **state)
{
	uint8_t key[64] = { 1 }, area[KEYS_AREA_SECTOR] = { 2 }, before[KEYS_AREA_SECTOR] = { 2 };
	struct mortise_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		if (keys_area_supported(refused[i].cipher, refused[i].key_size) ||
		    keys_area_encrypt(refused[i].cipher, key, refused[i].key_size, area,
				      sizeof(area), &err) != refused[i].code ||
		    keys_area_decrypt(refused[i].cipher, key, refused[i].key_size, area,
				      sizeof(area), &err) != refused[i].code)
			fail_msg("accepted: %s", refused[i].cipher);
		assert_non_null(strstr(err.text, refused[i].cipher));
		assert_memory_equal(area, before, sizeof(area));
	}
}

static void test_bad_calls(void **state)
{
	uint8_t key[64] = { 0 }, area[2 * KEYS_AREA_SECTOR] = { 0 };

	(void)state;
	assert_int_equal(keys_area_encrypt("aes-cbc-plain64", key, 32, area, 513, NULL),
			 MORTISE_E_USAGE);
	/* An XTS key with equal halves: FIPS 140-2 IG A.9 forbids it. */
	assert_int_equal(keys_area_encrypt("aes-xts-plain64", key, 64, area, 512, NULL),
			 MORTISE_E_SYSTEM);
	assert_int_equal(keys_area_encrypt("aes-cbc-plain64", key, 32, area, 0, NULL), MORTISE_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_ieee1619),	cmocka_unit_test(test_luks2_areas),
		cmocka_unit_test(test_split_and_merge), cmocka_unit_test(test_af_unknown_hash),
		cmocka_unit_test(test_refused),		cmocka_unit_test(test_bad_calls),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
