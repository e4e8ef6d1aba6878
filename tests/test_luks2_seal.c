/* SPDX-License-Identifier: MIT */
/* The seal of a header: when it is made, and which changes it shows. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "luks2/canonical.h"
#include "luks2/metadata.h"
#include "luks2/private.h"
#include "luks2/seal.h"

#define PASSPHRASE "passphrase"

static char path[] = "/tmp/seal.XXXXXX";

static struct mortise_secret *secret(const char *text)
{
	struct mortise_secret *made = NULL;

	assert_int_equal(mortise_secret_from(text, strlen(text), &made, NULL), MORTISE_OK);
	return made;
}

static void add_keyslot(struct mortise_luks2 *header)
{
	const struct mortise_kdf_choice cost = {
		.struct_size = sizeof(cost),
		.type = MORTISE_KDF_PBKDF2,
		.forced_time = 1000,
	};
	const struct mortise_keyslot_new what = {
		.struct_size = sizeof(what),
		.keyslot = MORTISE_ANY,
		.kdf = &cost,
	};
	struct mortise_secret *passphrase = secret(PASSPHRASE);

	assert_int_equal(mortise_keyslot_add(header, &what, passphrase, NULL, NULL, NULL),
			 MORTISE_OK);
	mortise_secret_free(&passphrase);
}

static int make(void **state)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = path,
						   .no_locks = true };
	const struct mortise_format format = { .struct_size = sizeof(format) };
	struct mortise_luks2 *header = NULL;
	int fd;

	memcpy(path + sizeof(path) - 7, "XXXXXX", 6);
	fd = mkstemp(path);
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 20 << 20), 0);
	close(fd);
	assert_int_equal(mortise_luks2_format(&location, &format, &header, NULL), MORTISE_OK);
	add_keyslot(header);
	mortise_luks2_free(&header);
	(void)state;
	return 0;
}

static int drop(void **state)
{
	(void)state;
	return unlink(path);
}

static struct mortise_luks2 *load(bool open)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = path,
						   .no_locks = true };
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = MORTISE_ANY };
	struct mortise_secret *passphrase = secret(PASSPHRASE);
	struct mortise_luks2 *header = NULL;

	assert_int_equal(mortise_luks2_load(&location, &header, NULL), MORTISE_OK);
	if (open)
		assert_int_equal(
			mortise_keyslot_open(header, &search, passphrase, NULL, NULL, NULL),
			MORTISE_OK);
	mortise_secret_free(&passphrase);
	return header;
}

static struct mortise_seal_info check(bool open)
{
	struct mortise_seal_info info = { .struct_size = sizeof(info) };
	struct mortise_luks2 *header = load(open);

	assert_int_equal(mortise_seal_check(header, &info, NULL), MORTISE_OK);
	mortise_luks2_free(&header);
	return info;
}

/* Changes the metadata on the disk as a program without the volume key does. */
static void change(void (*edit)(struct json_object *metadata))
{
	struct mortise_luks2 *header = load(false);
	struct luks2_update *update = NULL;

	assert_int_equal(luks2_update_begin(header, &update, NULL), MORTISE_OK);
	edit(luks2_update_metadata(update));
	assert_int_equal(luks2_update_commit(&update, NULL), MORTISE_OK);
	mortise_luks2_free(&header);
}

static void add_token(struct json_object *metadata)
{
	assert_true(luks2_json_add_id(luks2_tokens(metadata), 3,
				      json_tokener_parse("{\"type\":\"x\",\"keyslots\":[]}")));
}

static void set_flag(struct json_object *metadata)
{
	struct json_object *flags = json_tokener_parse("[\"allow-discards\"]");

	assert_true(luks2_config_set_flags(metadata, flags));
}

static void set_sector(struct json_object *metadata)
{
	struct json_object *segment =
		luks2_json_get_id(luks2_json_get(metadata, "segments", json_type_object), 0);

	assert_true(luks2_json_add(segment, "iv_tweak", luks2_json_new_decimal(8)));
}

static void set_priority(struct json_object *metadata)
{
	struct json_object *keyslot =
		luks2_json_get_id(luks2_json_get(metadata, "keyslots", json_type_object), 0);

	assert_true(luks2_json_add(keyslot, "priority", json_object_new_int(2)));
}

static void set_mark(struct json_object *metadata)
{
	assert_true(luks2_json_add(luks2_record(metadata), "mkfs", json_object_new_string("xfs")));
}

static void raise_epoch(struct json_object *metadata)
{
	assert_true(luks2_json_add(luks2_record(metadata), "epoch", luks2_json_new_decimal(9)));
}

static void set_volume(struct json_object *metadata)
{
	assert_true(luks2_json_add(luks2_record(metadata), "volume", json_object_new_string("b")));
}

static void add_section(struct json_object *metadata)
{
	assert_true(luks2_json_add(metadata, "unknown", json_object_new_object()));
}

static void spoil_seal(struct json_object *metadata)
{
	struct json_object *seal = luks2_json_get(luks2_record(metadata), "seal", json_type_object);

	assert_true(luks2_json_add(seal, "all", json_object_new_string("AAAA")));
}

static void remove_seal(struct json_object *metadata)
{
	json_object_object_del(luks2_record(metadata), "seal");
}

static void test_states(void **state)
{
	struct mortise_seal_info info = check(false);

	(void)state;
	assert_int_equal(info.state, MORTISE_SEAL_UNVERIFIED);
	info = check(true);
	assert_int_equal(info.state, MORTISE_SEAL_VALID);
	assert_int_equal(info.epoch, 1);
	assert_string_equal(info.volume, "");
	assert_string_equal(info.changed, "");
	change(remove_seal);
	assert_int_equal(check(true).state, MORTISE_SEAL_NONE);
}

static void test_changes(void **state)
{
	static const struct {
		void (*edit)(struct json_object *metadata);
		const char *changed;
	} cases[] = {
		{ add_token, "tokens" },      { set_flag, "flags" },  { set_sector, "segments" },
		{ set_priority, "keyslots" }, { set_mark, "record" }, { raise_epoch, "record" },
		{ set_volume, "record" },     { add_section, "" },    { spoil_seal, "" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		struct mortise_luks2 *header;
		struct mortise_seal_info info;

		change(cases[i].edit);
		info = check(true);
		assert_int_equal(info.state, MORTISE_SEAL_BROKEN);
		assert_string_equal(info.changed, cases[i].changed);
		/* A change with the key does not accept the change before it. */
		header = load(true);
		assert_int_equal(
			mortise_keyslot_set_priority(header, 0, MORTISE_PRIORITY_PREFER, NULL),
			MORTISE_OK);
		mortise_luks2_free(&header);
		assert_int_equal(check(true).state, MORTISE_SEAL_BROKEN);
		drop(state);
		make(state);
	}
}

static void test_uuid(void **state)
{
	struct mortise_luks2 *header = load(false);
	struct mortise_seal_info info;

	(void)state;
	assert_int_equal(
		mortise_header_set_uuid(header, "8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815", NULL),
		MORTISE_OK);
	mortise_luks2_free(&header);
	info = check(true);
	assert_int_equal(info.state, MORTISE_SEAL_BROKEN);
	assert_string_equal(info.changed, "UUID");
}

static void test_sealing(void **state)
{
	char too_long[LUKS2_VOLUME_ID_MAX + 2] = "";
	struct mortise_luks2 *header;
	struct mortise_seal_info info;

	(void)state;
	header = load(false);
	assert_int_equal(mortise_seal(header, NULL, NULL), MORTISE_E_USAGE);
	mortise_luks2_free(&header);
	change(add_token);
	header = load(true);
	memset(too_long, 'x', sizeof(too_long) - 1);
	assert_int_equal(mortise_seal(header, too_long, NULL), MORTISE_E_USAGE);
	assert_int_equal(mortise_seal(header, "u-data", NULL), MORTISE_OK);
	mortise_luks2_free(&header);
	info = check(true);
	assert_int_equal(info.state, MORTISE_SEAL_VALID);
	assert_string_equal(info.volume, "u-data");
	assert_int_equal(info.epoch, 2);
	/* Every change with the key is sealed, for the same volume. */
	header = load(true);
	assert_int_equal(mortise_token_remove(header, 3, NULL), MORTISE_OK);
	assert_int_equal(mortise_keyslot_set_priority(header, 0, MORTISE_PRIORITY_PREFER, NULL),
			 MORTISE_OK);
	mortise_luks2_free(&header);
	info = check(true);
	assert_int_equal(info.state, MORTISE_SEAL_VALID);
	assert_string_equal(info.volume, "u-data");
	assert_int_equal(info.epoch, 4);
	header = load(true);
	assert_int_equal(mortise_seal(header, "", NULL), MORTISE_OK);
	mortise_luks2_free(&header);
	assert_string_equal(check(true).volume, "");
}

/* A header that another program made is sealed by the first change with its key, if it has room. */
static void test_unsealed(void **state)
{
	const struct mortise_token_import import = {
		.struct_size = sizeof(import),
		.token = MORTISE_ANY,
		.keyslot = MORTISE_ANY,
	};
	static const char head[] = "{\"type\":\"x\",\"keyslots\":[],\"a\":\"";
	struct mortise_luks2 *header;
	char *long_text;
	size_t size;

	(void)state;
	change(remove_seal);
	header = load(true);
	assert_int_equal(mortise_keyslot_set_priority(header, 0, MORTISE_PRIORITY_PREFER, NULL),
			 MORTISE_OK);
	mortise_luks2_free(&header);
	assert_int_equal(check(true).state, MORTISE_SEAL_VALID);
	change(remove_seal);
	header = load(false);
	/* 100 bytes remain, fewer than a seal needs. */
	size = 12288 - strlen(luks2_json_plain(luks2_header_metadata(header))) - 100;
	long_text = malloc(size);
	memset(long_text, 'x', size);
	memcpy(long_text, head, sizeof(head) - 1);
	memcpy(long_text + size - 2, "\"}", 2);
	assert_int_equal(mortise_token_import(header, &import, long_text, size, NULL, NULL),
			 MORTISE_OK);
	mortise_luks2_free(&header);
	free(long_text);
	header = load(true);
	assert_int_equal(mortise_keyslot_set_priority(header, 0, MORTISE_PRIORITY_NORMAL, NULL),
			 MORTISE_OK);
	assert_int_equal(mortise_seal(header, NULL, NULL), MORTISE_E_NO_SPACE);
	mortise_luks2_free(&header);
	assert_int_equal(check(true).state, MORTISE_SEAL_NONE);
}

static void test_canonical(void **state)
{
	struct json_object *value = json_tokener_parse(
		"{\"b\": [1, {\"d\":null, \"c\":true}, \"a\\/\\u00e9\\\"\"], \"a\":{}, \"x\":[]}");
	char *text = NULL;

	(void)state;
	assert_int_equal(luks2_canonical(value, NULL, &text, NULL), MORTISE_OK);
	assert_string_equal(
		text, "{\"a\":{},\"b\":[1,{\"c\":true,\"d\":null},\"a/\xc3\xa9\\\"\"],\"x\":[]}");
	free(text);
	assert_int_equal(luks2_canonical(value, json_object_object_get(value, "a"), &text, NULL),
			 MORTISE_OK);
	assert_string_equal(text,
			    "{\"b\":[1,{\"c\":true,\"d\":null},\"a/\xc3\xa9\\\"\"],\"x\":[]}");
	free(text);
	assert_int_equal(luks2_canonical(NULL, NULL, &text, NULL), MORTISE_OK);
	assert_string_equal(text, "null");
	free(text);
	json_object_put(value);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_states, make, drop),
		cmocka_unit_test_setup_teardown(test_changes, make, drop),
		cmocka_unit_test_setup_teardown(test_uuid, make, drop),
		cmocka_unit_test_setup_teardown(test_sealing, make, drop),
		cmocka_unit_test_setup_teardown(test_unsealed, make, drop),
		cmocka_unit_test(test_canonical),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
