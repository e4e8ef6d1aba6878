/* SPDX-License-Identifier: MIT */
/* Test vectors are written in hexadecimal, as in their sources. */
#ifndef TESTS_HEX_H
#define TESTS_HEX_H

#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

/* Decodes text to at most room bytes, and returns their number. */
static inline size_t from_hex(const char *text, uint8_t *bytes, size_t room)
{
	const size_t size = strlen(text) / 2;

	if (size > room)
		abort();
	for (size_t i = 0; i < size; i++) {
		const char digits[3] = { text[2 * i], text[2 * i + 1], '\0' };

		bytes[i] = (uint8_t)strtoul(digits, NULL, 16);
	}
	return size;
}

#endif
