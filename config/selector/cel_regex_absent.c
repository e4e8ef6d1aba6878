/* SPDX-License-Identifier: MIT */
/* For builds without regular expressions (MORTISE_REGEX), which take 20 kB in some C libraries. */
#include "config/selector/cel.h"

const char *config_cel_pattern_flaw(const char *pattern)
{
	(void)pattern;
	return "matches() is not supported by this build; use glob() or build with MORTISE_REGEX";
}

bool config_cel_pattern_matches(const char *pattern, const char *text)
{
	(void)pattern;
	(void)text;
	return false;
}
