/* SPDX-License-Identifier: MIT */
/* The keys of plain mappings, as cryptsetup 2.6.1 has put them into the tables of mappings. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>
#include <mortise.h>

#include "tests/vectors/hex.h"

/* "printf PASSPHRASE | cryptsetup open --type plain --hash HASH --key-size BITS" */
static const struct {
	const char *hash;
	uint32_t size; /* bytes */
	const char *passphrase, *key;
} vectors[] = {
	{ "ripemd160", 32, "abc",
	  "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc7e368e412f739ece724fc229" },
	{ "ripemd160", 64, "correct horse",
	  "424573ebba1ce1abc618a416178f79ad83442dfccd852f665c5536c935adea5c"
	  "b956db7720c4606f0e06d42a3827b056b40ae89ab6e1b48c2436bf4d4edddb1b" },
	{ "sha1", 16, "abc", "a9993e364706816aba3e25717850c26c" },
	{ "sha256", 32, "abc", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "sha256", 64, "abc",
	  "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
	  "bd1dfaf32c12fd5cdd1e97f1318f0fbce582ad494caf62bc440cc64a2b92a781" },
	{ "sha512", 32, "abc", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a" },
	{ "sha512", 64, "abc",
	  "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
	  "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
	{ "sha256:20", 32, "abc",
	  "ba7816bf8f01cfea414140de5dae2223b00361a3000000000000000000000000" },
	{ "sha1:30", 64, "abc",
	  "a9993e364706816aba3e25717850c26c9cd0d89da0070107aab564ed30dc0000"
	  "0000000000000000000000000000000000000000000000000000000000000000" },
	{ "plain", 32, "abc", "6162630000000000000000000000000000000000000000000000000000000000" },
	{ "plain", 16, "0123456789abcdefXYZ", "30313233343536373839616263646566" },
	{ "plain:8", 32, "0123456789abcdefXYZ",
	  "3031323334353637000000000000000000000000000000000000000000000000" },
	{ "sha1", 128, "abc",
	  "a9993e364706816aba3e25717850c26c9cd0d89da0070107aab564ed30dc84f4"
	  "39341c1a1e79e21880e2ffae2f1ecbd4b6de51fa6344361890850583936b3d1c"
	  "d257959c6ef23ad76d1ffc70cdaee19301692c97f0547873d07689f8c6028d0e"
	  "19b078a59df480a34c84e2d845831b9aea7c515a849c3c7e60883b196534c46f" },
	{ "ripemd160", 128, "abc",
	  "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc7e368e412f739ece724fc229"
	  "1a6c4eb639212df6f8f5d14b89ddb3e48dfbb4a69b4d9f59c1cc28a703e38c1a"
	  "fc3485a9ca78e6476ac574472bdf03d188dddae515f801b16a307ee2d34d4818"
	  "986f30fcfb041a39e60c2458eb0c2ece0c9068c8df166d5ac3aec2bb8cef2405" },
	{ "sha1", 256, "abc",
	  "a9993e364706816aba3e25717850c26c9cd0d89da0070107aab564ed30dc84f4"
	  "39341c1a1e79e21880e2ffae2f1ecbd4b6de51fa6344361890850583936b3d1c"
	  "d257959c6ef23ad76d1ffc70cdaee19301692c97f0547873d07689f8c6028d0e"
	  "19b078a59df480a34c84e2d845831b9aea7c515a849c3c7e60883b196534c46f"
	  "2e4abfc4a0ce833e884973ea0eaff71b670ccf1f673cf0b3ece7f3cd3708b545"
	  "75ccc4094bd9de596354018bfb5331f83ba94f80578f031ef356d7c1f72d961d"
	  "65927f87a1bc774a81a5518e47b932c21690eaa9383f78c6ae66aefd43a91135"
	  "aa2ef779cd91afa16d7d6739ad4dcac3dbae6e6a127fd35f1011f5dea0a5edfe" },
};

static enum mortise_code make(const char *hash, uint32_t size, const char *text,
			      struct mortise_secret **key)
{
	struct mortise_secret *passphrase = NULL;
	struct mortise_error err = { 0 };
	enum mortise_code code;

	assert_int_equal(mortise_secret_from(text, strlen(text), &passphrase, NULL), MORTISE_OK);
	code = mortise_plain_key(hash, size, passphrase, key, &err);
	assert_int_equal(err.code, code);
	assert_int_equal(!*key, code != MORTISE_OK);
	mortise_secret_free(&passphrase);
	return code;
}

static void test_vectors(void **state)
{
	struct mortise_secret *key;
	uint8_t expected[256];

	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		assert_int_equal(
			make(vectors[i].hash, vectors[i].size, vectors[i].passphrase, &key),
			MORTISE_OK);
		assert_int_equal(mortise_secret_size(key), vectors[i].size);
		assert_int_equal(from_hex(vectors[i].key, expected, sizeof(expected)),
				 vectors[i].size);
		assert_memory_equal(mortise_secret_data(key), expected, vectors[i].size);
		mortise_secret_free(&key);
	}
}

/* A longer key begins with the shorter one. */
static void test_sizes(void **state)
{
	struct mortise_secret *longest, *key;

	(void)state;
	assert_int_equal(make("sha1", 1024, "abc", &longest), MORTISE_OK);
	for (uint32_t size = 1; size < 1024; size++) {
		assert_int_equal(make("sha1", size, "abc", &key), MORTISE_OK);
		assert_int_equal(mortise_secret_size(key), size);
		assert_memory_equal(mortise_secret_data(key), mortise_secret_data(longest), size);
		mortise_secret_free(&key);
	}
	mortise_secret_free(&longest);
}

static void test_default(void **state)
{
	struct mortise_secret *named, *key;

	(void)state;
	assert_int_equal(make("RIPEMD160", 32, "abc", &named), MORTISE_OK);
	assert_int_equal(make(NULL, 32, "abc", &key), MORTISE_OK);
	assert_true(mortise_secret_equal(named, key));
	mortise_secret_free(&named);
	mortise_secret_free(&key);
}

static void test_errors(void **state)
{
	static const char *const specs[] = {
		"",
		":",
		":8",
		"sha256:",
		"sha256:0",
		"sha256:x",
		"sha256:8x",
		"sha256: 8",
		"sha256:-1",
		"sha256:33",
		"plain:33",
		"sha256::8",
		"sha256:+8",
		"plain:",
		"sha256:99999999999999999999",
		"a name that is longer than the limit of 32 bytes",
	};
	struct mortise_secret *key;

	(void)state;
	for (size_t i = 0; i < sizeof(specs) / sizeof(specs[0]); i++)
		assert_int_equal(make(specs[i], 32, "abc", &key), MORTISE_E_USAGE);
	assert_int_equal(make("plain:4", 32, "abc", &key), MORTISE_E_USAGE);
	assert_int_equal(make("sha256", 0, "abc", &key), MORTISE_E_USAGE);
	assert_int_equal(make("sha256", 1025, "abc", &key), MORTISE_E_USAGE);
	assert_int_equal(make("nonsense", 32, "abc", &key), MORTISE_E_UNSUPPORTED);
	assert_int_equal(make("plainer:3", 32, "abc", &key), MORTISE_E_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors),
		cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_default),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
