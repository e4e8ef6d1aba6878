/* SPDX-License-Identifier: MIT */
#include "luks2/ciphers.h"

#include <stdio.h>
#include <string.h>

#include "base/error.h"

#define SIZES_MAX 3u

/*
 * What cryptsetup 2.6.1 and installers choose, now or in the past. IVs are unique for each sector
 * below 2 TiB ("plain") or any size ("plain64"). Key sizes are bytes; an XTS key has two halves.
 */
static const struct {
	const char *name;
	uint32_t key_size[SIZES_MAX];
} list[] = {
	{ "aes-xts-plain64", { 64, 32 } },
	{ "aes-xts-plain", { 64, 32 } },
	{ "aes-xts-essiv:sha256", { 64, 32 } },
	{ "aes-cbc-essiv:sha256", { 32, 24, 16 } },
	{ "aes-cbc-plain64", { 32, 24, 16 } },
	{ "aes-cbc-plain", { 32, 24, 16 } }, /* of cryptsetup before 1.0.6 and of "-c aes" */
	{ "serpent-xts-plain64", { 64, 32 } },
	{ "serpent-xts-plain", { 64, 32 } },
	{ "serpent-cbc-essiv:sha256", { 32, 24, 16 } },
	{ "twofish-xts-plain64", { 64, 32 } },
	{ "twofish-xts-plain", { 64, 32 } },
	{ "twofish-cbc-essiv:sha256", { 32, 24, 16 } },
	{ "camellia-xts-plain64", { 64, 32 } },
	{ "camellia-xts-plain", { 64, 32 } },
	{ "camellia-cbc-essiv:sha256", { 32, 24, 16 } },
	{ "sm4-xts-plain64", { 32 } },
	{ "xchacha12,aes-adiantum-plain64", { 32 } },
	{ "xchacha20,aes-adiantum-plain64", { 32 } },
};

bool luks2_cipher_listed(const char *cipher, uint32_t key_size)
{
	for (size_t i = 0; i < sizeof(list) / sizeof(list[0]); i++) {
		if (strcmp(cipher, list[i].name))
			continue;
		if (!key_size)
			return true;
		for (size_t j = 0; j < SIZES_MAX; j++)
			if (key_size == list[i].key_size[j])
				return true;
	}
	return false;
}

bool luks2_cipher_is_null(const char *cipher)
{
	return strstr(cipher, "cipher_null") || !strcmp(cipher, "null") ||
	       !strncmp(cipher, "null-", 5);
}

enum mortise_code luks2_cipher_check(const char *who, const char *cipher, uint32_t key_size,
				     const char *allowed, struct mortise_error *err)
{
	char with[48] = "";

	if (luks2_cipher_listed(cipher, key_size) ||
	    (allowed && !strcmp(cipher, allowed) && !luks2_cipher_is_null(cipher)))
		return MORTISE_OK;
	if (key_size)
		snprintf(with, sizeof(with), " with a key of %llu bits",
			 (unsigned long long)key_size * 8);
	return error_set(err, MORTISE_E_POLICY, 0,
			 "%s: cipher %.60s%s is not on the list of accepted ciphers; to accept it "
			 "by hand, use --allow-cipher %.60s",
			 who, cipher, with, cipher);
}
