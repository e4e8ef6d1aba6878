/* SPDX-License-Identifier: MIT */
/*
 * Keyslots and tokens: requests that cannot be fulfilled fail before the first write, and changes
 * by other processes are noticed.
 */
#include "luks2/token.h"
#include "tests/luks2_operations.h"

static struct mortise_error err;
static struct mortise_luks2 *header;

static int start(void **state)
{
	(void)state;
	prepare_two();
	header = load(disk.path, false);
	assert_non_null(header);
	return 0;
}

static int stop(void **state)
{
	(void)state;
	disk.recording = false;
	mortise_luks2_free(&header);
	return 0;
}

/* The call failed with this error, and wrote nothing. */
static void expect(enum mortise_code code, enum mortise_code expected, const char *text)
{
	if (code != expected || !strstr(err.text, text))
		fail_msg("%d, not %d: %s", code, expected, err.text);
	assert_int_equal(disk.calls, 0);
}

static enum mortise_code add_unbound(int id, uint32_t size)
{
	struct mortise_keyslot_new what = *cheap_keyslot(id);
	struct mortise_secret *given = secret(SECOND);
	enum mortise_code code;

	what.unbound = true;
	what.unbound_key_size = size;
	code = mortise_keyslot_add(header, &what, given, NULL, NULL, &err);
	mortise_secret_free(&given);
	return code;
}

static void keyslots(void **state)
{
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };

	(void)state;
	disk_record(0, false);
	expect(add_to(header, 2, SECOND, &err), MORTISE_E_USAGE,
	       "cannot add a keyslot without the volume key");
	expect(add_unbound(2, 0), MORTISE_E_USAGE, "must have 1 to 512 bytes, not 0");
	expect(add_unbound(2, 513), MORTISE_E_USAGE, "must have 1 to 512 bytes, not 513");
	expect(add_unbound(1, 32), MORTISE_E_USAGE, "Key slot 1 is full");
	expect(add_unbound(32, 32), MORTISE_E_USAGE, "Key slot 32 is invalid");
	expect(mortise_keyslot_remove(header, 5, &err), MORTISE_E_NO_KEYSLOT,
	       "Keyslot 5 is not active.");
	expect(mortise_keyslot_set_priority(header, 5, MORTISE_PRIORITY_PREFER, &err),
	       MORTISE_E_NO_KEYSLOT, "Keyslot 5 is not active.");
	assert_true(unlock(header, 0, OLD));
	expect(add_to(header, 1, SECOND, &err), MORTISE_E_USAGE, "Key slot 1 is full");
	disk.recording = false;
	assert_int_equal(add_unbound(2, 32), MORTISE_OK);
	assert_int_equal(mortise_keyslot_info(header, 2, &info, &err), MORTISE_OK);
	assert_true(info.unbound);
	assert_int_equal(info.key_size, 32);
	assert_int_equal(mortise_keyslot_others(header, 0), 1);
}

static enum mortise_priority priority_of(int id)
{
	struct mortise_keyslot_info info = { .struct_size = sizeof(info) };

	assert_int_equal(mortise_keyslot_info(header, id, &info, &err), MORTISE_OK);
	return info.priority;
}

/* cryptsetup stores no member for normal priority. A new passphrase keeps the priority. */
static void priorities(void **state)
{
	(void)state;
	assert_int_equal(priority_of(0), MORTISE_PRIORITY_NORMAL);
	assert_int_equal(mortise_keyslot_set_priority(header, 0, MORTISE_PRIORITY_PREFER, &err),
			 MORTISE_OK);
	assert_int_equal(priority_of(0), MORTISE_PRIORITY_PREFER);
	assert_true(unlock(header, 0, OLD));
	assert_int_equal(change_zero(header, &err), MORTISE_OK);
	assert_int_equal(priority_of(0), MORTISE_PRIORITY_PREFER);
	assert_true(unlock(header, 0, NEW));
	assert_int_equal(mortise_keyslot_set_priority(header, 0, MORTISE_PRIORITY_NORMAL, &err),
			 MORTISE_OK);
	assert_int_equal(priority_of(0), MORTISE_PRIORITY_NORMAL);
	assert_int_equal(mortise_keyslot_set_priority(header, 0, MORTISE_PRIORITY_IGNORE, &err),
			 MORTISE_OK);
	assert_int_equal(priority_of(0), MORTISE_PRIORITY_IGNORE);
}

struct wish {
	int token, keyslot;
	bool unlinked, replace;
	const char *json;
	const char *error;  /* NULL: stored */
	const char *stored; /* the token */
};

static enum mortise_code import(const struct wish *wish, int *id)
{
	const struct mortise_token_import how = { .struct_size = sizeof(how),
						  .token = wish->token,
						  .keyslot = wish->keyslot,
						  .unlinked = wish->unlinked,
						  .replace = wish->replace };

	return mortise_token_import(header, &how, wish->json, strlen(wish->json), id, &err);
}

#define PLAIN "{\"type\":\"x\",\"keyslots\":[]}"
#define ANY   MORTISE_ANY

static void tokens(void **state)
{
	static const struct wish wishes[] = {
		{ 3, ANY, false, false, PLAIN, NULL, PLAIN },
		{ 3, ANY, false, false, PLAIN, "Token 3 in use.", NULL },
		{ 3, 1, false, true, PLAIN, NULL, "{\"type\":\"x\",\"keyslots\":[\"1\"]}" },
		{ 3, ANY, true, true, "{\"type\":\"x\",\"keyslots\":[\"0\"],\"a\":1}", NULL,
		  "{\"type\":\"x\",\"keyslots\":[],\"a\":1}" },
		{ 32, ANY, false, false, PLAIN, "Token 32 is invalid.", NULL },
		{ -2, ANY, false, false, PLAIN, "Token -2 is invalid.", NULL },
		{ 4, 5, false, false, PLAIN, "Keyslot 5 is not active.", NULL },
		{ 4, ANY, false, false, "{\"type\":\"x\",\"keyslots\":[\"5\"]}",
		  "invalid token: it needs", NULL },
		{ 4, ANY, false, false, "{\"type\":\"x\"}", "invalid token: it needs", NULL },
		{ 4, ANY, false, false, "{\"keyslots\":[]}", "invalid token: it needs", NULL },
		{ 4, ANY, false, false, "{\"type\":\"luks2-later\",\"keyslots\":[]}",
		  "invalid token: it needs", NULL },
		{ 4, ANY, false, false, "{\"type\":\"luks2-keyring\",\"keyslots\":[]}",
		  "invalid token: it needs", NULL },
		{ 4, ANY, false, false,
		  "{\"type\":\"luks2-keyring\",\"keyslots\":[],\"key_description\":\"a\",\"b\":1}",
		  "invalid token: it needs", NULL },
		{ 4, 0, false, false,
		  "{\"type\":\"luks2-keyring\",\"keyslots\":[],\"key_description\":\"a\"}", NULL,
		  "{\"type\":\"luks2-keyring\",\"key_description\":\"a\",\"keyslots\":[\"0\"]}" },
		{ 5, ANY, false, false, "[]", "invalid token: not a JSON object", NULL },
		{ 5, ANY, false, false, "{", "invalid token: ", NULL },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(wishes) / sizeof(*wishes); i++) {
		struct json_object *wanted, *got;
		char *text = NULL;
		int id = -1;

		disk_record(0, false);
		if (wishes[i].error) {
			enum mortise_code code = import(&wishes[i], &id);

			if (!code || !strstr(err.text, wishes[i].error) || disk.calls || id != -1)
				fail_msg("%s: %d, %s", wishes[i].json, code, err.text);
			continue;
		}
		disk.recording = false;
		assert_int_equal(import(&wishes[i], &id), MORTISE_OK);
		assert_int_equal(id, wishes[i].token);
		assert_int_equal(mortise_token_export(header, id, &text, &err), MORTISE_OK);
		got = json_tokener_parse(text);
		wanted = json_tokener_parse(wishes[i].stored);
		if (!json_object_equal(got, wanted))
			fail_msg("%s: %s", wishes[i].json, text);
		json_object_put(got);
		json_object_put(wanted);
		free(text);
	}
}

/* The first free id; at most 32 tokens. */
static void all_tokens(void **state)
{
	const struct wish wish = { .token = ANY, .keyslot = ANY, .json = PLAIN };
	char *text = NULL;
	int id;

	(void)state;
	for (int i = 0; i < (int)MORTISE_TOKENS_MAX; i++) {
		assert_int_equal(import(&wish, &id), MORTISE_OK);
		assert_int_equal(id, i);
	}
	disk_record(0, false);
	expect(import(&wish, &id), MORTISE_E_NO_SPACE, "all 32 tokens are in use");
	disk.recording = false;
	assert_int_equal(mortise_token_remove(header, 7, &err), MORTISE_OK);
	disk_record(0, false);
	expect(mortise_token_remove(header, 7, &err), MORTISE_E_NO_TOKEN, "Token 7 is not in use.");
	expect(mortise_token_export(header, 7, &text, &err), MORTISE_E_NO_TOKEN,
	       "Token 7 is not in use.");
	expect(mortise_token_export(header, 32, &text, &err), MORTISE_E_NO_TOKEN,
	       "Token 32 is invalid.");
	disk.recording = false;
	assert_null(text);
	assert_int_equal(import(&wish, &id), MORTISE_OK);
	assert_int_equal(id, 7);
}

/* A new keyslot conflicts with no change of another process; other requests do. */
static void changed_meanwhile(void **state)
{
	struct mortise_luks2 *other = load(disk.path, false);
	struct mortise_header_info info = { .struct_size = sizeof(info) };

	(void)state;
	assert_non_null(other);
	assert_true(unlock(header, 0, OLD));
	assert_int_equal(label_it(other, &err), MORTISE_OK);
	disk_record(0, false);
	expect(mortise_keyslot_remove(header, 1, &err), MORTISE_E_CHANGED, "");
	expect(mortise_keyslot_set_priority(header, 1, MORTISE_PRIORITY_PREFER, &err),
	       MORTISE_E_CHANGED, "");
	disk.recording = false;
	assert_int_equal(add_to(header, 2, NEW, &err), MORTISE_OK);
	assert_int_equal(mortise_header_info(header, &info, &err), MORTISE_OK);
	assert_string_equal(info.label, "a label");
	assert_true(unlock(header, 2, NEW));
	/* The other process notices this change, too, and another volume. */
	assert_int_equal(remove_one(other, &err), MORTISE_E_CHANGED);
	assert_int_equal(format_disk(SECOND, &err), MORTISE_OK);
	disk_record(0, false);
	expect(add_to(header, 3, NEW, &err), MORTISE_E_CHANGED, "now holds another volume");
	mortise_luks2_free(&other);
}

static enum mortise_code open_one(struct mortise_luks2 *from, const char *passphrase, int keyslot)
{
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = keyslot };
	struct mortise_secret *given = secret(passphrase);
	enum mortise_code code = mortise_keyslot_open(from, &search, given, NULL, NULL, &err);

	mortise_secret_free(&given);
	return code;
}

/* No passphrase is wrong for a keyslot that another process has moved or removed. */
static void removed_meanwhile(void **state)
{
	struct mortise_luks2 *other = load(disk.path, false);

	(void)state;
	assert_non_null(other);
	assert_int_equal(label_it(header, &err), MORTISE_OK);
	assert_int_equal(open_one(other, "wrong", MORTISE_ANY), MORTISE_E_KEY);
	assert_int_equal(open_one(other, SECOND, 1), MORTISE_OK);
	assert_int_equal(mortise_keyslot_remove(header, 1, &err), MORTISE_OK);
	assert_int_equal(open_one(other, OLD, MORTISE_ANY), MORTISE_OK);
	expect(open_one(other, SECOND, 1), MORTISE_E_CHANGED, "run again");
	expect(open_one(other, SECOND, MORTISE_ANY), MORTISE_E_CHANGED, "run again");
	expect(open_one(header, SECOND, MORTISE_ANY), MORTISE_E_KEY, "No key available");
	assert_int_equal(format_disk(SECOND, &err), MORTISE_OK);
	expect(open_one(other, OLD, 0), MORTISE_E_CHANGED, "run again");
	mortise_luks2_free(&other);
}

/* Another file under the same name is not written to. */
static void replaced_file(void **state)
{
	uint8_t *image = malloc(DISK_SIZE);

	(void)state;
	assert_non_null(image);
	assert_true(unlock(header, 0, OLD));
	disk_fetch(disk.path, image);
	disk_store(disk.cut, image);
	free(image);
	assert_int_equal(rename(disk.cut, disk.path), 0);
	disk_record(0, false);
	expect(add_to(header, 2, NEW, &err), MORTISE_E_CHANGED,
	       "is now another device than when it was read; run again");
}

static void unusable_files(void **state)
{
	static const char *const texts[] = { "does not exist or access denied",
					     "is neither a block device nor a regular file" };
	struct mortise_location location = { .struct_size = sizeof(location) };
	struct mortise_luks2 *other = NULL;

	(void)state;
	location.device = "/nonexistent/device";
	assert_int_equal(mortise_luks2_load(&location, &other, &err), MORTISE_E_DEVICE);
	assert_non_null(strstr(err.text, texts[0]));
	location.device = disk.directory;
	assert_int_equal(mortise_luks2_load(&location, &other, &err), MORTISE_E_DEVICE);
	assert_non_null(strstr(err.text, texts[1]));
	assert_null(other);
}

static void unnamed_device(void **state)
{
	const struct mortise_location location = { .struct_size = sizeof(location) };
	const struct mortise_check check = { .struct_size = sizeof(check) };
	const struct mortise_repair repair = { .struct_size = sizeof(repair) };
	const struct mortise_restore restore = { .struct_size = sizeof(restore),
						 .file = disk.path };
	struct mortise_luks2 *other = NULL;

	(void)state;
	expect(mortise_luks2_load(&location, &other, &err), MORTISE_E_USAGE, "no device is named");
	expect(mortise_check(&location, &check, &err), MORTISE_E_USAGE, "no device is named");
	expect(mortise_repair(&location, &repair, &err), MORTISE_E_USAGE, "no device is named");
	expect(mortise_header_restore(&location, &restore, NULL, &err), MORTISE_E_USAGE,
	       "no device is named");
	assert_null(other);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, start, stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(keyslots),	     TEST(priorities),	      TEST(tokens),
		TEST(all_tokens),    TEST(changed_meanwhile), TEST(removed_meanwhile),
		TEST(replaced_file), TEST(unusable_files),    TEST(unnamed_device),
	};

	return cmocka_run_group_tests(tests, luks2_disk_new, disk_remove);
}
