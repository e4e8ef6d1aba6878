/* SPDX-License-Identifier: MIT */
/* Recovery keys in systemd's notation, and the pauses between attempts to reach a KMS. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "keys/sources/sources.h"

/*
 * Inputs and systemd's normalized recovery keys; NULL: rejected. The first part is from systemd's
 * src/home/test-modhex.c, the second from its src/test/test-recovery-key.c.
 */
static const struct {
	const char *typed;
	const char *key;
} vectors[] = {
	{ "iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj",
	  "iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj" },
	{ "iefgcelhbiduvkjvcjvuncnkvlfchdidjhtuhhdeurkllkegilkjgbrthjkbgktj",
	  "iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj" },
	{ "IEFGCELH-BIDUVKJV-CJVUNCNK-VLFCHDID-JHTUHHDE-URKLLKEG-ILKJGBRT-HJKBGKTJ",
	  "iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj" },
	{ "IEFGCELHBIDUVKJVCJVUNCNKVLFCHDIDJHTUHHDEURKLLKEGILKJGBRTHJKBGKTJ",
	  "iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj" },
	{ "Iefgcelh-Biduvkjv-Cjvuncnk-Vlfchdid-Jhtuhhde-Urkllkeg-Ilkjgbrt-Hjkbgktj",
	  "iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj" },
	{ "Iefgcelhbiduvkjvcjvuncnkvlfchdidjhtuhhdeurkllkegilkjgbrthjkbgktj",
	  "iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj" },
	{ "iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgkt", NULL },
	{ "iefgcelhbiduvkjvcjvuncnkvlfchdidjhtuhhdeurkllkegilkjgbrthjkbgkt", NULL },
	{ "IEFGCELHBIDUVKJVCJVUNCNKVLFCHDIDJHTUHHDEURKLLKEGILKJGBRTHJKBGKT", NULL },
	{ "xefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj", NULL },
	{ "Xefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj", NULL },
	{ "iefgcelh+biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj", NULL },
	{ "iefgcelhebiduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj", NULL },
	{ "", NULL },

	{ "cdefghijcdefghijcdefghijcdefghijcdefghijcdefghijcdefghijcdefghij",
	  "cdefghij-cdefghij-cdefghij-cdefghij-cdefghij-cdefghij-cdefghij-cdefghij" },
	{ "cdefVhij-cDefghij-cdefkhij-cdufghij-cdefgdij-cidefIhj-cdefNijR-cdVfguij",
	  "cdefvhij-cdefghij-cdefkhij-cdufghij-cdefgdij-cidefihj-cdefnijr-cdvfguij" },
	{ "1234-5678-90AB-CDEF-1234-5678-90AB-CDEF", NULL },
	{ "cdefghij-cdefghij-cdefghij-cdefghij-cdefghij-cdefghij-cdefghijcdefghij", NULL },
	{ "BFGHICEHHIUVLKJIHFHEDlntruvcdefjiTUVKLNIJVTUTKJIHDFBCBGHIJHHFDBC",
	  "bfghiceh-hiuvlkji-hfhedlnt-ruvcdefj-ituvklni-jvtutkji-hdfbcbgh-ijhhfdbc" },
	{ "cde123hi-cdefgzij-cdefghij-cdefghij-cdefghij-cdefghij-cdefghijcdefghij", NULL },
};

/* Inputs on which systemd's tests do not decide. */
static const struct {
	const char *typed;
	bool taken;
} others[] = {
	{ " \tiefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj\r\n", true },
	{ "\niefgcelhbiduvkjvcjvuncnkvlfchdidjhtuhhdeurkllkegilkjgbrthjkbgktj ", true },
	{ "iefgcelh biduvkjv cjvuncnk vlfchdid jhtuhhde urkllkeg ilkjgbrt hjkbgktj", false },
	{ "iefgcelh-biduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj-", false },
	{ "-iefgcelhbiduvkjvcjvuncnkvlfchdidjhtuhhdeurkllkegilkjgbrthjkbgkt", false },
	{ "iefgcel-hbiduvkjv-cjvuncnk-vlfchdid-jhtuhhde-urkllkeg-ilkjgbrt-hjkbgktj", false },
	{ " ", false },
	/* Characters that differ from 'c' and 'C' in one bit. */
	{ "\003efgcelhbiduvkjvcjvuncnkvlfchdidjhtuhhdeurkllkegilkjgbrthjkbgktj", false },
	{ "#efgcelhbiduvkjvcjvuncnkvlfchdidjhtuhhdeurkllkegilkjgbrthjkbgktj", false },
	{ "\343efgcelhbiduvkjvcjvuncnkvlfchdidjhtuhhdeurkllkegilkjgbrthjkbgktj", false },
};

static enum mortise_code normalize(const char *typed, struct mortise_secret **key,
				   struct mortise_error *err)
{
	struct mortise_secret *secret;
	enum mortise_code code;

	assert_int_equal(mortise_secret_from(typed, strlen(typed), &secret, NULL), MORTISE_OK);
	code = keys_recovery_normalize(secret, key, err);
	mortise_secret_free(&secret);
	return code;
}

static void test_vectors(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(vectors) / sizeof(vectors[0]); i++) {
		struct mortise_error err = { 0 };
		struct mortise_secret *key;
		enum mortise_code code = normalize(vectors[i].typed, &key, &err);

		if (code != (vectors[i].key ? MORTISE_OK : MORTISE_E_KEY))
			fail_msg("%s: %s", vectors[i].typed, err.text);
		if (!vectors[i].key) {
			assert_null(key);
			continue;
		}
		assert_int_equal(mortise_secret_size(key), MORTISE_RECOVERY_LENGTH);
		assert_memory_equal(mortise_secret_data(key), vectors[i].key,
				    MORTISE_RECOVERY_LENGTH);
		mortise_secret_free(&key);
	}
}

static void test_others(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(others) / sizeof(others[0]); i++) {
		struct mortise_error err = { 0 };
		struct mortise_secret *key;

		if ((normalize(others[i].typed, &key, &err) == MORTISE_OK) != others[i].taken)
			fail_msg("%s", others[i].typed);
		/* The input may be nearly correct, so an error must not contain it. */
		assert_null(strstr(err.text, "efgcelh"));
		mortise_secret_free(&key);
	}
}

/* A NUL within the input does not end it. */
static void test_nul(void **state)
{
	static const char typed[64] =
		"iefgcelhbiduvkjvcjvuncnkvlfchdidjhtuhhdeurkllkegilkjgbrthjkbgkt";
	struct mortise_secret *secret, *key;

	(void)state;
	assert_int_equal(mortise_secret_from(typed, sizeof(typed), &secret, NULL), MORTISE_OK);
	assert_int_equal(keys_recovery_normalize(secret, &key, NULL), MORTISE_E_KEY);
	mortise_secret_free(&secret);
}

#define MADE 64u

static void test_new(void **state)
{
	struct mortise_secret *made[MADE], *again;
	unsigned seen[256] = { 0 };

	(void)state;
	for (size_t n = 0; n < MADE; n++) {
		const uint8_t *key;

		assert_int_equal(keys_recovery_new(&made[n], NULL), MORTISE_OK);
		assert_int_equal(mortise_secret_size(made[n]), MORTISE_RECOVERY_LENGTH);
		assert_int_equal(keys_recovery_normalize(made[n], &again, NULL), MORTISE_OK);
		assert_true(mortise_secret_equal(made[n], again));
		mortise_secret_free(&again);
		for (size_t before = 0; before < n; before++)
			assert_false(mortise_secret_equal(made[n], made[before]));
		key = mortise_secret_data(made[n]);
		for (size_t i = 0; i < MORTISE_RECOVERY_LENGTH; i++)
			seen[key[i]]++;
	}
	/* Expected: 256 each of 16 letters; 170 is more than five standard deviations below. */
	for (const char *letter = "cbdefghijklnrtuv"; *letter; letter++)
		assert_in_range(seen[(unsigned char)*letter], 170, 345);
	assert_int_equal(seen['-'], 7 * MADE);
	for (size_t n = 0; n < MADE; n++)
		mortise_secret_free(&made[n]);
}

#define DRAWS 4000u

/* Pauses are between 50 ms and the ceiling, evenly distributed over the quarters of the range. */
static void test_backoff(void **state)
{
	static const uint32_t ceilings[] = { 500, 1000, 2000, 4000, 8000, 8000, 8000 };

	(void)state;
	for (unsigned attempt = 0; attempt < 7; attempt++) {
		const uint32_t range = ceilings[attempt] - 50;
		unsigned quarters[4] = { 0 };

		for (unsigned i = 0; i < DRAWS; i++) {
			uint32_t pause = keys_backoff_ms(attempt);

			assert_in_range(pause, 50, ceilings[attempt]);
			quarters[(uint64_t)(pause - 50) * 4 / (range + 1)]++;
		}
		for (unsigned i = 0; i < 4; i++)
			assert_in_range(quarters[i], DRAWS / 4 - 180, DRAWS / 4 + 180);
	}
	assert_in_range(keys_backoff_ms(1000000), 50, 8000);
	assert_in_range(keys_backoff_ms(UINT32_MAX), 50, 8000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_vectors), cmocka_unit_test(test_others),
		cmocka_unit_test(test_nul),	cmocka_unit_test(test_new),
		cmocka_unit_test(test_backoff),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
