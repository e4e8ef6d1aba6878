/* SPDX-License-Identifier: MIT */
/* The list of accepted ciphers. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "luks2/ciphers.h"

struct combination {
	const char *cipher;
	uint32_t key_size; /* bytes */
};

static void test_accepted(void **state)
{
	/* The defaults of cryptsetup 1.0 to 2.6, of installers, and those in upstream's images. */
	static const struct combination good[] = {
		{ "aes-xts-plain64", 64 },
		{ "aes-xts-plain64", 32 },
		{ "aes-xts-plain", 64 },
		{ "aes-cbc-essiv:sha256", 32 },
		{ "aes-cbc-essiv:sha256", 16 },
		{ "aes-cbc-plain", 32 },
		{ "aes-cbc-plain64", 16 },
		{ "serpent-xts-plain64", 64 },
		{ "twofish-cbc-essiv:sha256", 32 },
		{ "camellia-xts-plain64", 64 },
		{ "xchacha12,aes-adiantum-plain64", 32 },
		{ "xchacha20,aes-adiantum-plain64", 32 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_int_equal(
			luks2_cipher_check("x", good[i].cipher, good[i].key_size, NULL, NULL),
			MORTISE_OK);
}

static void test_refused(void **state)
{
	static const struct combination bad[] = {
		{ "aes:2-ctr-null", 64 },
		{ "aes:2-ecb-null", 64 },
		{ "aes:4-cbc-null", 64 },
		{ "aes:64-cbc-lmk", 64 },
		{ "aes-xts-null", 64 },
		{ "aes-xts-random", 64 },
		{ "aes-ctr-plain64", 32 },
		{ "aes-ecb", 32 },
		{ "aes", 32 },
		{ "capi:xts(aes)-plain64", 64 },
		{ "capi:ecb(aes)-null", 32 },
		{ "capi:adiantum(xchacha12,aes)-plain64", 32 },
		{ "cipher_null-ecb", 32 },
		{ "ecb(cipher_null)-null", 32 },
		{ "AES-xts-plain64", 64 },
		{ "aes-xts-plain64 ", 64 },
		{ "aes-xts-plain64\n", 64 },
		{ "aes-xts-plain64:", 64 },
		{ "aes-xts-plain65", 64 },
		{ "aes-xts-plain64", 16 },
		{ "aes-xts-plain64", 48 },
		{ "aes-xts-plain64", 128 },
		{ "aes-cbc-essiv:sha256", 64 },
		{ "aes-cbc-essiv:md5", 32 },
		{ "sm4-xts-plain64", 64 },
		{ "xchacha12,aes-adiantum-plain64", 64 },
		{ "xchacha8,aes-adiantum-plain64", 32 },
		{ "", 32 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
			luks2_cipher_check("x", bad[i].cipher, bad[i].key_size, NULL, NULL),
			MORTISE_E_POLICY);
		/* Another name does not help. */
		assert_int_equal(
			luks2_cipher_check("x", bad[i].cipher, bad[i].key_size, "aes-lrw", NULL),
			MORTISE_E_POLICY);
	}
}

static void test_allowed(void **state)
{
	struct mortise_error err;

	(void)state;
	assert_int_equal(luks2_cipher_check("x", "aes-ecb", 32, "aes-ecb", NULL), MORTISE_OK);
	assert_int_equal(luks2_cipher_check("x", "aes-xts-plain64", 48, "aes-xts-plain64", NULL),
			 MORTISE_OK);
	assert_int_equal(luks2_cipher_check("x", "cipher_null-ecb", 32, "cipher_null-ecb", NULL),
			 MORTISE_E_POLICY);
	assert_int_equal(luks2_cipher_check("segment 0", "aes-xts-null", 64, NULL, &err),
			 MORTISE_E_POLICY);
	assert_string_equal(err.text,
			    "segment 0: cipher aes-xts-null with a key of 512 bits is not on the "
			    "list of accepted ciphers; to accept it by hand, use --allow-cipher "
			    "aes-xts-null");
	/* The key size is not known yet. */
	assert_int_equal(luks2_cipher_check("x", "aes-xts-plain64", 0, NULL, NULL), MORTISE_OK);
	assert_int_equal(luks2_cipher_check("x", "aes-ecb", 0, NULL, &err), MORTISE_E_POLICY);
	assert_non_null(strstr(err.text, "x: cipher aes-ecb is not on the list"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_accepted),
		cmocka_unit_test(test_refused),
		cmocka_unit_test(test_allowed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
