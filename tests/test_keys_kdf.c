/* SPDX-License-Identifier: MIT */
/* PBKDF2 and Argon2 compared with published vectors, and rejected costs. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include <cmocka.h>

#include "keys/argon2/argon2.h"
#include "keys/kdf.h"
#include "tests/vectors/hex.h"

struct text {
	const char *bytes;
	size_t size;
};

#define TEXT(literal)                        \
	{                                    \
		literal, sizeof(literal) - 1 \
	}

/*
 * RFC 6070 (SHA-1; without its vector of 16777216 iterations, which takes 6 s), RFC 3962 appendix B
 * (passphrases of one block and longer), RFC 7914 section 11 (SHA-256), CPython's
 * Lib/test/test_hashlib.py (SHA-512, and SHA-256 with long inputs).
 */
static const struct {
	const char *hash;
	struct text passphrase, salt;
	uint32_t iterations;
	const char *key;
} pbkdf2s[] = {
	{ "sha1", TEXT("password"), TEXT("salt"), 1, "0c60c80f961f0e71f3a9b524af6012062fe037a6" },
	{ "sha1", TEXT("password"), TEXT("salt"), 2, "ea6c014dc72d6f8ccd1ed92ace1d41f0d8de8957" },
	{ "sha1", TEXT("password"), TEXT("salt"), 4096,
	  "4b007901b765489abead49d926f721d065a429c1" },
	{ "sha1", TEXT("passwordPASSWORDpassword"), TEXT("saltSALTsaltSALTsaltSALTsaltSALTsalt"),
	  4096, "3d2eec4fe41c849b80c8d83662c0e44a8b291a964cf2f07038" },
	{ "sha1", TEXT("pass\0word"), TEXT("sa\0lt"), 4096, "56fa6aa75548099dcc37d7f03425e0c3" },
	{ "sha1", TEXT("XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"),
	  TEXT("pass phrase equals block size"), 1200,
	  "139c30c0966bc32ba55fdbf212530ac9c5ec59f1a452f5cc9ad940fea0598ed1" },
	{ "sha1", TEXT("XXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXXX"),
	  TEXT("pass phrase exceeds block size"), 1200,
	  "9ccad6d468770cd51b10e6a68721be611a8b4d282601db3b36be9246915ec82a" },
	{ "sha256", TEXT("passwd"), TEXT("salt"), 1,
	  "55ac046e56e3089fec1691c22544b605f94185216dde0465e68b9d57c20dacbc"
	  "49ca9cccf179b645991664b39d77ef317c71b845b1e30bd509112041d3a19783" },
	{ "sha256", TEXT("Password"), TEXT("NaCl"), 80000,
	  "4ddcd8f60b98be21830cee5ef22701f9641a4418d04c0414aeff08876b34ab56"
	  "a1d425a1225833549adb841b51c9b3176a272bdebba1d078478f62b397f33c8d" },
	{ "sha256", TEXT("passwordPASSWORDpassword"), TEXT("saltSALTsaltSALTsaltSALTsaltSALTsalt"),
	  4096,
	  "348c89dbcbd32b2f32d814b8116e84cf2b17347ebc1800181c4e2a1fb8dd53e1c635518c7dac47e9" },
	{ "sha512", TEXT("password"), TEXT("salt"), 1,
	  "867f70cf1ade02cff3752599a3a53dc4af34c7a669815ae5d513554e1c8cf252"
	  "c02d470a285a0501bad999bfe943c08f050235d7d68b1da55e63f73b60a57fce" },
	{ "sha512", TEXT("password"), TEXT("salt"), 4096,
	  "d197b1b33db0143e018b12f3d1d1479e6cdebdcc97c5c0f87f6902e072f457b5"
	  "143f30602641b3d55cd335988cb36b84376060ecd532e039b742a239434af2d5" },
};

static struct mortise_secret *secret_of(const char *bytes, size_t size)
{
	struct mortise_secret *secret;

	assert_int_equal(mortise_secret_from(bytes, size, &secret, NULL), MORTISE_OK);
	return secret;
}

static void test_pbkdf2(void **state)
{
	uint8_t key[64], expected[64];
	struct mortise_secret *passphrase;
	size_t size;

	(void)state;
	for (size_t i = 0; i < sizeof(pbkdf2s) / sizeof(pbkdf2s[0]); i++) {
		struct mortise_kdf kdf = { .type = MORTISE_KDF_PBKDF2,
					   .time = pbkdf2s[i].iterations };

		snprintf(kdf.hash, sizeof(kdf.hash), "%s", pbkdf2s[i].hash);
		passphrase = secret_of(pbkdf2s[i].passphrase.bytes, pbkdf2s[i].passphrase.size);
		size = from_hex(pbkdf2s[i].key, expected, sizeof(expected));
		assert_int_equal(keys_kdf_derive(&kdf, NULL, passphrase,
						 (struct keys_bytes){ pbkdf2s[i].salt.bytes,
								      pbkdf2s[i].salt.size },
						 key, size, NULL),
				 MORTISE_OK);
		assert_memory_equal(key, expected, size);
		mortise_secret_free(&passphrase);
	}
}

/* The reference implementation's src/test.c, version 0x13: m = 2^16 or 2^8 KiB. */
static const struct {
	enum mortise_kdf_type type;
	uint32_t time, memory_kib, lanes;
	const char *passphrase, *salt, *tag;
} argon2s[] = {
	{ MORTISE_KDF_ARGON2ID, 2, 65536, 1, "password", "somesalt",
	  "09316115d5cf24ed5a15a31a3ba326e5cf32edc24702987c02b6566f61913cf7" },
	{ MORTISE_KDF_ARGON2ID, 2, 256, 1, "password", "somesalt",
	  "9dfeb910e80bad0311fee20f9c0e2b12c17987b4cac90c2ef54d5b3021c68bfe" },
	{ MORTISE_KDF_ARGON2ID, 2, 256, 2, "password", "somesalt",
	  "6d093c501fd5999645e0ea3bf620d7b8be7fd2db59c20d9fff9539da2bf57037" },
	{ MORTISE_KDF_ARGON2ID, 1, 65536, 1, "password", "somesalt",
	  "f6a5adc1ba723dddef9b5ac1d464e180fcd9dffc9d1cbf76cca2fed795d9ca98" },
	{ MORTISE_KDF_ARGON2ID, 4, 65536, 1, "password", "somesalt",
	  "9025d48e68ef7395cca9079da4c4ec3affb3c8911fe4f86d1a2520856f63172c" },
	{ MORTISE_KDF_ARGON2ID, 2, 65536, 1, "differentpassword", "somesalt",
	  "0b84d652cf6b0c4beaef0dfe278ba6a80df6696281d7e0d2891b817d8c458fde" },
	{ MORTISE_KDF_ARGON2ID, 2, 65536, 1, "password", "diffsalt",
	  "bdf32b05ccc42eb15d58fd19b1f856b113da1e9a5874fdcc544308565aa8141c" },
	{ MORTISE_KDF_ARGON2I, 2, 65536, 1, "password", "somesalt",
	  "c1628832147d9720c5bd1cfd61367078729f6dfb6f8fea9ff98158e0d7816ed0" },
	{ MORTISE_KDF_ARGON2I, 2, 256, 1, "password", "somesalt",
	  "89e9029f4637b295beb027056a7336c414fadd43f6b208645281cb214a56452f" },
	{ MORTISE_KDF_ARGON2I, 2, 256, 2, "password", "somesalt",
	  "4ff5ce2769a1d7f4c8a491df09d41a9fbe90e5eb02155a13e4c01e20cd4eab61" },
	{ MORTISE_KDF_ARGON2I, 1, 65536, 1, "password", "somesalt",
	  "d168075c4d985e13ebeae560cf8b94c3b5d8a16c51916b6f4ac2da3ac11bbecf" },
	{ MORTISE_KDF_ARGON2I, 2, 65536, 1, "password", "diffsalt",
	  "b0357cccfbef91f3860b0dba447b2348cbefecadaf990abfe9cc40726c521271" },
};

static void test_argon2(void **state)
{
	struct mortise_secret *passphrase;
	uint8_t key[32], expected[32];

	(void)state;
	for (size_t i = 0; i < sizeof(argon2s) / sizeof(argon2s[0]); i++) {
		const struct mortise_kdf kdf = { .type = argon2s[i].type,
						 .time = argon2s[i].time,
						 .memory_kib = argon2s[i].memory_kib,
						 .lanes = argon2s[i].lanes };

		passphrase = secret_of(argon2s[i].passphrase, strlen(argon2s[i].passphrase));
		from_hex(argon2s[i].tag, expected, sizeof(expected));
		assert_int_equal(keys_kdf_derive(&kdf, NULL, passphrase,
						 (struct keys_bytes){ argon2s[i].salt, 8 }, key,
						 sizeof(key), NULL),
				 MORTISE_OK);
		assert_memory_equal(key, expected, sizeof(key));
		mortise_secret_free(&passphrase);
	}
}

/* RFC 9106, sections 5.2 and 5.3. */
static const struct {
	enum mortise_kdf_type type;
	const char *tag;
} rfc9106[] = {
	{ MORTISE_KDF_ARGON2I, "c814d9d1dc7f37aa13f0d77f2494bda1c8de6b016dd388d29952a4c4672b6ce8" },
	{ MORTISE_KDF_ARGON2ID,
	  "0d640df58d78766c08c037a34a8b53c9d01ef0452d75b65eb52520e96b01e659" },
};

static void test_rfc9106(void **state)
{
	uint8_t passphrase[32], salt[16], secret[8], associated[12], tag[32], expected[32];
	const struct keys_argon2_input input = {
		.passphrase = { passphrase, sizeof(passphrase) },
		.salt = { salt, sizeof(salt) },
		.secret = { secret, sizeof(secret) },
		.associated_data = { associated, sizeof(associated) },
	};

	(void)state;
	memset(passphrase, 1, sizeof(passphrase));
	memset(salt, 2, sizeof(salt));
	memset(secret, 3, sizeof(secret));
	memset(associated, 4, sizeof(associated));
	for (size_t i = 0; i < sizeof(rfc9106) / sizeof(rfc9106[0]); i++) {
		const struct mortise_kdf kdf = {
			.type = rfc9106[i].type, .time = 3, .memory_kib = 32, .lanes = 4
		};

		from_hex(rfc9106[i].tag, expected, sizeof(expected));
		assert_int_equal(keys_argon2(&kdf, &input, tag, sizeof(tag), NULL), MORTISE_OK);
		assert_memory_equal(tag, expected, sizeof(tag));
	}
}

#define ARGON2ID(t, m, p)                                                                  \
	{                                                                                  \
		.type = MORTISE_KDF_ARGON2ID, .time = (t), .memory_kib = (m), .lanes = (p) \
	}

static const struct {
	struct mortise_kdf kdf;
	size_t salt_size, key_size;
	enum mortise_code code;
	const char *text;
} refused[] = {
	{ ARGON2ID(0, 32, 4), 32, 32, MORTISE_E_USAGE, "argon2id needs at least 1 pass" },
	{ ARGON2ID(1, 32, 0), 32, 32, MORTISE_E_USAGE, "argon2id has 1 to 16777215 lanes, not 0" },
	{ ARGON2ID(1, UINT32_MAX, 1u << 24), 32, 32, MORTISE_E_USAGE,
	  "argon2id has 1 to 16777215 lanes, not 16777216" },
	{ ARGON2ID(1, 31, 4), 32, 32, MORTISE_E_USAGE,
	  "argon2id needs at least 8 KiB for each of its 4 lanes, not 31 KiB in all" },
	{ ARGON2ID(1, 32, 4), 7, 32, MORTISE_E_USAGE,
	  "argon2id needs a salt of at least 8 bytes, not 7" },
	{ ARGON2ID(1, 32, 4), 8, 3, MORTISE_E_USAGE,
	  "argon2id derives keys of at least 4 bytes, not 3" },
	{ { .type = MORTISE_KDF_PBKDF2, .hash = "sha256" },
	  32,
	  32,
	  MORTISE_E_USAGE,
	  "pbkdf2 needs at least 1 iteration and 1 byte of key" },
	{ { .type = MORTISE_KDF_PBKDF2, .hash = "shake256", .time = 1000 },
	  32,
	  32,
	  MORTISE_E_UNSUPPORTED,
	  "hash shake256 is not available" },
	{ { .type = MORTISE_KDF_PBKDF2, .hash = "sha256", .time = 1000 },
	  65,
	  32,
	  MORTISE_E_USAGE,
	  "a salt has at most 64 bytes, not 65" },
};

static void test_refused_costs(void **state)
{
	struct mortise_secret *passphrase = secret_of("x", 1);
	const uint8_t salt[65] = { 0 };
	struct mortise_error err;
	uint8_t key[32];

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(keys_kdf_derive(&refused[i].kdf, NULL, passphrase,
						 (struct keys_bytes){ salt, refused[i].salt_size },
						 key, refused[i].key_size, &err),
				 refused[i].code);
		assert_string_equal(err.text, refused[i].text);
	}
	mortise_secret_free(&passphrase);
}

static void test_empty_inputs(void **state)
{
	const struct mortise_kdf argon2 = ARGON2ID(4, 32, 1);
	const struct mortise_kdf pbkdf2 = { .type = MORTISE_KDF_PBKDF2,
					    .hash = "sha256",
					    .time = 1 };
	/* PBKDF2-HMAC-SHA256 with an empty passphrase and an empty salt: CPython's hashlib. */
	static const char empty[] =
		"f7ce0b653d2d72a4108cf5abe912ffdd777616dbbb27a70e8204f3ae2d0f6fad";
	struct mortise_secret *passphrase = secret_of("", 0);
	uint8_t key[32], expected[32];

	(void)state;
	assert_int_equal(keys_kdf_derive(&argon2, NULL, passphrase,
					 (struct keys_bytes){ "01234567", 8 }, key, 32, NULL),
			 MORTISE_OK);
	assert_int_equal(keys_kdf_derive(&pbkdf2, NULL, passphrase, (struct keys_bytes){ NULL, 0 },
					 key, 32, NULL),
			 MORTISE_OK);
	from_hex(empty, expected, sizeof(expected));
	assert_memory_equal(key, expected, 32);
	mortise_secret_free(&passphrase);
}

static uint64_t address_space(void)
{
	FILE *statm = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	assert_non_null(statm);
	assert_int_equal(fscanf(statm, "%lu", &pages), 1);
	fclose(statm);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

/* More memory than the address space: only the allocation fails. */
static void test_no_memory(void **state)
{
	const struct mortise_kdf kdf = ARGON2ID(1, 1048576, 1);
	struct mortise_secret *passphrase = secret_of("x", 1);
	struct rlimit before, lowered, limit;
	struct mortise_error err;
	enum mortise_code code;
	uint8_t key[32];

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	lowered = before;
	lowered.rlim_cur = address_space() + (64u << 20);
	assert_int_equal(setrlimit(RLIMIT_AS, &lowered), 0);
	/* QEMU's user emulation ignores it. */
	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur != lowered.rlim_cur)
		skip();
	code = keys_kdf_derive(&kdf, NULL, passphrase, (struct keys_bytes){ "01234567", 8 }, key,
			       32, &err);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	assert_int_equal(code, MORTISE_E_MEMORY);
	assert_string_equal(err.text, "cannot allocate 1048576 KiB of memory for argon2id");
	mortise_secret_free(&passphrase);
}

static void test_names(void **state)
{
	const struct mortise_kdf argon2 = ARGON2ID(4, 1048576, 4);
	const struct mortise_kdf pbkdf2 = { .type = MORTISE_KDF_PBKDF2, .memory_kib = 7 };

	(void)state;
	assert_string_equal(mortise_kdf_name(MORTISE_KDF_ARGON2ID), "argon2id");
	assert_string_equal(mortise_kdf_name(MORTISE_KDF_ARGON2I), "argon2i");
	assert_string_equal(mortise_kdf_name(MORTISE_KDF_PBKDF2), "pbkdf2");
	assert_int_equal(keys_kdf_memory(&argon2), 1 << 30);
	assert_int_equal(keys_kdf_memory(&pbkdf2), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_pbkdf2),	     cmocka_unit_test(test_argon2),
		cmocka_unit_test(test_rfc9106),	     cmocka_unit_test(test_refused_costs),
		cmocka_unit_test(test_empty_inputs), cmocka_unit_test(test_no_memory),
		cmocka_unit_test(test_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
