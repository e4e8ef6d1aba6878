/* SPDX-License-Identifier: MIT */
/* The binary header and the text of the JSON area, byte by byte. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "luks2/binary.h"
#include "luks2/json.h"
#include "tests/vectors/hex.h"
#include "tests/vectors/luks2_binary.h"

/* Rebuilds the 16 KiB of a copy from its first sector and its JSON text. */
static uint8_t *whole_copy(const char *sector_hex)
{
	uint8_t *copy = calloc(1, LUKS2_COPY_SIZE_MIN);

	assert_non_null(copy);
	assert_int_equal(from_hex(sector_hex, copy, 512), 512);
	memcpy(copy + LUKS2_BINARY_SIZE, luks2_vector_json, strlen(luks2_vector_json));
	return copy;
}

static void check_copy(const char *sector_hex, uint64_t offset)
{
	uint8_t *copy = whole_copy(sector_hex), encoded[LUKS2_BINARY_SIZE];
	struct luks2_binary binary;
	struct mortise_error err = { 0 };

	assert_int_equal(luks2_binary_decode(copy, offset, &binary, &err), MORTISE_OK);
	assert_int_equal(binary.copy_size, LUKS2_COPY_SIZE_MIN);
	assert_int_equal(binary.seqid, 3);
	assert_string_equal(binary.label, "a label");
	assert_string_equal(binary.subsystem, "a subsystem");
	assert_string_equal(binary.uuid, "11111111-2222-3333-4444-555555555555");
	assert_string_equal(binary.checksum_hash, "sha256");
	assert_int_equal(luks2_checksum_check(&binary, copy, &err), MORTISE_OK);

	/* Encoding gives the same sector, with the checksum of cryptsetup. */
	luks2_binary_encode(&binary, offset, encoded);
	memcpy(encoded + 448, copy + 448, 64);
	assert_memory_equal(encoded, copy, LUKS2_BINARY_SIZE);
	memset(copy + 448, 0, 64);
	assert_int_equal(luks2_checksum_check(&binary, copy, &err), MORTISE_E_CORRUPT);
	assert_int_equal(luks2_checksum_set(&binary, copy, &err), MORTISE_OK);
	assert_memory_equal(copy, encoded, LUKS2_BINARY_SIZE);

	/* The checksum covers every byte, including the padding. */
	copy[LUKS2_COPY_SIZE_MIN - 1] ^= 1;
	assert_int_equal(luks2_checksum_check(&binary, copy, &err), MORTISE_E_CORRUPT);
	free(copy);
}

static void test_copies(void **state)
{
	(void)state;
	check_copy(luks2_vector_primary, 0);
	check_copy(luks2_vector_secondary, LUKS2_COPY_SIZE_MIN);
}

static enum mortise_code decode_with(size_t at, uint8_t value, uint64_t offset)
{
	uint8_t *copy = whole_copy(offset ? luks2_vector_secondary : luks2_vector_primary);
	struct luks2_binary binary;
	enum mortise_code code;

	copy[at] = value;
	code = luks2_binary_decode(copy, offset, &binary, NULL);
	free(copy);
	return code;
}

static void test_refused(void **state)
{
	(void)state;
	assert_int_equal(decode_with(5, 0, 0), MORTISE_E_NOT_LUKS2);
	assert_int_equal(decode_with(7, 1, 0), MORTISE_E_NOT_LUKS2);
	assert_int_equal(decode_with(7, 3, 0), MORTISE_E_NOT_LUKS2);
	/* Each copy has its own magic, and its own offset. */
	assert_int_equal(decode_with(0, 'S', 0), MORTISE_E_NOT_LUKS2);
	assert_int_equal(decode_with(263, 1, 0), MORTISE_E_CORRUPT);
	assert_int_equal(decode_with(262, 0, LUKS2_COPY_SIZE_MIN), MORTISE_E_CORRUPT);
	/* Sizes other than the nine valid ones, and a valid size at the wrong offset. */
	assert_int_equal(decode_with(15, 1, 0), MORTISE_E_CORRUPT);
	assert_int_equal(decode_with(14, 0x20, 0), MORTISE_E_CORRUPT);
	assert_int_equal(decode_with(8, 1, 0), MORTISE_E_CORRUPT);
	assert_int_equal(decode_with(14, 0x80, LUKS2_COPY_SIZE_MIN), MORTISE_E_CORRUPT);
	for (uint64_t size = 1; size; size *= 2)
		assert_int_equal(luks2_copy_size_valid(size), size >= 16384 && size <= 4194304);
}

/* Text fields without a terminating NUL are truncated, and not read beyond their end. */
static void test_texts_end(void **state)
{
	uint8_t *copy = whole_copy(luks2_vector_primary);
	struct luks2_binary binary;

	(void)state;
	memset(copy + 24, 'l', 48);
	memset(copy + 168, 'u', 40);
	memset(copy + 208, 's', 48);
	assert_int_equal(luks2_binary_decode(copy, 0, &binary, NULL), MORTISE_OK);
	assert_int_equal(strlen(binary.label), 47);
	assert_int_equal(strlen(binary.uuid), 39);
	assert_int_equal(strlen(binary.subsystem), 47);
	memset(copy + 72, 'h', 32);
	assert_int_equal(luks2_binary_decode(copy, 0, &binary, NULL), MORTISE_OK);
	assert_int_equal(strlen(binary.checksum_hash), 31);
	assert_int_equal(luks2_checksum_check(&binary, copy, NULL), MORTISE_E_CORRUPT);
	free(copy);
}

/* Parses a text, makes a deep copy as an update does, and compares json-c's output. */
static void check_text(const char *text, const char *expected)
{
	struct json_object *parsed, *copied = NULL;
	const char *why;
	size_t end;

	parsed = luks2_json_parse(text, strlen(text) + 1, &end, &why);
	if (!expected) {
		assert_null(parsed);
		return;
	}
	assert_non_null(parsed);
	assert_int_equal(json_object_deep_copy(parsed, &copied, NULL), 0);
	assert_string_equal(luks2_json_plain(copied), expected);
	json_object_put(copied);
	json_object_put(parsed);
}

/* The expected texts come from cryptsetup 2.6.1, with each value added to a header. */
static void test_json_texts(void **state)
{
	char deep[256];

	(void)state;
	check_text("{\"a\":1.50}", "{\"a\":1.50}");
	check_text("{\"a\":12345678901234567890}", "{\"a\":12345678901234567890}");
	check_text("{\"a\":\"/\\/\"}", "{\"a\":\"//\"}");
	check_text("{\"a\":\"\\u00e9\"}", "{\"a\":\"\xc3\xa9\"}");
	check_text("{\"a\":\"x\\u0000y\"}", "{\"a\":\"x\\u0000y\"}");
	check_text("{\"a\":1,\"b\":2,\"a\":3}", "{\"a\":3,\"b\":2}");
	/* json-c and cryptsetup accept these, but nothing writes them. */
	check_text("{/* why */\"a\":1 // here\n}", NULL);
	check_text("{'a':1}", NULL);
	check_text("{\"a\":TRUE}", NULL);
	check_text("{\"a\":1,}", NULL);
	for (size_t depth = LUKS2_JSON_DEPTH; depth <= LUKS2_JSON_DEPTH + 1; depth++) {
		memset(deep, '[', depth);
		memset(deep + depth, ']', depth);
		deep[2 * depth] = '\0';
		check_text(deep, depth == LUKS2_JSON_DEPTH ? deep : NULL);
	}
}

static void test_json_values(void **state)
{
	struct json_object *object = json_tokener_parse(
		"{\"u\":\"18446744073709551615\",\"over\":\"18446744073709551616\",\"sign\":\"+1\","
		"\"hex\":\"0x10\",\"blank\":\" "
		"1\",\"none\":\"\",\"zero\":\"0007\",\"cut\":\"12\\u00003\","
		"\"neg\":-1,\"big\":4294967296,\"real\":1.0,\"int\":7,"
		"\"b64\":\"AAEC\",\"bad64\":\"AA=C\",\"list\":[\"1\",\"2\",\"1\"]}");
	struct json_object *list = luks2_json_get(object, "list", json_type_array);
	uint8_t bytes[3];
	size_t size = sizeof(bytes);
	uint64_t value = 0;

	(void)state;
	assert_non_null(object);
	assert_true(luks2_json_decimal(object, "u", &value));
	assert_true(value == UINT64_MAX);
	assert_false(luks2_json_decimal(object, "over", &value));
	assert_false(luks2_json_decimal(object, "sign", &value));
	assert_false(luks2_json_decimal(object, "hex", &value));
	assert_false(luks2_json_decimal(object, "blank", &value));
	assert_false(luks2_json_decimal(object, "none", &value));
	assert_false(luks2_json_decimal(object, "int", &value));
	assert_true(luks2_json_decimal(object, "zero", &value));
	assert_int_equal(value, 7);
	assert_true(luks2_json_decimal(object, "cut", &value));
	assert_int_equal(value, 12);
	assert_false(luks2_json_integer(object, "neg", UINT32_MAX, &value));
	assert_false(luks2_json_integer(object, "big", UINT32_MAX, &value));
	assert_false(luks2_json_integer(object, "real", UINT32_MAX, &value));
	assert_false(luks2_json_integer(object, "u", UINT32_MAX, &value));
	assert_true(luks2_json_integer(object, "int", 7, &value));
	assert_false(luks2_json_integer(object, "int", 6, &value));
	assert_true(luks2_json_base64(object, "b64", bytes, &size));
	assert_int_equal(size, 3);
	size = 2;
	assert_false(luks2_json_base64(object, "b64", bytes, &size));
	size = sizeof(bytes);
	assert_false(luks2_json_base64(object, "bad64", bytes, &size));
	luks2_json_array_remove(list, "1");
	assert_int_equal(json_object_array_length(list), 1);
	assert_true(luks2_json_array_has(list, "2"));
	json_object_put(object);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_copies),	    cmocka_unit_test(test_refused),
		cmocka_unit_test(test_texts_end),   cmocka_unit_test(test_json_texts),
		cmocka_unit_test(test_json_values),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
