/* SPDX-License-Identifier: MIT */
/*
 * Base64 with padding. Text may be secret: no character selects a branch or an address. Compilers
 * keep it so as long as masks, not conditions, are computed (tests/secrets/time.c).
 */
#include "base/base64.h"

#include <string.h>

static char digit_of(unsigned value)
{
	unsigned digit = 'A' + value;

	/* The shift makes a mask of the borrow if value is above the number. */
	digit += ((25 - value) >> 8) & ('a' - 'Z' - 1);
	digit -= ((51 - value) >> 8) & ('z' - '0' + 1);
	digit -= ((61 - value) >> 8) & ('9' - '+' + 1);
	digit += ((62 - value) >> 8) & ('/' - '+' - 1);
	return (char)digit;
}

static unsigned value_of(char digit, unsigned *bad)
{
	static const struct {
		unsigned char first, last, value;
	} ranges[] = {
		{ 'A', 'Z', 0 },  { 'a', 'z', 26 }, { '0', '9', 52 },
		{ '+', '+', 62 }, { '/', '/', 63 },
	};
	const unsigned c = (unsigned char)digit;
	unsigned value = 0, known = 0;

	for (size_t i = 0; i < sizeof(ranges) / sizeof(ranges[0]); i++) {
		const unsigned below = ranges[i].first - 1u - c, above = c - ranges[i].last - 1u;
		const unsigned mask = 0u - ((below & above) >> 31);

		known |= mask;
		value |= (c - ranges[i].first + ranges[i].value) & mask;
	}
	*bad |= ~known;
	return value;
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
	unsigned bad = 0;

	if (length % 4)
		return false;
	while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
		padding++;
	if (length / 4 * 3 - padding > room)
		return false;
	for (size_t at = 0; at < length; at += 4) {
		unsigned group = 0;

		for (size_t i = 0; i < 4; i++) {
			group <<= 6;
			if (at + i < length - padding)
				group |= value_of(text[at + i], &bad);
		}
		for (unsigned shift = 24; shift > 0 && used < length / 4 * 3 - padding; shift -= 8)
			bytes[used++] = (uint8_t)(group >> (shift - 8));
	}
	*size = used;
	return !bad;
}
