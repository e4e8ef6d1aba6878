/* SPDX-License-Identifier: MIT */
#include <string.h>

#include "config/selector/cel.h"

bool config_cel_glob(const char *pattern, const char *text)
{
	const char *star = NULL, *after = text;

	while (*text) {
		if (*pattern == '*') {
			star = pattern++;
			after = text;
		} else if (*pattern == *text) {
			pattern++;
			text++;
		} else if (star) {
			pattern = star + 1;
			text = ++after;
		} else {
			return false;
		}
	}
	return !pattern[strspn(pattern, "*")];
}

size_t config_cel_length(const char *text)
{
	size_t length = 0;

	for (; *text; text++)
		length += ((unsigned char)*text & 0xc0) != 0x80;
	return length;
}
