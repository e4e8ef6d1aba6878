/* SPDX-License-Identifier: MIT */
/* Rows of a test for features that the crypto library lacks are skipped, with a message. */
#ifndef TESTS_LACKS_H
#define TESTS_LACKS_H

#include <stdbool.h>
#include <string.h>

/*
 * Returns whether to skip a row; "has" tells whether the library has the feature. The test fails if
 * the library must have it: OpenSSL has all of them.
 */
static inline bool lacks(const char *name, bool has)
{
	static const struct {
		const char *library, *start;
	} optional[] = {
		{ "mbedtls", "sha3-" }, { "mbedtls", "blake2" },    { "mbedtls", "sm3" },
		{ "mbedtls", "aria-" }, { "mbedtls", "camellia-" }, { "nettle", "blake2" },
		{ "nettle", "aria-" },	    { "nettle", "whirlpool" },  { "mbedtls", "whirlpool" },
		{ "mbedtls", "sha512-" },
	};

	if (has)
		return false;
	for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
		if (strcmp(MORTISE_CRYPTO, optional[i].library) == 0 &&
		    strncmp(name, optional[i].start, strlen(optional[i].start)) == 0) {
			print_message("skipped: %s is not in %s\n", name, MORTISE_CRYPTO);
			return true;
		}
	}
	fail_msg("%s: not in %s", name, MORTISE_CRYPTO);
	return false;
}

#endif
