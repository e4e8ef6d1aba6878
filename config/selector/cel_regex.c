/* SPDX-License-Identifier: MIT */
/*
 * Patterns. CEL's matches() is RE2; regexec(3), which is everywhere, reads most of it the same
 * way as a POSIX extended regular expression. What it would read another way is refused.
 */
#include <regex.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>

#include "config/selector/cel.h"

/* RE2's limit too. What nested ones multiply to counts, since regcomp(3) copies what repeats. */
#define REPEAT_MAX 1000ul

static bool is_letter_or_digit(char byte)
{
	return (byte >= '0' && byte <= '9') || (byte >= 'a' && byte <= 'z') ||
	       (byte >= 'A' && byte <= 'Z');
}

/* *at is behind a "[", and comes to be behind its "]". */
static const char *bracket_flaw(const char *pattern, size_t *at)
{
	*at += pattern[*at] == '^';
	*at += pattern[*at] == ']';
	for (; pattern[*at] && pattern[*at] != ']'; ++*at) {
		if (pattern[*at] == '\\')
			return "between [ and ] a backslash is not supported";
		if (pattern[*at] != '[')
			continue;
		if (pattern[*at + 1] == '.' || pattern[*at + 1] == '=')
			return "between [ and ] neither [. nor [= is supported";
		if (pattern[*at + 1] != ':')
			continue;
		*at += strcspn(pattern + *at, "]");
		if (!pattern[*at])
			break;
	}
	if (!pattern[*at])
		return "a [ without its ] in this pattern";
	++*at;
	return NULL;
}

/* *at is behind a "{", and comes to be behind its "}". */
static const char *repeat_flaw(const char *pattern, size_t *at, unsigned long *product)
{
	static const char flaw[] = "write {N}, {N,} or {N,M}, no more than 1000 in all, and \\{ "
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

/* What POSIX leaves open or reads in another way. */
static const char *difference(const char *pattern)
{
	unsigned long product = 1;
	bool repeatable = false;
	const char *flaw = NULL;

	for (size_t at = 0; !flaw && pattern[at];) {
		const char byte = pattern[at++];

		if (strchr("*+?{", byte) && !repeatable)
			return "there is nothing that * + ? or { could repeat; neither (?...) nor "
			       "*? and the like are supported";
		repeatable = !strchr("*+?{(|", byte);
		if (byte == '[')
			flaw = bracket_flaw(pattern, &at);
		else if (byte == '{')
			flaw = repeat_flaw(pattern, &at, &product);
		else if (byte == '\\' && is_letter_or_digit(pattern[at]))
			return "\\d, \\w and the like are not supported: write [0-9], "
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
		return "this pattern is longer than 256 bytes";
	flaw = difference(pattern);
	if (flaw)
		return flaw;
	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB))
		return "not a regular expression";
	regfree(&compiled);
	return NULL;
}

bool config_cel_pattern_fits(const char *pattern, const char *text)
{
	regex_t compiled;
	bool fits;

	/* It has been compiled before: only memory can fail now. */
	if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB))
		return false;
	fits = !regexec(&compiled, text, 0, NULL, 0);
	regfree(&compiled);
	return fits;
}
