/* SPDX-License-Identifier: MIT */
/* Hashes, HMAC and base64, compared with published vectors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/base64.h"
#include "keys/hash.h"
#include "tests/lacks.h"
#include "tests/vectors/hex.h"

/*
 * The message is "abc". FIPS 180-4 and FIPS 202 example values (csrc.nist.gov), RFC 7693
 * appendices A and B, the RIPEMD-160 paper, ISO/IEC 10118-3 for Whirlpool, and GB/T 32905-2016 A.1 for SM3.
 */
static const struct {
	const char *name, *digest;
} abc[] = {
	{ "sha1", "a9993e364706816aba3e25717850c26c9cd0d89d" },
	{ "sha224", "23097d223405d8228642a477bda255b32aadbce4bda0b3f7e36c9da7" },
	{ "sha256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
	{ "sha384", "cb00753f45a35e8bb5a03d699ac65007272c32ab0eded163"
		    "1a8b605a43ff5bed8086072ba1e7cc2358baeca134c825a7" },
	{ "sha512", "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a"
		    "2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2a9ac94fa54ca49f" },
	{ "sha3-224", "e642824c3f8cf24ad09234ee7d3c766fc9a3a5168d0c94ad73b46fdf" },
	{ "sha3-256", "3a985da74fe225b2045c172d6bd390bd855f086e3e9d525b46bfe24511431532" },
	{ "sha3-384", "ec01498288516fc926459f58e2c6ad8df9b473cb0fc08c25"
		      "96da7cf0e49be4b298d88cea927ac7f539f1edf228376d25" },
	{ "sha3-512", "b751850b1a57168a5693cd924b6b096e08f621827444f70d884f5d0240d2712e"
		      "10e116e9192af3c91a7ec57647e3934057340b4cf408d5a56592f8274eec53f0" },
	{ "blake2b-512", "ba80a53f981c4d0d6a2797b69f12f6e94c212f14685ac4b74b12bb6fdbffa2d1"
			 "7d87c5392aab792dc252d5de4533cc9518d38aa8dbf1925ab92386edd4009923" },
	{ "blake2s-256", "508c5e8c327c14e2e1a72ba34eeb452f37458b209ed63a294d999b4c86675982" },
	{ "ripemd160", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc" },
	{ "rmd160", "8eb208f7e05d987a9b044a8e98c6b087f15a0bfc" },
	{ "sm3", "66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0" },
	{ "sha512-224", "4634270f707b6a54daae7530460842e20e37ed265ceee9a43e8924aa" },
	{ "sha512-256", "53048e2681941ef99b2e29b76b4c7dabe4c2d0c634fc6d46e0e2f13107e7af23" },
	{ "whirlpool", "4e2448a4c6f486bb16b6562c73b4020bf3043e3a731bce721ae1b303d97e6d4c"
		       "7181eebdb6c57e277d0e34957114cbd6c797fc9d95d8b582d225292076d4eef5" },
	{ "SHA256", "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad" },
};

static void test_abc(void **state)
{
	const struct keys_bytes parts[] = { { "a", 1 }, { "", 0 }, { "bc", 2 } };
	uint8_t digest[KEYS_HASH_SIZE_MAX], expected[KEYS_HASH_SIZE_MAX];
	struct keys_hash *hash;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(abc) / sizeof(abc[0]); i++) {
		if (lacks(abc[i].name, keys_hash_size(abc[i].name) > 0))
			continue;
		size = from_hex(abc[i].digest, expected, sizeof(expected));
		assert_int_equal(keys_hash_size(abc[i].name), size);
		assert_int_equal(keys_hash_new(abc[i].name, &hash, NULL), MORTISE_OK);
		/* Twice: the state after one computation must not affect the next. */
		for (int turn = 0; turn < 2; turn++) {
			memset(digest, 0, sizeof(digest));
			assert_int_equal(keys_hash_parts(hash, parts, 3, digest, NULL), MORTISE_OK);
			assert_memory_equal(digest, expected, size);
		}
		keys_hash_free(hash);
	}
	keys_hash_free(NULL);
}

/* OpenSSL accepts these names, LUKS2 does not: digests of any length, aliases, identifiers. */
static void test_refused_names(void **state)
{
	static const char *const names[] = { "shake128",
					     "shake256",
					     "md5",
					     "md5-sha1",
					     "null",
					     "SHA2-256",
					     "2.16.840.1.101.3.4.2.1",
					     "",
					     "sha256 ",
					     "no-such-hash" };
	struct mortise_error err;
	struct keys_hash *hash;

	(void)state;
	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		assert_int_equal(keys_hash_size(names[i]), 0);
		assert_int_equal(keys_hash_new(names[i], &hash, &err), MORTISE_E_UNSUPPORTED);
		assert_null(hash);
	}
	assert_string_equal(err.text, "hash no-such-hash is not available");
}

/* RFC 4231, test cases 1, 2, 6 and 7. */
static const struct {
	const char *key, *data, *mac;
} hmacs[] = {
	{ "0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b0b", "4869205468657265",
	  "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7" },
	{ "4a656665", "7768617420646f2079612077616e7420666f72206e6f7468696e673f",
	  "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843" },
	{ "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa",
	  "54657374205573696e67204c6172676572205468616e20426c6f636b2d53697a"
	  "65204b6579202d2048617368204b6579204669727374",
	  "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54" },
	/* Empty key and message: not in the RFC, but on Wikipedia's page on HMAC. */
	{ "", "", "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad" },
};

static void test_hmac(void **state)
{
	uint8_t key[131], data[64], mac[32], expected[32];
	size_t key_size, data_size, half;

	(void)state;
	for (size_t i = 0; i < sizeof(hmacs) / sizeof(hmacs[0]); i++) {
		key_size = from_hex(hmacs[i].key, key, sizeof(key));
		data_size = from_hex(hmacs[i].data, data, sizeof(data));
		from_hex(hmacs[i].mac, expected, sizeof(expected));
		half = data_size / 2;
		const struct keys_bytes parts[] = { { data, half },
						    { data + half, data_size - half } };

		assert_int_equal(
			keys_hmac_sha256((struct keys_bytes){ key_size ? key : NULL, key_size },
					 parts, 2, mac, NULL),
			MORTISE_OK);
		assert_memory_equal(mac, expected, 32);
	}
}

/* RFC 4648, section 10. */
static const struct {
	const char *bytes, *text;
} base64s[] = {
	{ "", "" },
	{ "f", "Zg==" },
	{ "fo", "Zm8=" },
	{ "foo", "Zm9v" },
	{ "foob", "Zm9vYg==" },
	{ "fooba", "Zm9vYmE=" },
	{ "foobar", "Zm9vYmFy" },
};

/* RFC 5869, test case 3: its first block. */
static void test_hkdf(void **state)
{
	static const uint8_t expected[32] = {
		0x8d, 0xa4, 0xe7, 0x75, 0xa5, 0x63, 0xc1, 0x8f, 0x71, 0x5f, 0x80,
		0x2a, 0x06, 0x3c, 0x5a, 0x31, 0xb8, 0xa1, 0x1f, 0x5c, 0x5e, 0xe1,
		0x87, 0x9e, 0xc3, 0x45, 0x4e, 0x5f, 0x3c, 0x73, 0x8d, 0x2d,
	};
	uint8_t secret[22], key[32];

	(void)state;
	memset(secret, 0x0b, sizeof(secret));
	assert_int_equal(
		keys_hkdf_sha256((struct keys_bytes){ secret, sizeof(secret) }, "", key, NULL),
		MORTISE_OK);
	assert_memory_equal(key, expected, sizeof(key));
}

static void test_base64(void **state)
{
	static const char *const bad[] = { "Zg=",   "Zg",   "Z",    "Zg==\n",	    " Zg==",
					   "Zm9v=", "====", "Z===", "Zm9vZg==Zm9v", "Zm-_" };
	uint8_t bytes[8];
	char text[BASE64_ROOM(8)];
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(base64s) / sizeof(base64s[0]); i++) {
		const size_t length = strlen(base64s[i].bytes);

		base64_encode((const uint8_t *)base64s[i].bytes, length, text);
		assert_string_equal(text, base64s[i].text);
		size = sizeof(bytes);
		assert_true(base64_decode(base64s[i].text, bytes, &size));
		assert_int_equal(size, length);
		assert_memory_equal(bytes, base64s[i].bytes, length);
		size = length;
		assert_true(base64_decode(base64s[i].text, bytes, &size));
		size = length - 1;
		if (length)
			assert_false(base64_decode(base64s[i].text, bytes, &size));
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		size = sizeof(bytes);
		if (base64_decode(bad[i], bytes, &size))
			fail_msg("accepted: \"%s\"", bad[i]);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_abc),    cmocka_unit_test(test_refused_names),
		cmocka_unit_test(test_hmac),   cmocka_unit_test(test_hkdf),
		cmocka_unit_test(test_base64),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
