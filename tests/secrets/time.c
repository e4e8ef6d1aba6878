/* SPDX-License-Identifier: MIT */
/*
 * Handles secrets that are marked as uninitialized, so that valgrind reports each branch and address
 * that depends on them (Langley's ctgrind). Built once for each crypto library. Prints the number of
 * reports for each kind of code; for the last one, a comparison with memcmp(3), there must be some.
 */
#include <stdio.h>
#include <string.h>
#include <valgrind/memcheck.h>

#include "base/base64.h"
#include "base/secret.h"
#include "dm/crypt_table.h"
#include "keys/af.h"
#include "keys/crypto.h"

#define SIZE	64u
#define STRIPES 40u

static uint8_t key[SIZE], other[SIZE], split[SIZE * STRIPES], sum[KEYS_HASH_SIZE_MAX];
static char text[BASE64_ROOM(SIZE)];
static unsigned failures;

static void hide(void *secret, size_t size)
{
	(void)VALGRIND_MAKE_MEM_UNDEFINED(secret, size);
}

static void reveal(void *result, size_t size)
{
	(void)VALGRIND_MAKE_MEM_DEFINED(result, size);
}

static void expect(bool holds)
{
	failures += !holds;
}

/* The length of a secret may be known. Its characters are looked at here as those of a copy. */
size_t __real_strlen(const char *string);
size_t __wrap_strlen(const char *string);

size_t __wrap_strlen(const char *string)
{
	return string == text ? sizeof(text) - 1 : __real_strlen(string);
}

static void compare(void)
{
	struct mortise_secret *a = NULL, *b = NULL;
	bool equal;

	expect(!mortise_secret_from(key, SIZE, &a, NULL) &&
	       !mortise_secret_from(other, SIZE, &b, NULL));
	hide(mortise_secret_writable(a), SIZE);
	hide(mortise_secret_writable(b), SIZE);
	equal = mortise_secret_equal(a, b);
	reveal(&equal, sizeof(equal));
	expect(!equal);
	equal = secret_equal(mortise_secret_data(a), mortise_secret_data(a), SIZE);
	reveal(&equal, sizeof(equal));
	expect(equal);
	mortise_secret_free(&a);
	mortise_secret_free(&b);
}

/* Whether the last two characters are padding follows from the size, which is not secret. */
static void encode_base64(void)
{
	uint8_t back[SIZE];
	size_t size = sizeof(back);
	bool good;

	hide(key, SIZE);
	base64_encode(key, SIZE, text);
	reveal(text + sizeof(text) - 3, 3);
	good = base64_decode(text, back, &size);
	reveal(&good, sizeof(good));
	reveal(back, sizeof(back));
	reveal(key, SIZE);
	expect(good && size == SIZE && !memcmp(back, key, SIZE));
}

/* The key in the table of a mapping. */
static void encode_hex(void)
{
	struct dm_crypt_target target = { .cipher = "aes-xts-plain64" };
	struct mortise_secret *secret = NULL;
	char hex[2 * SIZE];

	expect(!mortise_secret_from(key, SIZE, &secret, NULL));
	hide(mortise_secret_writable(secret), SIZE);
	target.key = secret;
	expect(dm_crypt_put_key(hex, &target, false) == sizeof(hex));
	reveal(hex, sizeof(hex));
	expect(!memcmp(hex, "052a4f74", 8));
	mortise_secret_free(&secret);
}

static void merge(const char *hash)
{
	uint8_t merged[SIZE];

	hide(key, SIZE);
	expect(!keys_af_split(key, SIZE, STRIPES, hash, split, NULL));
	hide(split, sizeof(split));
	expect(!keys_af_merge(split, SIZE, STRIPES, hash, merged, NULL));
	reveal(merged, SIZE);
	reveal(key, SIZE);
	expect(!memcmp(merged, key, SIZE));
}

/* What derives, seals and compares keys. */
static void compute_mac(const char *hash)
{
	const struct keys_bytes message = { other, SIZE };
	struct keys_hmac *hmac;

	hide(key, SIZE);
	hide(other, SIZE);
	hmac = keys_crypto_hmac_new(hash, (struct keys_bytes){ key, SIZE });
	expect(hmac && keys_crypto_hmac(hmac, &message, 1, sum));
	keys_crypto_hmac_free(hmac);
	reveal(key, SIZE);
	reveal(other, SIZE);
	reveal(sum, sizeof(sum));
}

static void leak(void)
{
	hide(key, SIZE);
	expect(memcmp(key, other, SIZE) != 0);
	reveal(key, SIZE);
}

static void report(const char *what)
{
	static unsigned before;
	const unsigned now = VALGRIND_COUNT_ERRORS;

	printf("%s: %u\n", what, now - before);
	before = now;
}

int main(void)
{
	printf("%s\n", keys_crypto_library());
	for (unsigned i = 0; i < SIZE; i++)
		key[i] = (uint8_t)(i * 37 + 5);
	compare();
	report("comparison");
	encode_base64();
	report("base64");
	encode_hex();
	report("hex");
	merge("sha256");
	merge("sha512");
	report("merge");
	compute_mac("sha256");
	compute_mac("sha512");
	report("hmac");
	leak();
	report("memcmp");
	return failures ? 3 : 0;
}
