/* SPDX-License-Identifier: MIT */
#include "base/json_scan.h"

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/hex.h"

struct scanner {
	const char *text;
	size_t size;
	size_t at;
	const struct json_scan_limits *limits;
	size_t values;
	unsigned depth;
	uint64_t objects; /* bit n: level n+1 is an object, not an array */
	const char *wrong;
};

static const char invalid[] = "not valid JSON";

/* The character at the position, 0 at the end of the text. */
static char peek(const struct scanner *s)
{
	return s->at < s->size ? s->text[s->at] : '\0';
}

static bool take(struct scanner *s, char c)
{
	if (peek(s) != c)
		return false;
	s->at++;
	return true;
}

static void skip_space(struct scanner *s)
{
	while (s->at < s->size && strchr(" \t\r\n", s->text[s->at]) && s->text[s->at])
		s->at++;
}

static bool fail(struct scanner *s, const char *wrong)
{
	s->wrong = wrong;
	return false;
}

static bool scan_escape(struct scanner *s)
{
	if (!take(s, 'u')) {
		if (!peek(s) || !strchr("\"\\/bfnrt", peek(s)))
			return fail(s, invalid);
		s->at++;
		return true;
	}
	for (unsigned i = 0; i < 4; i++, s->at++)
		if (hex_digit(peek(s)) < 0)
			return fail(s, invalid);
	return true;
}

/* The position is behind the opening quote. */
static bool scan_string(struct scanner *s)
{
	while (!take(s, '"')) {
		if ((unsigned char)peek(s) < ' ')
			return fail(s, invalid);
		if (!take(s, '\\'))
			s->at++;
		else if (!scan_escape(s))
			return false;
	}
	return true;
}

static bool scan_digits(struct scanner *s)
{
	const size_t start = s->at;

	while (peek(s) >= '0' && peek(s) <= '9')
		s->at++;
	return s->at > start || fail(s, invalid);
}

static bool scan_number(struct scanner *s)
{
	(void)take(s, '-');
	if (!take(s, '0') && !scan_digits(s))
		return false;
	if (take(s, '.') && !scan_digits(s))
		return false;
	if (take(s, 'e') || take(s, 'E')) {
		(void)(take(s, '+') || take(s, '-'));
		return scan_digits(s);
	}
	return true;
}

static bool scan_word(struct scanner *s)
{
	static const char *const words[] = { "true", "false", "null" };

	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		const size_t length = strlen(words[i]);

		if (s->size - s->at >= length && !memcmp(s->text + s->at, words[i], length)) {
			s->at += length;
			return true;
		}
	}
	return fail(s, invalid);
}

/* "KEY": in an object. */
static bool scan_key(struct scanner *s)
{
	skip_space(s);
	if (!take(s, '"'))
		return fail(s, invalid);
	if (!scan_string(s))
		return false;
	skip_space(s);
	return take(s, ':') || fail(s, invalid);
}

static bool is_in_object(const struct scanner *s)
{
	return s->depth && (s->objects >> (s->depth - 1) & 1);
}

/* Enters an object or array. *whole: it is empty, and has been left again. */
static bool enter(struct scanner *s, bool object, bool *whole)
{
	if (s->depth == s->limits->depth)
		return fail(s, "nested too deeply");
	skip_space(s);
	*whole = take(s, object ? '}' : ']');
	if (*whole)
		return true;
	s->objects &= ~(UINT64_C(1) << s->depth);
	s->objects |= (uint64_t)object << s->depth;
	s->depth++;
	return !object || scan_key(s);
}

/* Scans a value, or the start of an object or array that is not empty: then *whole is false. */
static bool scan_value(struct scanner *s, bool *whole)
{
	const char c = peek(s);

	*whole = true;
	if (s->values++ == s->limits->values)
		return fail(s, "too many values");
	if (c != '{' && c != '[' && c != '"')
		return c == '-' || (c >= '0' && c <= '9') ? scan_number(s) : scan_word(s);
	s->at++;
	return c == '"' ? scan_string(s) : enter(s, c == '{', whole);
}

/* After a value: the ends of objects and arrays, then the comma before the next value. */
static bool leave(struct scanner *s)
{
	for (;;) {
		skip_space(s);
		if (!s->depth)
			return true;
		if (take(s, ','))
			return !is_in_object(s) || scan_key(s);
		if (!take(s, is_in_object(s) ? '}' : ']'))
			return fail(s, invalid);
		s->depth--;
	}
}

const char *json_scan(const char *text, size_t size, const struct json_scan_limits *limits,
		      size_t *end)
{
	struct scanner s = { .text = text, .size = size, .limits = limits };
	bool whole = true;

	do {
		skip_space(&s);
	} while (scan_value(&s, &whole) && (!whole || leave(&s)) && s.depth);
	*end = s.at;
	return s.wrong;
}
