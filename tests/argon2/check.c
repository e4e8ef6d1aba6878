/* SPDX-License-Identifier: MIT */
/* Reads the output of vectors.c, and checks each tag with every kernel for this processor. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "keys/argon2/kernel.h"
#include "tests/argon2/cases.h"
#include "tests/vectors/hex.h"

static int check(struct argon2_case *c, const uint8_t *expected, const char *kernel)
{
	uint8_t tag[CASE_TAG_MAX];

	if (!keys_argon2(&c->kdf, &c->input, tag, c->tag_size, NULL) &&
	    !memcmp(tag, expected, c->tag_size))
		return 0;
	printf("%s, %u threads: type %d version 0x%x time %u memory %u lanes %u\n", kernel,
	       c->input.threads, (int)c->kdf.type, c->input.version, c->kdf.time, c->kdf.memory_kib,
	       c->kdf.lanes);
	return 1;
}

int main(int argc, char **argv)
{
	static char line[2 * CASE_TAG_MAX + 32], text[sizeof(line)];
	const struct keys_argon2_kernel *kernel;
	static struct argon2_case c;
	uint8_t expected[CASE_TAG_MAX];
	unsigned checked = 0, wrong = 0;
	unsigned long number;

	if (argc != 2)
		return 1;
	while (fgets(line, sizeof(line), stdin)) {
		if (sscanf(line, "%lu %s", &number, text) != 2)
			return 1;
		case_make(&c, number, (uint32_t)strtoul(argv[1], NULL, 10));
		if (from_hex(text, expected, sizeof(expected)) != c.tag_size)
			return 1;
		for (unsigned k = 0; (kernel = keys_argon2_kernel_at(k)); k++) {
			c.input.kernel = kernel;
			c.input.threads = 1 + ((unsigned)number + k) % 4;
			wrong += (unsigned)check(&c, expected, kernel->name);
			checked++;
		}
	}
	printf("%u computed by", checked);
	for (unsigned k = 0; (kernel = keys_argon2_kernel_at(k)); k++)
		printf(" %s", kernel->name);
	printf(", %u wrong\n", wrong);
	return wrong || !checked;
}
