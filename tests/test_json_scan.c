/* SPDX-License-Identifier: MIT */
/* The scan of JSON text: grammar, depth and number of values. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "base/json_scan.h"

static const struct json_scan_limits limits = { 3, 8 };

static const char *scan(const char *text)
{
	size_t end;

	return json_scan(text, strlen(text), &limits, &end);
}

static void test_valid(void **state)
{
	static const char *const good[] = {
		"0",
		"-0.5e+10",
		"12E3",
		"\"\"",
		"\"\\\"\\\\\\/\\b\\f\\n\\r\\t\\u00fF\"",
		"\"\x7f\xc3\xa9\xff\"",
		"true",
		" \t\r\n[ ] ",
		"{}",
		"{\"a\":{\"b\":[1,2]},\"c\":null}",
		"[[[]]]",
		"[1,2,3,4,5,6,7]",
		"[[],{},[],{}]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++)
		assert_null(scan(good[i]));
}

static void test_invalid(void **state)
{
	static const char *const bad[] = {
		"",	      " ",	   "nul",     "TRUE",	   "[01]",     "-",
		"1.",	      ".5",	   "1e",      "+1",	   "NaN",      "Infinity",
		"'a'",	      "\"a",	   "\"\\x\"", "\"\\u12\"", "\"a\nb\"", "[",
		"]",	      "[1",	   "[1,",     "[1,]",	   "[,1]",     "[1 2]",
		"[1}",	      "{",	   "{\"a\"",  "{\"a\":",   "{\"a\":1", "{\"a\":1,",
		"{\"a\":1,}", "{\"a\" 1}", "{a:1}",   "{1:1}",	   "{]",       "{\"a\":1]",
		"[/**/]",
	};

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_string_equal(scan(bad[i]), "not valid JSON");
}

static void test_limits(void **state)
{
	size_t end;

	(void)state;
	assert_string_equal(scan("[[[[]]]]"), "nested too deeply");
	assert_string_equal(scan("{\"a\":{\"b\":{\"c\":{}}}}"), "nested too deeply");
	assert_string_equal(scan("[1,2,3,4,5,6,7,8]"), "too many values");
	assert_string_equal(scan("{\"a\":[{},{},{}],\"b\":[1,2,{}]}"), "too many values");
	/* The scan ends behind the value and its white space. */
	assert_null(json_scan("[1] \n,[2]", 9, &limits, &end));
	assert_int_equal(end, 5);
	assert_null(json_scan("{}\0\0", 4, &limits, &end));
	assert_int_equal(end, 2);
	assert_non_null(json_scan("[1,\0]", 5, &limits, &end));
	assert_int_equal(end, 3);
	/* Nothing behind the size is read. */
	assert_non_null(json_scan("true", 3, &limits, &end));
	assert_non_null(json_scan("\"a\"", 2, &limits, &end));
	assert_null(json_scan("12", 1, &limits, &end));
	assert_int_equal(end, 1);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_valid),
		cmocka_unit_test(test_invalid),
		cmocka_unit_test(test_limits),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
