/* SPDX-License-Identifier: MIT */
/* Recovery keys: 256 random bits in systemd's notation, for storage on paper. */
#include <string.h>

#include "base/error.h"
#include "keys/sources/sources.h"
#include "base/secret.h"

#define BYTES	32u
#define LETTERS (2 * BYTES)
#define GROUP	8u /* letters between dashes */

_Static_assert(LETTERS + LETTERS / GROUP - 1 == MORTISE_RECOVERY_LENGTH, "dashes between groups");

/* Modhex: letter n encodes nibble n. Most keyboard layouts have these letters at the same keys. */
static const char alphabet[16] = "cbdefghijklnrtuv";

/* Returns the position of letter i in a key with dashes. */
static size_t place(size_t i)
{
	return i + i / GROUP;
}

static void put_dashes(uint8_t *key)
{
	for (size_t i = GROUP; i < LETTERS; i += GROUP)
		key[place(i) - 1] = '-';
}

enum mortise_code keys_recovery_new(struct mortise_secret **out, struct mortise_error *err)
{
	struct mortise_secret *random = NULL, *key = NULL;
	enum mortise_code code;

	*out = NULL;
	code = secret_random(BYTES, &random, err);
	if (!code)
		code = mortise_secret_new(MORTISE_RECOVERY_LENGTH, &key, err);
	if (code)
		goto out;
	for (size_t i = 0; i < LETTERS; i++) {
		uint8_t byte = mortise_secret_data(random)[i / 2];

		mortise_secret_writable(key)[place(i)] =
			(uint8_t)alphabet[i % 2 == 0 ? byte >> 4 : byte & 15];
	}
	put_dashes(mortise_secret_writable(key));
	*out = key;
	key = NULL;
out:
	mortise_secret_free(&key);
	mortise_secret_free(&random);
	return code;
}

static bool is_blank(uint8_t byte)
{
	return byte == ' ' || byte == '\t' || byte == '\r' || byte == '\n';
}

/* Converts a modhex letter to lower case. Setting this bit turns no other byte into a letter. */
static bool read_letter(uint8_t byte, uint8_t *letter)
{
	*letter = byte | 0x20;
	return memchr(alphabet, *letter, sizeof(alphabet));
}

static bool read_key(const uint8_t *typed, bool dashes, uint8_t *key)
{
	for (size_t i = 0; i < LETTERS; i++) {
		if (dashes && i > 0 && i % GROUP == 0 && typed[place(i) - 1] != '-')
			return false;
		if (!read_letter(typed[dashes ? place(i) : i], &key[place(i)]))
			return false;
	}
	put_dashes(key);
	return true;
}

enum mortise_code keys_recovery_normalize(const struct mortise_secret *typed,
					  struct mortise_secret **out, struct mortise_error *err)
{
	const uint8_t *bytes = mortise_secret_data(typed);
	size_t size = mortise_secret_size(typed);
	struct mortise_secret *key = NULL;
	enum mortise_code code;

	*out = NULL;
	while (size > 0 && is_blank(bytes[size - 1]))
		size--;
	for (; size > 0 && is_blank(bytes[0]); size--)
		bytes++;
	code = mortise_secret_new(MORTISE_RECOVERY_LENGTH, &key, err);
	if (code)
		return code;
	if ((size == LETTERS || size == MORTISE_RECOVERY_LENGTH) &&
	    read_key(bytes, size == MORTISE_RECOVERY_LENGTH, mortise_secret_writable(key))) {
		*out = key;
		return MORTISE_OK;
	}
	mortise_secret_free(&key);
	return error_set(err, MORTISE_E_KEY, 0,
			 "not a recovery key: a recovery key has %u letters, all of \"%.16s\", in "
			 "groups of %u with a dash between them, or without dashes",
			 LETTERS, alphabet, GROUP);
}
