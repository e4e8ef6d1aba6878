/* SPDX-License-Identifier: MIT */
/* A build without regular expressions (MORTISE_REGEX): some C libraries' take 20 kB. */
#include "config/selector/cel.h"

const char *config_cel_pattern_flaw(const char *pattern)
{
	(void)pattern;
	return "this build of mortise has no matches(): build it with MORTISE_REGEX, or use glob()";
}

bool config_cel_pattern_fits(const char *pattern, const char *text)
{
	(void)pattern;
	(void)text;
	return false;
}
