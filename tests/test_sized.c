/* SPDX-License-Identifier: MIT */
/* Structs that begin with their size, from callers of an older and of a newer release. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/sized.h"

/* One struct in three releases; this library is the middle one. */
struct first {
	size_t struct_size;
	uint64_t a;
};

struct second {
	size_t struct_size;
	uint64_t a, b;
};

struct third {
	size_t struct_size;
	uint64_t a, b, c;
};

static const struct sized_type known = {
	.name = "mortise_thing",
	.size = sizeof(struct second),
	.least = sizeof(struct first),
};

static void test_input(void **state)
{
	const struct first older = { .struct_size = sizeof(older), .a = 1 };
	const struct second same = { .struct_size = sizeof(same), .a = 1, .b = 2 };
	struct third newer = { .struct_size = sizeof(newer), .a = 1, .b = 2 };
	struct second copy;
	struct mortise_error err;

	(void)state;
	memset(&copy, 0xff, sizeof(copy));
	assert_int_equal(sized_input(&known, &copy, &older, NULL), MORTISE_OK);
	assert_int_equal(copy.a, 1);
	assert_int_equal(copy.b, 0);
	assert_int_equal(copy.struct_size, sizeof(copy));
	assert_int_equal(sized_input(&known, &copy, &same, NULL), MORTISE_OK);
	assert_int_equal(copy.b, 2);
	memset(&copy, 0, sizeof(copy));
	assert_int_equal(sized_input(&known, &copy, &newer, NULL), MORTISE_OK);
	assert_int_equal(copy.b, 2);
	assert_int_equal(copy.struct_size, sizeof(copy));
	newer.c = UINT64_C(1) << 56;
	assert_int_equal(sized_input(&known, &copy, &newer, &err), MORTISE_E_USAGE);
	assert_non_null(strstr(err.text, "struct mortise_thing sets a member"));
}

static void test_output(void **state)
{
	const struct second filled = { .struct_size = sizeof(filled), .a = 1, .b = 2 };
	struct {
		struct first given;
		uint64_t behind;
	} older = { .given.struct_size = sizeof(older.given), .behind = 77 };
	struct third newer = { .struct_size = sizeof(newer), .c = 3 };

	(void)state;
	assert_int_equal(sized_output(&known, &older.given, &filled, NULL), MORTISE_OK);
	assert_int_equal(older.given.a, 1);
	assert_int_equal(older.given.struct_size, sizeof(older.given));
	assert_int_equal(older.behind, 77);
	assert_int_equal(sized_output(&known, &newer, &filled, NULL), MORTISE_OK);
	assert_int_equal(newer.b, 2);
	assert_int_equal(newer.c, 0);
	assert_int_equal(newer.struct_size, sizeof(newer));
}

static void test_refused_sizes(void **state)
{
	static const size_t sizes[] = { 0, sizeof(void *), sizeof(struct first) - 1, SIZED_MAX + 1,
					SIZE_MAX };
	struct second given = { .a = 5 }, copy;
	struct mortise_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		given.struct_size = sizes[i];
		assert_int_equal(sized_input(&known, &copy, &given, NULL), MORTISE_E_USAGE);
		assert_int_equal(copy.a, 0);
		assert_int_equal(sized_check(&known, &given, NULL), MORTISE_E_USAGE);
		assert_int_equal(sized_output(&known, &given, &copy, &err), MORTISE_E_USAGE);
		assert_non_null(strstr(err.text, "struct_size of struct mortise_thing is "));
		assert_int_equal(given.a, 5);
	}
	assert_int_equal(sized_input(&known, &copy, NULL, &err), MORTISE_E_USAGE);
	assert_string_equal(err.text, "struct mortise_thing is missing");
}

/* The public functions check too. */
static void test_library(void **state)
{
	struct mortise_location location = { .device = "/nonexistent" };
	struct mortise_keyslot_new what = { .keyslot = MORTISE_ANY };
	struct mortise_kdf_choice cost = { .forced_time = 4, .memory_kib = 32, .lanes = 1 };
	struct mortise_luks2 *header = NULL;
	struct mortise_error err;

	(void)state;
	assert_int_equal(mortise_luks2_load(&location, &header, &err), MORTISE_E_USAGE);
	assert_string_equal(err.text, "struct_size of struct mortise_location is 0; "
				      "set it to the size of the struct");
	location.struct_size = sizeof(location);
	assert_int_equal(mortise_luks2_load(&location, &header, &err), MORTISE_E_DEVICE);
	location.device = NULL;
	assert_int_equal(mortise_luks2_load(&location, &header, &err), MORTISE_E_USAGE);
	assert_int_equal(mortise_keyslot_check(&what, &err), MORTISE_E_USAGE);
	what.struct_size = sizeof(what);
	assert_int_equal(mortise_keyslot_check(&what, &err), MORTISE_OK);
	what.kdf = &cost;
	assert_int_equal(mortise_keyslot_check(&what, &err), MORTISE_E_USAGE);
	cost.struct_size = sizeof(cost);
	assert_int_equal(mortise_keyslot_check(&what, &err), MORTISE_OK);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_input),
		cmocka_unit_test(test_output),
		cmocka_unit_test(test_refused_sizes),
		cmocka_unit_test(test_library),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
