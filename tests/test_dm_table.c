/* SPDX-License-Identifier: MIT */
/*
 * dm-crypt table lines, built and parsed, and names in libdevmapper's encoding. The lines and names
 * were printed by Debian's dmsetup 1.02.185 on a 6.1 kernel for volumes opened by Debian's
 * cryptsetup 2.6.1; the volume key is byte i = 7 * i + 1.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "dm/control.h"
#include "dm/crypt_table.h"

#define KEY_HEX                                                            \
	"01080f161d242b323940474e555c636a71787f868d949ba2a9b0b7bec5ccd3da" \
	"e1e8eff6fd040b121920272e353c434a51585f666d747b828990979ea5acb3ba"
#define KEY_NAME "cryptsetup:12345678-90ab-cdef-1234-567890abcdef-d0"

#define OFFSET	 (32768u * 512u)

struct line {
	const char *text;
	const char *cipher;
	uint32_t key_size;
	bool keyring;
	uint32_t flags;
	uint32_t sector_size;
	uint64_t offset;
	const char *integrity;
	unsigned disk; /* major number of the device; the minor number is 0 */
};

static const struct line lines[] = {
	{ "aes-xts-plain64 :64:logon:" KEY_NAME " 0 98:0 32768", "aes-xts-plain64", 64, true, 0,
	  512, OFFSET, NULL, 98 },
	{ "aes-xts-plain64 " KEY_HEX " 0 98:0 32768", "aes-xts-plain64", 64, false, 0, 512, OFFSET,
	  NULL, 98 },
	{ "aes-xts-plain64 :64:logon:" KEY_NAME " 0 98:0 32768 5 allow_discards same_cpu_crypt "
	  "submit_from_crypt_cpus no_read_workqueue no_write_workqueue",
	  "aes-xts-plain64", 64, true, 31, 512, OFFSET, NULL, 98 },
	{ "aes-xts-plain64 :64:logon:" KEY_NAME " 0 98:0 32768 1 sector_size:4096",
	  "aes-xts-plain64", 64, true, 0, 4096, OFFSET, NULL, 98 },
	{ "aes-xts-plain64 " KEY_HEX " 0 98:0 32768 2 no_read_workqueue sector_size:4096",
	  "aes-xts-plain64", 64, false, DM_CRYPT_NO_READ_WORKQUEUE, 4096, OFFSET, NULL, 98 },
	{ "xchacha12,aes-adiantum-plain64 :32:logon:" KEY_NAME " 0 98:0 32768",
	  "xchacha12,aes-adiantum-plain64", 32, true, 0, 512, OFFSET, NULL, 98 },
	{ "capi:authenc(hmac(sha256),xts(aes))-random :96:logon:" KEY_NAME " 0 254:0 0 "
	  "2 sector_size:4096 integrity:48:aead",
	  "capi:authenc(hmac(sha256),xts(aes))-random", 96, true, 0, 4096, 0, "48:aead", 254 },
	{ "cipher_null-ecb - 0 98:0 0", "cipher_null-ecb", 0, false, 0, 512, 0, NULL, 98 },
};
#define LINES (sizeof(lines) / sizeof(lines[0]))

static struct mortise_secret *make_key(size_t size)
{
	struct mortise_secret *key;
	size_t i;

	assert_int_equal(mortise_secret_new(size, &key, NULL), MORTISE_OK);
	for (i = 0; i < size; i++)
		mortise_secret_writable(key)[i] = (uint8_t)(7 * i + 1);
	return key;
}

static struct dm_crypt_target make_target(const struct line *line, struct mortise_secret *key)
{
	return (struct dm_crypt_target){
		.cipher = line->cipher,
		.key = key,
		.key_description = KEY_NAME,
		.device = "/dev/ubda",
		.device_offset = line->offset,
		.size = 98304u * 512u,
		.sector_size = line->sector_size,
		.flags = line->flags,
		.integrity = line->integrity,
	};
}

static void build_lines(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < LINES; i++) {
		struct mortise_secret *key = make_key(lines[i].key_size);
		struct dm_crypt_target target = make_target(&lines[i], key);
		struct mortise_secret *params = NULL;
		struct mortise_error err;

		assert_int_equal(dm_crypt_target_check(&target, &err), MORTISE_OK);
		assert_int_equal(dm_crypt_params_build(&target, makedev(lines[i].disk, 0),
						       lines[i].keyring, &params, &err),
				 MORTISE_OK);
		assert_string_equal((char *)mortise_secret_writable(params), lines[i].text);
		assert_int_equal(mortise_secret_size(params), strlen(lines[i].text) + 1);
		mortise_secret_free(&params);
		mortise_secret_free(&key);
	}
}

static void parse_lines(void **state)
{
	size_t i;

	(void)state;
	for (i = 0; i < LINES; i++) {
		const struct line *line = &lines[i];
		struct mortise_secret *key = make_key(line->key_size);
		struct dm_crypt_table table;
		struct mortise_error err;

		assert_int_equal(
			dm_crypt_params_parse(line->text, strlen(line->text), &table, &err),
			MORTISE_OK);
		assert_string_equal(table.cipher, line->cipher);
		assert_int_equal(table.key_size, line->key_size);
		assert_int_equal(table.key_in_keyring, line->keyring);
		assert_string_equal(table.key_description, line->keyring ? KEY_NAME : "");
		assert_int_equal(table.flags, line->flags);
		assert_int_equal(table.sector_size, line->sector_size);
		assert_int_equal(table.device_offset, line->offset);
		assert_int_equal(table.device, makedev(line->disk, 0));
		assert_string_equal(table.integrity, line->integrity ? line->integrity : "");
		if (!line->keyring && line->key_size)
			assert_true(mortise_secret_equal(table.key, key));
		else
			assert_null(table.key);
		dm_crypt_table_clear(&table);
		mortise_secret_free(&key);
	}
}

/* Lines that other tools load and newer kernels print. */
static void parse_other_shapes(void **state)
{
	struct dm_crypt_table table;
	const char *text;

	(void)state;
	text = "aes-cbc-essiv:sha256 :32:user:my key 7 8:17 4096";
	assert_int_equal(dm_crypt_params_parse(text, strlen(text), &table, NULL),
			 MORTISE_E_UNSUPPORTED);
	text = "aes-cbc-essiv:sha256 :32:user:mykey 18446744073709551615 8:17 4096";
	assert_int_equal(dm_crypt_params_parse(text, strlen(text), &table, NULL), MORTISE_OK);
	assert_string_equal(table.key_description, "user:mykey");
	assert_true(table.iv_offset == UINT64_MAX);
	assert_int_equal(table.device, makedev(8, 17));
	dm_crypt_table_clear(&table);
	text = "aes-xts-plain64 AABBccdd 0 8:17 0 3 high_priority integrity_key_size:32 "
	       "iv_large_sectors";
	assert_int_equal(dm_crypt_params_parse(text, strlen(text), &table, NULL), MORTISE_OK);
	assert_int_equal(table.flags, DM_CRYPT_IV_LARGE_SECTORS);
	assert_int_equal(table.integrity_key_size, 32);
	assert_memory_equal(mortise_secret_data(table.key), "\xaa\xbb\xcc\xdd", 4);
	dm_crypt_table_clear(&table);
}

static void parse_refuses(void **state)
{
	static const char *const bad[] = {
		"",
		" ",
		"aes",
		"aes-xts-plain64",
		"aes-xts-plain64 00",
		"aes-xts-plain64 00 0",
		"aes-xts-plain64 00 0 8:0",
		"aes-xts-plain64 00 x 8:0 0",
		"aes-xts-plain64 00 -1 8:0 0",
		"aes-xts-plain64 00 18446744073709551616 8:0 0",
		"aes-xts-plain64 00 0 80 0",
		"aes-xts-plain64 00 0 :0 0",
		"aes-xts-plain64 00 0 8: 0",
		"aes-xts-plain64 00 0 8:0:0 0",
		"aes-xts-plain64 00 0 8:0 36028797018963968",
		"aes-xts-plain64 0 0 8:0 0",
		"aes-xts-plain64 0g 0 8:0 0",
		"aes-xts-plain64 /: 0 8:0 0",
		"aes-xts-plain64 : 0 8:0 0",
		"aes-xts-plain64 :: 0 8:0 0",
		"aes-xts-plain64 :9999:logon:a:b 0 8:0 0",
		"aes-xts-plain64 00 0 8:0 0 1",
		"aes-xts-plain64 00 0 8:0 0 1 unheard_of",
		"aes-xts-plain64 00 0 8:0 0 1 allow_discards same_cpu_crypt",
		"aes-xts-plain64 00 0 8:0 0 x allow_discards",
		"aes-xts-plain64 00 0 8:0 0 1 sector_size:513",
		"aes-xts-plain64 00 0 8:0 0 1 sector_size:8192",
		"aes-xts-plain64 00 0 8:0 0 1 sector_size:",
		"aes-xts-plain64 00 0 8:0 0 99999999999 allow_discards",
		"aes-xts-plain64 // 0 8:0 0",
		"aes-xts-plain64 @G 0 8:0 0",
		"aes-xts-plain64 \x80\xff 0 8:0 0",
	};
	struct dm_crypt_table table;
	struct mortise_error err;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		/* Without a NUL, so that sanitizers detect reads beyond the end. */
		size_t length = strlen(bad[i]);
		char *text = malloc(length ? length : 1);

		assert_non_null(text);
		memcpy(text, bad[i], length);
		memset(&err, 0, sizeof(err));
		if (dm_crypt_params_parse(text, length, &table, &err) != MORTISE_E_UNSUPPORTED)
			fail_msg("accepted: \"%s\"", bad[i]);
		assert_int_equal(err.code, MORTISE_E_UNSUPPORTED);
		assert_null(table.key);
		free(text);
	}
}

static void parse_longest_words(void **state)
{
	static const struct {
		const char *before, *after;
		size_t max;
	} words[] = {
		{ "", " 00 0 8:0 0", MORTISE_CIPHER_MAX },
		{ "aes :4:logon:", " 0 8:0 0", 255 },
		{ "aes 00 0 8:0 0 1 integrity:", "", 63 },
	};
	struct dm_crypt_table table;
	char text[400];
	size_t i, more;

	(void)state;
	for (i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		for (more = 0; more < 2; more++) {
			size_t at = strlen(words[i].before), size = words[i].max + more;

			memcpy(text, words[i].before, at);
			memset(text + at, 'x', size);
			strcpy(text + at + size, words[i].after);
			assert_int_equal(dm_crypt_params_parse(text, strlen(text), &table, NULL),
					 more ? MORTISE_E_UNSUPPORTED : MORTISE_OK);
			dm_crypt_table_clear(&table);
		}
	}
}

/* Every prefix of every line is rejected, or parsed without undefined values. */
static void parse_beginnings(void **state)
{
	size_t i, length;

	(void)state;
	for (i = 0; i < LINES; i++) {
		for (length = 0; length < strlen(lines[i].text); length++) {
			char *text = malloc(length ? length : 1);
			struct dm_crypt_table table;

			assert_non_null(text);
			memcpy(text, lines[i].text, length);
			if (!dm_crypt_params_parse(text, length, &table, NULL))
				dm_crypt_table_clear(&table);
			free(text);
		}
	}
}

static void bad_key_not_in_errors(void **state)
{
	static const char text[] = "aes-xts-plain64 0011223344556677zz 0 8:0 0";
	struct dm_crypt_table table;
	struct mortise_error err;

	(void)state;
	assert_int_equal(dm_crypt_params_parse(text, strlen(text), &table, &err),
			 MORTISE_E_UNSUPPORTED);
	assert_null(strstr(err.text, "00112233"));
}

static void check_refuses(void **state)
{
	struct mortise_secret *key = make_key(64);
	struct mortise_secret *none = make_key(0);
	const struct dm_crypt_target good = make_target(&lines[3], key);
	struct dm_crypt_target bad[16];
	struct mortise_error err;
	size_t count = 0, i;

	(void)state;
	assert_int_equal(dm_crypt_target_check(&good, &err), MORTISE_OK);
	for (i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		bad[i] = good;
	bad[count++].cipher = "aes xts";
	bad[count++].cipher = "";
	bad[count++].cipher = "aes\\-xts";
	bad[count++].key = none;
	bad[count++].key = NULL;
	bad[count++].key_description = "nocolon";
	bad[count++].key_description = "two words:x";
	bad[count++].device = "";
	bad[count++].device_offset = 100;
	bad[count++].size = 0;
	bad[count++].size = 4096 + 512;
	bad[count++].sector_size = 256;
	bad[count++].sector_size = 8192;
	bad[count++].sector_size = 1536;
	bad[count++].sector_size = 0;
	bad[count++].iv_offset = 4;
	for (i = 0; i < count; i++)
		if (dm_crypt_target_check(&bad[i], &err) != MORTISE_E_USAGE)
			fail_msg("target %zu was accepted", i);
	mortise_secret_free(&none);
	mortise_secret_free(&key);
}

static void names(void **state)
{
	static const char *const pairs[][2] = {
		{ "luks-STATE", "luks-STATE" }, { "a b", "a\\x20b" },	    { "x\"y", "x\\x22y" },
		{ "tab\tz", "tab\\x09z" },	{ "\\x20", "\\x20" },	    { "a\\b", "a\\x5cb" },
		{ "\xc3\xa9", "\\xc3\\xa9" },	{ "#+-.:=@_", "#+-.:=@_" },
	};
	char encoded[DM_NAME_LEN], decoded[DM_NAME_LEN], again[DM_NAME_LEN];
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(pairs) / sizeof(pairs[0]); i++) {
		assert_int_equal(dm_name_encode(pairs[i][0], encoded, NULL), MORTISE_OK);
		assert_string_equal(encoded, pairs[i][1]);
		dm_name_decode(encoded, decoded);
		assert_int_equal(dm_name_encode(decoded, again, NULL), MORTISE_OK);
		assert_string_equal(again, encoded);
	}
	dm_name_decode("a\\x20b", decoded);
	assert_string_equal(decoded, "a b");
	/* Names with characters that must be encoded. */
	dm_name_decode("a\\x2fb\\x20c", decoded);
	assert_string_equal(decoded, "a\\x2fb\\x20c");
	dm_name_decode("a\\x00b", decoded);
	assert_string_equal(decoded, "a\\x00b");
	dm_name_decode("a\\x00b\\x20", decoded);
	assert_string_equal(decoded, "a\\x00b\\x20");
	dm_name_decode("a\\x2", decoded);
	assert_string_equal(decoded, "a\\x2");
}

static void names_refused(void **state)
{
	char encoded[DM_NAME_LEN], name[MORTISE_NAME_MAX + 2];
	struct mortise_error err;

	(void)state;
	memset(name, 'n', sizeof(name));
	name[MORTISE_NAME_MAX] = '\0';
	assert_int_equal(dm_name_encode(name, encoded, &err), MORTISE_OK);
	assert_string_equal(encoded, name);
	name[MORTISE_NAME_MAX] = 'n';
	name[MORTISE_NAME_MAX + 1] = '\0';
	assert_int_equal(dm_name_encode(name, encoded, &err), MORTISE_E_USAGE);
	assert_non_null(strstr(err.text, "\" too long."));
	/* 32 blanks take 128 bytes when encoded. */
	memset(name, ' ', 32);
	name[32] = '\0';
	assert_int_equal(dm_name_encode(name, encoded, &err), MORTISE_E_USAGE);
	name[31] = '\0';
	assert_int_equal(dm_name_encode(name, encoded, &err), MORTISE_OK);
	assert_int_equal(strlen(encoded), 124);
	assert_int_equal(dm_name_encode("a/b", encoded, &err), MORTISE_E_USAGE);
	assert_string_equal(err.text, "Name \"a/b\" invalid. It contains \"/\".");
	assert_int_equal(dm_name_encode("", encoded, &err), MORTISE_E_USAGE);
	assert_int_equal(dm_name_encode("control", encoded, &err), MORTISE_E_USAGE);
	assert_int_equal(dm_name_encode("..", encoded, &err), MORTISE_E_USAGE);
	assert_int_equal(dm_name_encode("a\\x20 b", encoded, &err), MORTISE_E_USAGE);
	assert_int_equal(dm_name_encode("a\\x5cx20", encoded, &err), MORTISE_E_USAGE);
}

static void uuids(void **state)
{
	static const char start[] = "CRYPT-LUKS2-1234567890abcdef1234567890abcdef-";
	char uuid[256], encoded[DM_UUID_LEN];

	(void)state;
	snprintf(uuid, sizeof(uuid), "%sa b", start);
	dm_uuid_encode(uuid, encoded);
	assert_string_equal(encoded, "CRYPT-LUKS2-1234567890abcdef1234567890abcdef-a\\x20b");
	snprintf(uuid, sizeof(uuid), "%s", start);
	memset(uuid + strlen(start), 'n', 127);
	uuid[strlen(start) + 127] = '\0';
	dm_uuid_encode(uuid, encoded);
	assert_int_equal(strlen(encoded), DM_UUID_MAX);
	assert_memory_equal(encoded, uuid, DM_UUID_MAX);
	/* An escape sequence is not split. */
	memset(uuid + strlen(start), ' ', 127);
	dm_uuid_encode(uuid, encoded);
	assert_int_equal(strlen(encoded), strlen(start) + 80);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(build_lines),
		cmocka_unit_test(parse_lines),
		cmocka_unit_test(parse_other_shapes),
		cmocka_unit_test(parse_refuses),
		cmocka_unit_test(parse_longest_words),
		cmocka_unit_test(parse_beginnings),
		cmocka_unit_test(bad_key_not_in_errors),
		cmocka_unit_test(check_refuses),
		cmocka_unit_test(names),
		cmocka_unit_test(names_refused),
		cmocka_unit_test(uuids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
