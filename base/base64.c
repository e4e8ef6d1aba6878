/* SPDX-License-Identifier: MIT */
/* Base64 with padding. Comparisons replace a look-up table, so that secrets index no memory. */
#include "base/base64.h"

#include <string.h>

static char digit_of(unsigned value)
{
	if (value < 26)
		return (char)('A' + value);
	if (value < 52)
		return (char)('a' + (value - 26));
	if (value < 62)
		return (char)('0' + (value - 52));
	return value == 62 ? '+' : '/';
}

static int value_of(char digit)
{
	if (digit >= 'A' && digit <= 'Z')
		return digit - 'A';
	if (digit >= 'a' && digit <= 'z')
		return digit - 'a' + 26;
	if (digit >= '0' && digit <= '9')
		return digit - '0' + 52;
	if (digit == '+')
		return 62;
	return digit == '/' ? 63 : -1;
}

void base64_encode(const uint8_t *bytes, size_t size, char *text)
{
	while (size) {
		size_t taken = size < 3 ? size : 3;
		unsigned group = (unsigned)bytes[0] << 16;

		if (taken > 1)
			group |= (unsigned)bytes[1] << 8;
		if (taken > 2)
			group |= bytes[2];
		for (unsigned i = 0; i < 4; i++)
			*text++ = i <= taken ? digit_of(group >> (18 - 6 * i) & 63) : '=';
		bytes += taken;
		size -= taken;
	}
	*text = '\0';
}

bool base64_decode(const char *text, uint8_t *bytes, size_t *size)
{
	size_t length = strlen(text), padding = 0, room = *size, used = 0;

	if (length % 4)
		return false;
	while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
		padding++;
	if (length / 4 * 3 - padding > room)
		return false;
	for (size_t at = 0; at < length; at += 4) {
		unsigned group = 0;

		for (size_t i = 0; i < 4; i++) {
			bool pad = at + i >= length - padding;
			int value = pad ? 0 : value_of(text[at + i]);

			if (value < 0)
				return false;
			group = group << 6 | (unsigned)value;
		}
		for (unsigned shift = 24; shift > 0 && used < length / 4 * 3 - padding; shift -= 8)
			bytes[used++] = (uint8_t)(group >> (shift - 8));
	}
	*size = used;
	return true;
}
