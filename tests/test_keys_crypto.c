/* SPDX-License-Identifier: MIT */
/* Requirements of keys/crypto.h for a crypto library that no keyslot area in other tests covers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "keys/crypto.h"
#include "tests/vectors/hex.h"

#define KEY128	"2b7e151628aed2a6abf7158809cf4f3c"
#define KEY192	"8e73b0f7da0e6452c810f32b809079e562f8ead2522c6b7b"
#define KEY256	"603deb1015ca71be2b73aef0857d77811f352c073b6108d72d9810a30914dff4"
#define IV	"000102030405060708090a0b0c0d0e0f"
#define COUNTER "f0f1f2f3f4f5f6f7f8f9fafbfcfdfeff"

static const char plaintext[] = "6bc1bee22e409f96e93d7e117393172aae2d8a571e03ac9c9eb76fac45af8e51"
				"30c81c46a35ce411e5fbc1191a0a52eff69f2445df4f9b17ad2b417be66c3710";

/* NIST SP 800-38A, appendix F. */
static const struct {
	enum keys_crypto_mode mode;
	const char *key, *iv, *ciphertext;
} sp800_38a[] = {
	{ KEYS_CRYPTO_ECB, KEY128, IV,
	  "3ad77bb40d7a3660a89ecaf32466ef97f5d3d58503b9699de785895a96fdbaaf"
	  "43b1cd7f598ece23881b00e3ed0306887b0c785e27e8ad3f8223207104725dd4" },
	{ KEYS_CRYPTO_ECB, KEY192, IV,
	  "bd334f1d6e45f25ff712a214571fa5cc974104846d0ad3ad7734ecb3ecee4eef"
	  "ef7afd2270e2e60adce0ba2face6444e9a4b41ba738d6c72fb16691603c18e0e" },
	{ KEYS_CRYPTO_ECB, KEY256, IV,
	  "f3eed1bdb5d2a03c064b5a7e3db181f8591ccb10d410ed26dc5ba74a31362870"
	  "b6ed21b99ca6f4f9f153e7b1beafed1d23304b7a39f9f3ff067d8d8f9e24ecc7" },
	{ KEYS_CRYPTO_CBC, KEY128, IV,
	  "7649abac8119b246cee98e9b12e9197d5086cb9b507219ee95db113a917678b2"
	  "73bed6b8e3c1743b7116e69e222295163ff1caa1681fac09120eca307586e1a7" },
	{ KEYS_CRYPTO_CBC, KEY256, IV,
	  "f58c4c04d6e5f1ba779eabfb5f7bfbd69cfc4e967edb808d679f777bc6702c7d"
	  "39f23369a9d9bacfa530e26304231461b2eb05e2c39be9fcda6c19078c6a9d1b" },
	{ KEYS_CRYPTO_CTR, KEY128, COUNTER,
	  "874d6191b620e3261bef6864990db6ce9806f66b7970fdff8617187bb9fffdff"
	  "5ae4df3edbd5d35e5b4f09020db03eab1e031dda2fbe03d1792170a0f3009cee" },
	{ KEYS_CRYPTO_CTR, KEY256, COUNTER,
	  "601ec313775789a5b7a7f504bbf3d228f443e3ca4d62b59aca84e990cacaf5c5"
	  "2b0930daa23de94ce87017ba2d84988ddfc9c58db67aada613c2dd08457941a6" },
};

/* Twice with one context: the state after one sector must not affect the next. */
static void check_direction(size_t row, bool encrypt)
{
	uint8_t key[32], iv[KEYS_CRYPTO_BLOCK], from[64], to[64], sector[64];
	struct keys_crypto_algorithm algorithm = { .cipher = "aes", .mode = sp800_38a[row].mode };
	struct keys_crypto_cipher *cipher;

	algorithm.key_size = from_hex(sp800_38a[row].key, key, sizeof(key));
	from_hex(sp800_38a[row].iv, iv, sizeof(iv));
	from_hex(encrypt ? plaintext : sp800_38a[row].ciphertext, from, sizeof(from));
	from_hex(encrypt ? sp800_38a[row].ciphertext : plaintext, to, sizeof(to));
	assert_true(keys_crypto_cipher_has(&algorithm));
	cipher = keys_crypto_cipher_new(&algorithm, key, encrypt);
	assert_non_null(cipher);
	for (int turn = 0; turn < 2; turn++) {
		memcpy(sector, from, sizeof(sector));
		assert_true(keys_crypto_sector(cipher, iv, sector, sizeof(sector)));
		if (memcmp(sector, to, sizeof(to)) != 0)
			fail_msg("row %zu, encrypt %d, turn %d", row, encrypt, turn);
	}
	keys_crypto_cipher_free(cipher);
}

static void test_sp800_38a(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(sp800_38a) / sizeof(sp800_38a[0]); i++) {
		check_direction(i, true);
		check_direction(i, false);
	}
	keys_crypto_cipher_free(NULL);
}

/* Keys one byte longer or shorter, and sizes that overflow when counted in bits. */
static void test_key_sizes(void **state)
{
	static const size_t bad[] = { 0, 15, 17, 33, 48, 64, SIZE_MAX / 8 + 1 + 16 };
	static const size_t bad_xts[] = {
		0, 16, 31, 33, 48, 63, 65, 128, SIZE_MAX / 8 + 1 + 64, SIZE_MAX / 4 + 1 + 64
	};
	struct keys_crypto_algorithm algorithm = { .cipher = "aes", .mode = KEYS_CRYPTO_CBC };

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		algorithm.key_size = bad[i];
		assert_false(keys_crypto_cipher_has(&algorithm));
	}
	algorithm.mode = KEYS_CRYPTO_XTS;
	for (size_t i = 0; i < sizeof(bad_xts) / sizeof(bad_xts[0]); i++) {
		algorithm.key_size = bad_xts[i];
		assert_false(keys_crypto_cipher_has(&algorithm));
	}
	algorithm.cipher = "serpent";
	algorithm.key_size = 64;
	assert_false(keys_crypto_cipher_has(&algorithm));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_sp800_38a),
		cmocka_unit_test(test_key_sizes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
