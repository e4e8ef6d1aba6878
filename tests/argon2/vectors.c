/* SPDX-License-Identifier: MIT */
/* Prints COUNT lines, each with the number of a case and its tag as computed by libargon2. */
#include <stdio.h>
#include <stdlib.h>

#include "tests/argon2/referee.h"

int main(int argc, char **argv)
{
	static struct argon2_case c;
	uint8_t tag[CASE_TAG_MAX];
	unsigned long count;

	if (argc != 3)
		return 1;
	count = strtoul(argv[1], NULL, 10);
	for (unsigned long number = 0; number < count; number++) {
		case_make(&c, number, (uint32_t)strtoul(argv[2], NULL, 10));
		if (referee(&c, tag) != ARGON2_OK)
			return 1;
		printf("%lu ", number);
		for (size_t i = 0; i < c.tag_size; i++)
			printf("%02x", tag[i]);
		putchar('\n');
	}
	return 0;
}
