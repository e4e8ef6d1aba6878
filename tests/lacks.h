/* SPDX-License-Identifier: MIT */
/* What the small crypto library lacks: such rows of a test are skipped, and say so. */
#ifndef TESTS_LACKS_H
#define TESTS_LACKS_H

#include <stdbool.h>
#include <string.h>

/*
 * Is this row to be skipped? has: the library has it. Fails when something is missing that
 * every build must have: OpenSSL all of it; Mbed TLS 2.28 SHA-1, SHA-2, RIPEMD-160 and AES.
 */
static inline bool lacks(const char *name, bool has)
{
	static const char *const optional[] = { "sha3-", "blake2", "sm3", "camellia-", "aria-" };

	if (has)
		return false;
	if (strcmp(MORTISE_CRYPTO, "mbedtls") != 0)
		fail_msg("%s: not in %s", name, MORTISE_CRYPTO);
	for (size_t i = 0; i < sizeof(optional) / sizeof(optional[0]); i++) {
		if (strncmp(name, optional[i], strlen(optional[i])) == 0) {
			print_message("skipped: %s is not in %s\n", name, MORTISE_CRYPTO);
			return true;
		}
	}
	fail_msg("%s: every build must have it", name);
	return false;
}

#endif
