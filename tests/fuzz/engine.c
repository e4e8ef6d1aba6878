/* SPDX-License-Identifier: MIT */
/* With libFuzzer, instead of driver.c: prints at exit how many inputs were accepted. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/fuzz/fuzz.h"

static size_t accepted[FUZZ_KINDS_MAX];

static void report(void)
{
	for (unsigned kind = 0; fuzz_kinds[kind]; kind++)
		printf("accepted: %zu %s\n", accepted[kind], fuzz_kinds[kind]);
}

void fuzz_accepted(unsigned kind)
{
	static bool registered;

	if (!registered)
		registered = !atexit(report);
	accepted[kind]++;
}
