/* SPDX-License-Identifier: MIT */
/* Escapes of hostile text, and the texts of errors. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "base/error.h"

static const char *escaped(enum mortise_escape_form form, const char *text)
{
	static char out[1024];
	size_t size = strlen(text);
	const size_t written = mortise_escape(form, &text, &size, out, sizeof(out) - 1);

	assert_int_equal(size, 0);
	assert_int_equal(*text, '\0');
	out[written] = '\0';
	return out;
}

static void test_forms(void **state)
{
	static const struct {
		const char *text, *line, *json;
	} cases[] = {
		{ "", "", "" },
		{ "aes-xts-plain64 \\ \"~", "aes-xts-plain64 \\ \"~", "aes-xts-plain64 \\ \"~" },
		{ "\033[2J\a", "\\x1b[2J\\x07", "\\u001b[2J\\u0007" },
		{ "\x7f", "\\x7f", "\\u007f" },
		/* C1, such as CSI, in UTF-8. */
		{ "\xc2\x80\xc2\x9b\xc2\x9f", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f",
		  "\\u0080\\u009b\\u009f" },
		{ "\xc2\xa0\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		  "\xc2\xa0\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80",
		  "\xc2\xa0\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80" },
		/* Not UTF-8: C1 as one byte, cut, overlong, surrogate, beyond Unicode. */
		{ "\x9b", "\\x9b", "\\u009b" },
		{ "\xe2\x82", "\\xe2\\x82", "\\u00e2\\u0082" },
		{ "\xe2\x82z", "\\xe2\\x82z", "\\u00e2\\u0082z" },
		{ "\xc0\x9b", "\\xc0\\x9b", "\\u00c0\\u009b" },
		{ "\xe0\x82\x9b", "\\xe0\\x82\\x9b", "\\u00e0\\u0082\\u009b" },
		{ "\xed\xa0\x80", "\\xed\\xa0\\x80", "\\u00ed\\u00a0\\u0080" },
		{ "\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80", "\\u00f4\\u0090\\u0080\\u0080" },
		{ "\xff\xfe", "\\xff\\xfe", "\\u00ff\\u00fe" },
		/* Bidirectional overrides and isolates; their neighbors are harmless. */
		{ "\xe2\x80\xaa\xe2\x80\xae", "\\xe2\\x80\\xaa\\xe2\\x80\\xae", "\\u202a\\u202e" },
		{ "\xe2\x81\xa6\xe2\x81\xa9", "\\xe2\\x81\\xa6\\xe2\\x81\\xa9", "\\u2066\\u2069" },
		{ "\xe2\x80\x8e\xe2\x80\xa8", "\\xe2\\x80\\x8e\\xe2\\x80\\xa8", "\\u200e\\u2028" },
		{ "\xe2\x80\xaf\xe2\x81\xa5", "\xe2\x80\xaf\xe2\x81\xa5",
		  "\xe2\x80\xaf\xe2\x81\xa5" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		assert_string_equal(escaped(MORTISE_ESCAPE_LINE, cases[i].text), cases[i].line);
		assert_string_equal(escaped(MORTISE_ESCAPE_LINES, cases[i].text), cases[i].line);
		assert_string_equal(escaped(MORTISE_ESCAPE_JSON, cases[i].text), cases[i].json);
		/* Escaping twice changes nothing. */
		assert_string_equal(escaped(MORTISE_ESCAPE_LINE, cases[i].line), cases[i].line);
	}
	assert_string_equal(escaped(MORTISE_ESCAPE_LINE, "a\n\tb\r"), "a\\x0a\\x09b\\x0d");
	assert_string_equal(escaped(MORTISE_ESCAPE_LINES, "a\n\tb\r"), "a\n\tb\\x0d");
	assert_string_equal(escaped(MORTISE_ESCAPE_JSON, "a\n\tb\r"), "a\n\tb\\u000d");
}

/* Nothing is split where the room ends, and the rest follows. */
static void test_room(void **state)
{
	static const char whole[] = "a\033\xe2\x82\xac\xf0\x9f\x98\x80\xe2\x80\xae";
	static const char expected[] = "a\\x1b\xe2\x82\xac\xf0\x9f\x98\x80\\xe2\\x80\\xae";

	(void)state;
	for (size_t room = MORTISE_ESCAPE_MAX; room < sizeof(expected); room++) {
		const char *text = whole;
		size_t size = sizeof(whole) - 1, used = 0;
		char out[64] = "";

		while (size) {
			const size_t written =
				mortise_escape(MORTISE_ESCAPE_LINE, &text, &size, out + used, room);

			assert_true(written > 0 && written <= room);
			used += written;
		}
		assert_string_equal(out, expected);
	}
}

static void test_errors(void **state)
{
	struct mortise_error err;
	char text[2 * MORTISE_ERROR_TEXT];

	(void)state;
	error_set(&err, MORTISE_E_SOURCE, 0, "the KMS returned %s",
		  "no\nmortise: \033[31mfine\xff");
	assert_string_equal(err.text, "the KMS returned no\\x0amortise: \\x1b[31mfine\\xff");
	error_prefix(&err, "volume %s", "\a");
	assert_string_equal(err.text,
			    "volume \\x07: the KMS returned no\\x0amortise: \\x1b[31mfine\\xff");
	/* A long text is cut between two characters. */
	memset(text, '\033', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	error_set(&err, MORTISE_E_SOURCE, 0, "ab%s", text);
	assert_int_equal(strlen(err.text), 2 + (MORTISE_ERROR_TEXT - 3) / 4 * 4);
	assert_string_equal(err.text + strlen(err.text) - 4, "\\x1b");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),
		cmocka_unit_test(test_room),
		cmocka_unit_test(test_errors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
