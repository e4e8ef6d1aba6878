/* SPDX-License-Identifier: MIT */
/*
 * Regular expressions. CEL's matches() uses RE2; regexec(3) needs no further library and interprets
 * most patterns alike as POSIX extended ones. Patterns that it interprets differently are refused.
 */
#include <regex.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config/selector/cel.h"

/* As in RE2. It limits the product of nested counts: regcomp(3) copies what is repeated. */
#define REPEAT_MAX 1000ul

static bool is_letter_or_digit(char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= 'A' && byte <= 'Z');
}

/* *at moves from after "[" to after its "]". */
static const char *check_bracket(const char *pattern, size_t *at)
{
	*at += pattern[*at] == '^';
	*at += pattern[*at] == ']';
	for (; pattern[*at] && pattern[*at] != ']'; ++*at) {
		if (pattern[*at] == '\\')
			return "a backslash between [ and ] is not supported";
		if (pattern[*at] != '[')
			continue;
		if (pattern[*at + 1] == '.' || pattern[*at + 1] == '=')
			return "[. and [= between [ and ] are not supported";
		if (pattern[*at + 1] != ':')
			continue;
		*at += strcspn(pattern + *at, "]");
		if (!pattern[*at])
			break;
	}
	if (!pattern[*at])
		return "[ without ] in the pattern";
	++*at;
	return NULL;
}

/* *at moves from after "{" to after its "}". */
static const char *check_repeat(const char *pattern, size_t *at, unsigned long *product)
{
	static const char flaw[] =
		"write {N}, {N,} or {N,M} with a product of at most 1000, and \\{ "
		"for the character";
	size_t digits = strspn(pattern + *at, "0123456789");
	unsigned long most;

	if (!digits || digits > 4)
		return flaw;
	most = strtoul(pattern + *at, NULL, 10);
	*at += digits;
	if (pattern[*at] == ',') {
		digits = strspn(pattern + ++*at, "0123456789");
		if (digits > 4)
			return flaw;
		most = digits ? strtoul(pattern + *at, NULL, 10) : most;
		*at += digits;
	}
	*product *= most ? most : 1;
	if (pattern[*at] != '}' || *product > REPEAT_MAX)
		return flaw;
	++*at;
	return NULL;
}

/* Finds syntax that POSIX leaves undefined or interprets differently. */
static const char *find_difference(const char *pattern)
{
	unsigned long product = 1;
	bool repeatable = false;
	const char *flaw = NULL;

	for (size_t at = 0; !flaw && pattern[at];) {
		const char byte = pattern[at++];

		if (strchr("*+?{", byte) && !repeatable)
			return "* + ? or { has nothing to repeat; (?...) and *? are not supported";
		repeatable = !strchr("*+?{(|", byte);
		if (byte == '[')
			flaw = check_bracket(pattern, &at);
		else if (byte == '{')
			flaw = check_repeat(pattern, &at, &product);
		else if (byte == '\\' && is_letter_or_digit(pattern[at]))
			return "classes like \\d and \\w are not supported; write [0-9], "
			       "[A-Za-z0-9_]";
		else if (byte == '\\' && pattern[at])
			at++;
	}
	return flaw;
}

const char *config_cel_pattern_flaw(const char *pattern)
{
	const char *flaw;
	regex_t compiled;

	if (strlen(pattern) > CONFIG_CEL_PATTERN_MAX)
		return "the pattern is longer than 256 bytes";
	flaw = find_difference(pattern);
	if (flaw)
		return flaw;
	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB))
		return "invalid regular expression";
	regfree(&compiled);
	return NULL;
}

bool config_cel_pattern_matches(const char *pattern, const char *text)
{
	regex_t compiled;
	bool matched;

	/* Compiled successfully while parsing, so only malloc(3) can fail. */
	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB))
		return false;
	matched = !regexec(&compiled, text, 0, NULL, 0);
	regfree(&compiled);
	return matched;
}
