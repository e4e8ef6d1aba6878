/* SPDX-License-Identifier: MIT */
/* dm-crypt's table line (Documentation/admin-guide/device-mapper/dm-crypt.rst). */
#include "dm/crypt_table.h"
#include "base/error.h"
#include "base/secret.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#define TEXT_ROOM	1024u /* bytes of a line without its key: cipher, four numbers, options */
#define SECTOR_SIZE_MAX 4096u

/* In cryptsetup's order. */
static const struct {
	uint32_t flag;
	const char *word;
} options[] = {
	{ DM_CRYPT_ALLOW_DISCARDS, "allow_discards" },
	{ DM_CRYPT_SAME_CPU_CRYPT, "same_cpu_crypt" },
	{ DM_CRYPT_SUBMIT_FROM_CRYPT_CPUS, "submit_from_crypt_cpus" },
	{ DM_CRYPT_NO_READ_WORKQUEUE, "no_read_workqueue" },
	{ DM_CRYPT_NO_WRITE_WORKQUEUE, "no_write_workqueue" },
	{ DM_CRYPT_IV_LARGE_SECTORS, "iv_large_sectors" },
};
#define OPTIONS (sizeof(options) / sizeof(options[0]))

/* True for printable ASCII without blanks and backslashes, which device-mapper interprets. */
static bool is_word(const char *text, size_t max)
{
	size_t i;

	for (i = 0; text[i]; i++)
		if (i == max || text[i] <= ' ' || text[i] > '~' || text[i] == '\\')
			return false;
	return i > 0;
}

bool dm_crypt_cipher_null(const char *cipher)
{
	return strstr(cipher, "cipher_null") || !strcmp(cipher, "null");
}

enum mortise_code dm_crypt_target_check(const struct dm_crypt_target *target,
					struct mortise_error *err)
{
	size_t key_size = target->key ? mortise_secret_size(target->key) : 0;
	uint32_t sector = target->sector_size;

	if (!target->device || !*target->device)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "cannot create a mapping without a device");
	if (!target->cipher || !is_word(target->cipher, MORTISE_CIPHER_MAX))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "invalid cipher name; use one like aes-xts-plain64, with at "
				 "most %u bytes",
				 MORTISE_CIPHER_MAX);
	if (key_size > DM_KEY_MAX || (!key_size && !dm_crypt_cipher_null(target->cipher)))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "a key of %zu bytes does not fit cipher %s; use 1 to %u bytes",
				 key_size, target->cipher, DM_KEY_MAX);
	/* A logon key needs a prefix with a colon (man 7 keyrings). */
	if (target->key_description &&
	    (!is_word(target->key_description, 255) || !strchr(target->key_description, ':')))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "invalid description of the kernel key; use one like "
				 "cryptsetup:UUID-d0, with at most 255 bytes");
	if (sector < DM_SECTOR || sector > SECTOR_SIZE_MAX || (sector & (sector - 1)))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "invalid encryption sector size %" PRIu32 "; use 512, 1024, 2048 "
				 "or 4096",
				 sector);
	if (target->device_offset % DM_SECTOR)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "data offset %" PRIu64 " on %s is not a multiple of %u bytes",
				 target->device_offset, target->device, DM_SECTOR);
	if (!target->size || target->size % sector)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Device size is not aligned to requested sector size. The data on "
				 "%s has %" PRIu64 " bytes, which is not a multiple of %" PRIu32
				 ".",
				 target->device, target->size, sector);
	/* crypt_ctr: "Invalid iv_offset sector" */
	if (target->iv_offset % (sector / DM_SECTOR))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "IV offset %" PRIu64 " (in units of 512 bytes) does not fit "
				 "sectors of %" PRIu32 " bytes; use a multiple of %" PRIu32,
				 target->iv_offset, sector, sector / DM_SECTOR);
	return MORTISE_OK;
}

enum mortise_code dm_crypt_targets_check(const struct dm_crypt_target *target,
					 struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	unsigned count = 0;

	for (; !code && target; target = target->next)
		if (++count > DM_TARGETS_MAX)
			code = error_set(err, MORTISE_E_UNSUPPORTED, 0,
					 "a mapping cannot have more than %u parts",
					 DM_TARGETS_MAX);
		else if (target->cipher)
			code = dm_crypt_target_check(target, err);
	return code;
}

/* No look-up table: the key must not select which cache lines are read. */
static char hex_digit(unsigned nibble)
{
	return (char)('0' + nibble + (((9u - nibble) >> 8) & ('a' - '0' - 10)));
}

size_t dm_crypt_put_key(char *out, const struct dm_crypt_target *target, bool keyring)
{
	const uint8_t *key;
	size_t size, i;

	if (dm_crypt_cipher_null(target->cipher)) {
		*out = '-';
		return 1;
	}
	key = mortise_secret_data(target->key);
	size = mortise_secret_size(target->key);
	if (keyring)
		return (size_t)sprintf(out, ":%zu:logon:%s", size, target->key_description);
	for (i = 0; i < size; i++) {
		out[2 * i] = hex_digit(key[i] >> 4);
		out[2 * i + 1] = hex_digit(key[i] & 15u);
	}
	return 2 * size;
}

static size_t put_options(char *out, const struct dm_crypt_target *target)
{
	bool sectors = target->sector_size != DM_SECTOR;
	unsigned count =
		(unsigned)sectors + (target->integrity != NULL) + (target->integrity_key_size != 0);
	size_t used, i;

	for (i = 0; i < OPTIONS; i++)
		count += (target->flags & options[i].flag) != 0;
	if (!count)
		return 0;
	used = (size_t)sprintf(out, " %u", count);
	for (i = 0; i < OPTIONS; i++)
		if (target->flags & options[i].flag)
			used += (size_t)sprintf(out + used, " %s", options[i].word);
	if (sectors)
		used += (size_t)sprintf(out + used, " sector_size:%" PRIu32, target->sector_size);
	if (target->integrity)
		used += (size_t)sprintf(out + used, " integrity:%.20s", target->integrity);
	if (target->integrity_key_size)
		used += (size_t)sprintf(out + used, " integrity_key_size:%" PRIu32,
					target->integrity_key_size);
	return used;
}

enum mortise_code dm_crypt_params_build(const struct dm_crypt_target *target, dev_t device,
					bool keyring, struct mortise_secret **params,
					struct mortise_error *err)
{
	/* Enough after dm_crypt_target_check(): cipher 128, description 255, options 210. */
	size_t room = TEXT_ROOM + 2 * DM_KEY_MAX;
	enum mortise_code code;
	size_t used;
	char *out;

	code = mortise_secret_new(room, params, err);
	if (code)
		return code;
	out = (char *)mortise_secret_writable(*params);
	used = (size_t)sprintf(out, "%s ", target->cipher);
	used += dm_crypt_put_key(out + used, target, keyring);
	/*
	 * By number: this is the device that was checked, even if its path has changed, and a path
	 * can contain blanks.
	 */
	used += (size_t)sprintf(out + used, " %" PRIu64 " %u:%u %" PRIu64, target->iv_offset,
				major(device), minor(device), target->device_offset / DM_SECTOR);
	used += put_options(out + used, target);
	mortise_secret_truncate(*params, used + 1);
	return MORTISE_OK;
}

/* The rest of the line. */
struct words {
	const char *at;
	size_t left;
};

/* Returns the next word, not NUL-terminated. False at the end. */
static bool next_word(struct words *words, const char **word, size_t *size)
{
	size_t i = 0;

	while (words->left && *words->at == ' ') {
		words->at++;
		words->left--;
	}
	while (i < words->left && words->at[i] && words->at[i] != ' ')
		i++;
	*word = words->at;
	*size = i;
	words->at += i;
	words->left -= i;
	return i > 0;
}

static bool is_equal(const char *word, size_t size, const char *text)
{
	return size == strlen(text) && !memcmp(word, text, size);
}

/* Decimal digits only, at most max. */
static bool parse_number(const char *word, size_t size, uint64_t max, uint64_t *value)
{
	size_t i;

	*value = 0;
	for (i = 0; i < size; i++) {
		unsigned digit = (unsigned)(unsigned char)word[i] - '0';

		if (digit > 9 || *value > (max - digit) / 10)
			return false;
		*value = *value * 10 + digit;
	}
	return size > 0;
}

static bool next_number(struct words *words, uint64_t max, uint64_t *value)
{
	const char *word;
	size_t size;

	return next_word(words, &word, &size) && parse_number(word, size, max, value);
}

static bool copy_word(char *out, size_t room, const char *word, size_t size)
{
	if (size >= room)
		return false;
	memcpy(out, word, size);
	out[size] = '\0';
	return true;
}

/* Branch-free for the same reason as hex_digit(). *bad: not a hexadecimal digit. */
static unsigned nibble(char c, unsigned *bad)
{
	unsigned u = (unsigned char)c;
	unsigned digit = u - '0';
	unsigned letter = (u | 0x20u) - 'a';
	unsigned is_digit = 0u - (((digit - 10u) & ~digit) >> 31);
	unsigned is_letter = 0u - (((letter - 6u) & ~letter) >> 31);

	*bad |= ~(is_digit | is_letter);
	return (digit & is_digit) | ((letter + 10u) & is_letter);
}

/* ":64:logon:cryptsetup:..." */
static bool parse_keyring_key(const char *word, size_t size, struct dm_crypt_table *table)
{
	static const char logon[] = "logon:";
	const char *end = word + size;
	const char *colon;
	uint64_t value;

	word++;
	colon = memchr(word, ':', (size_t)(end - word));
	if (!colon || !parse_number(word, (size_t)(colon - word), DM_KEY_MAX, &value))
		return false;
	word = colon + 1;
	/* The type "logon" is omitted. Any other stays in the description. */
	if ((size_t)(end - word) >= strlen(logon) && !memcmp(word, logon, strlen(logon)))
		word += strlen(logon);
	table->key_size = (uint32_t)value;
	table->key_in_keyring = true;
	return copy_word(table->key_description, sizeof(table->key_description), word,
			 (size_t)(end - word));
}

static enum mortise_code parse_key(const char *word, size_t size, struct dm_crypt_table *table,
				   struct mortise_error *err)
{
	enum mortise_code code;
	unsigned bad = 0;
	uint8_t *key;
	size_t i;

	if (is_equal(word, size, "-"))
		return MORTISE_OK;
	if (*word == ':' && parse_keyring_key(word, size, table))
		return MORTISE_OK;
	if (*word == ':' || size % 2 || size / 2 > DM_KEY_MAX)
		goto bad;
	code = mortise_secret_new(size / 2, &table->key, err);
	if (code)
		return code;
	key = mortise_secret_writable(table->key);
	for (i = 0; i < size / 2; i++)
		key[i] = (uint8_t)(nibble(word[2 * i], &bad) << 4 | nibble(word[2 * i + 1], &bad));
	table->key_size = (uint32_t)(size / 2);
	if (!bad)
		return MORTISE_OK;
bad:
	/* Without the word, which may be a key. */
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "the key in the dm-crypt table has an unknown format");
}

static bool parse_option(const char *word, size_t size, struct dm_crypt_table *table)
{
	static const char sectors[] = "sector_size:";
	static const char integrity[] = "integrity:";
	static const char tag_key[] = "integrity_key_size:";
	uint64_t value;
	size_t i;

	for (i = 0; i < OPTIONS; i++) {
		if (is_equal(word, size, options[i].word)) {
			table->flags |= options[i].flag;
			return true;
		}
	}
	if (size > strlen(sectors) && !memcmp(word, sectors, strlen(sectors))) {
		bool valid = parse_number(word + strlen(sectors), size - strlen(sectors),
					  SECTOR_SIZE_MAX, &value);

		table->sector_size = (uint32_t)value;
		return valid && value >= DM_SECTOR && !(value & (value - 1));
	}
	if (size > strlen(integrity) && !memcmp(word, integrity, strlen(integrity)))
		return copy_word(table->integrity, sizeof(table->integrity),
				 word + strlen(integrity), size - strlen(integrity));
	if (size > strlen(tag_key) && !memcmp(word, tag_key, strlen(tag_key))) {
		bool valid = parse_number(word + strlen(tag_key), size - strlen(tag_key),
					  DM_KEY_MAX, &value);

		table->integrity_key_size = (uint32_t)value;
		return valid;
	}
	/* An option of Linux 6.11 that struct dm_crypt_table has no member for. */
	return is_equal(word, size, "high_priority");
}

static enum mortise_code parse_options(struct words *words, struct dm_crypt_table *table,
				       struct mortise_error *err)
{
	uint64_t count, i;
	const char *word;
	size_t size;

	if (!next_word(words, &word, &size))
		return MORTISE_OK;
	if (!parse_number(word, size, 64, &count))
		goto bad;
	for (i = 0; i < count; i++)
		if (!next_word(words, &word, &size) || !parse_option(word, size, table))
			goto bad;
	if (!next_word(words, &word, &size))
		return MORTISE_OK;
bad:
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "the dm-crypt table has the unknown option \"%.*s\"",
			 (int)(size < 64 ? size : 64), word);
}

enum mortise_code dm_crypt_params_parse(const char *params, size_t length,
					struct dm_crypt_table *table, struct mortise_error *err)
{
	struct words words = { params, length };
	uint64_t above, below, offset;
	enum mortise_code code;
	const char *word, *colon;
	size_t size;

	memset(table, 0, sizeof(*table));
	table->sector_size = DM_SECTOR;
	if (!next_word(&words, &word, &size) ||
	    !copy_word(table->cipher, sizeof(table->cipher), word, size) ||
	    !next_word(&words, &word, &size))
		goto bad;
	code = parse_key(word, size, table, err);
	if (code)
		goto out;
	if (!next_number(&words, UINT64_MAX, &table->iv_offset) || !next_word(&words, &word, &size))
		goto bad;
	colon = memchr(word, ':', size);
	if (!colon || !parse_number(word, (size_t)(colon - word), UINT32_MAX, &above) ||
	    !parse_number(colon + 1, size - (size_t)(colon - word) - 1, UINT32_MAX, &below))
		goto bad;
	table->device = makedev((unsigned)above, (unsigned)below);
	if (!next_number(&words, UINT64_MAX / DM_SECTOR, &offset))
		goto bad;
	table->device_offset = offset * DM_SECTOR;
	code = parse_options(&words, table, err);
	goto out;
bad:
	code = error_set(err, MORTISE_E_UNSUPPORTED, 0, "the dm-crypt table has an unknown format");
out:
	if (code)
		dm_crypt_table_clear(table);
	return code;
}

void dm_crypt_table_clear(struct dm_crypt_table *table)
{
	mortise_secret_free(&table->key);
	secret_wipe(table, sizeof(*table));
}
