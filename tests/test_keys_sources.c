/* SPDX-License-Identifier: MIT */
/* Passphrases of key kind nodeID, and the lock to STATE. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "keys/sources/sources.h"

/* Talos Linux's rule: no character may make up more than half of the UUID. 36 / 2 = 18. */
static const struct {
	const char *uuid;
	enum mortise_code code;
} uuids[] = {
	{ "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", MORTISE_OK },
	{ "11111111-0000-1111-1111-111111111111", MORTISE_E_POLICY },
	{ "ffffffff-ffff-ffff-ffff-ffffffffffff", MORTISE_E_POLICY },
	{ "00000000-0000-0000-0000-000000000000", MORTISE_E_POLICY },
	{ "03000200-0400-0500-0006-000700080009", MORTISE_E_POLICY },
	/* 18 of 36 is half, 19 is more; the length includes the hyphens. */
	{ "11111111-1111-1111-1123-456789abcdef", MORTISE_OK },
	{ "11111111-1111-1111-1113-456789abcdef", MORTISE_E_POLICY },
	/* A UUID override can be any text. */
	{ "kiosk-17", MORTISE_OK },
	{ "aab", MORTISE_E_POLICY },
	{ "ab", MORTISE_OK },
	{ "a", MORTISE_E_POLICY },
	{ "", MORTISE_E_POLICY },
};

static void test_uuid_entropy(void **state)
{
	struct mortise_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(uuids) / sizeof(uuids[0]); i++)
		if (keys_node_uuid_check(uuids[i].uuid, &err) != uuids[i].code)
			fail_msg("%s", uuids[i].uuid);
	assert_int_equal(keys_node_uuid_check("aaa", &err), MORTISE_E_POLICY);
	assert_ptr_equal(strstr(err.text, "machine UUID aaa entropy check failed"), err.text);
	assert_int_equal(keys_node_uuid_check("", &err), MORTISE_E_POLICY);
	assert_ptr_equal(strstr(err.text, "machine UUID is not populated"), err.text);
}

static void test_node_id(void **state)
{
	static const char expected[] = "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bedSTATE";
	struct mortise_secret *secret;

	(void)state;
	assert_int_equal(
		keys_node_id("1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", "STATE", &secret, NULL),
		MORTISE_OK);
	assert_int_equal(mortise_secret_size(secret), sizeof(expected) - 1);
	assert_memory_equal(mortise_secret_data(secret), expected, sizeof(expected) - 1);
	mortise_secret_free(&secret);
	assert_int_equal(
		keys_node_id("00000000-0000-0000-0000-000000000000", "STATE", &secret, NULL),
		MORTISE_E_POLICY);
	assert_null(secret);
}

/* The machine may not have SMBIOS: the result is a UUID, or the reason why it is unavailable. */
static void test_node_uuid_read(void **state)
{
	char uuid[MORTISE_UUID_LEN + 1];
	struct mortise_error err;

	(void)state;
	if (keys_node_uuid_read(uuid, &err)) {
		assert_int_equal(err.code, MORTISE_E_SYSTEM);
		assert_ptr_equal(strstr(err.text, "failed to get UUID"), err.text);
		assert_non_null(strstr(err.text, "--node-uuid"));
		assert_string_equal(uuid, "");
		return;
	}
	assert_int_equal(strlen(uuid), MORTISE_UUID_LEN);
	assert_int_equal(strspn(uuid, "0123456789abcdef-"), MORTISE_UUID_LEN);
}

/* Writes a file below a directory in place of the root, and reads it. */
static enum mortise_code read_node_file(const char *root, const char *path, mode_t mode,
					const void *bytes, size_t size,
					enum keys_node_source source, char *text)
{
	struct mortise_error err = { 0 };
	enum mortise_code code;
	char file[256];
	FILE *stream;

	snprintf(file, sizeof(file), "%s%s", root, path);
	stream = fopen(file, "we");
	assert_non_null(stream);
	assert_int_equal(fwrite(bytes, 1, size, stream), size);
	assert_int_equal(fclose(stream), 0);
	assert_int_equal(chmod(file, mode), 0);
	code = keys_node_text_read(source, root, text, &err);
	assert_int_equal(unlink(file), 0);
	if (code) {
		assert_string_equal(text, "");
		assert_non_null(strstr(err.text, path));
	}
	return code;
}

/* Machines without SMBIOS: the device tree's serial number, which ends with a NUL, or machine-id. */
static void test_node_text_read(void **state)
{
	static const char *const made[] = { "/sys",
					    "/sys/firmware",
					    "/sys/firmware/devicetree",
					    "/sys/firmware/devicetree/base",
					    "/proc",
					    "/proc/device-tree",
					    "/etc" };
	static const char serial[] = "/sys/firmware/devicetree/base/serial-number";
	static const char old_serial[] = "/proc/device-tree/serial-number";
	static const char id[] = "/etc/machine-id";
	static const char digits[] = "0123456789abcdef0123456789abcdef\n";
	char root[] = "/tmp/mortise-node.XXXXXX", path[256], text[KEYS_NODE_TEXT_ROOM],
	     long_text[200];

	(void)state;
	assert_non_null(mkdtemp(root));
	for (size_t i = 0; i < 7; i++) {
		snprintf(path, sizeof(path), "%s%s", root, made[i]);
		assert_int_equal(mkdir(path, 0700), 0);
	}
	memset(long_text, 'a', sizeof(long_text));
#define READ(path, mode, bytes, size, source) \
	read_node_file(root, path, mode, bytes, size, KEYS_NODE_##source, text)
	assert_int_equal(READ(serial, 0444, "10000000e3a1b2c4", 17, DEVICE_TREE), MORTISE_OK);
	assert_string_equal(text, "10000000e3a1b2c4");
	assert_int_equal(READ(old_serial, 0444, "S/N-7", 6, DEVICE_TREE), MORTISE_OK);
	assert_string_equal(text, "S/N-7");
	assert_int_equal(READ(serial, 0444, "", 0, DEVICE_TREE), MORTISE_E_SYSTEM);
	assert_int_equal(READ(serial, 0444, "a b", 4, DEVICE_TREE), MORTISE_E_SYSTEM);
	assert_int_equal(READ(serial, 0444, "a\0b", 4, DEVICE_TREE), MORTISE_E_SYSTEM);
	assert_int_equal(READ(serial, 0444, long_text, 127, DEVICE_TREE), MORTISE_OK);
	assert_int_equal(READ(serial, 0444, long_text, 128, DEVICE_TREE), MORTISE_E_SYSTEM);
	assert_int_equal(READ(id, 0444, digits, 33, MACHINE_ID), MORTISE_OK);
	assert_memory_equal(text, digits, 32);
	assert_int_equal(READ(id, 0444, digits, 31, MACHINE_ID), MORTISE_E_SYSTEM);
	assert_int_equal(READ(id, 0444, "uninitialized\n", 14, MACHINE_ID), MORTISE_E_SYSTEM);
	assert_int_equal(READ(id, 0666, digits, 33, MACHINE_ID), MORTISE_E_POLICY);
	assert_int_equal(keys_node_text_read(KEYS_NODE_MACHINE_ID, root, text, NULL),
			 MORTISE_E_SYSTEM);
#undef READ
	for (size_t i = 7; i--;) {
		snprintf(path, sizeof(path), "%s%s", root, made[i]);
		assert_int_equal(rmdir(path), 0);
	}
	assert_int_equal(rmdir(root), 0);
}

static void test_lock_to_state(void **state)
{
	struct mortise_secret *inner, *locked;
	uint8_t salt[KEYS_STATE_SALT_SIZE];

	(void)state;
	for (unsigned i = 0; i < sizeof(salt); i++)
		salt[i] = (uint8_t)(0xf0 + i);
	assert_int_equal(mortise_secret_from("in\0ner", 6, &inner, NULL), MORTISE_OK);
	assert_int_equal(keys_lock_to_state(inner, salt, &locked, NULL), MORTISE_OK);
	assert_int_equal(mortise_secret_size(locked), 6 + 32);
	assert_memory_equal(mortise_secret_data(locked), "in\0ner", 6);
	assert_memory_equal(mortise_secret_data(locked) + 6, salt, 32);
	mortise_secret_free(&locked);
	mortise_secret_free(&inner);
	assert_int_equal(mortise_secret_new(MORTISE_PASSPHRASE_MAX, &inner, NULL), MORTISE_OK);
	assert_int_equal(keys_lock_to_state(inner, salt, &locked, NULL), MORTISE_E_USAGE);
	assert_null(locked);
	mortise_secret_free(&inner);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_uuid_entropy),   cmocka_unit_test(test_node_id),
		cmocka_unit_test(test_node_uuid_read), cmocka_unit_test(test_node_text_read),
		cmocka_unit_test(test_lock_to_state),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
