/* SPDX-License-Identifier: MIT */
/* UTF-8 (RFC 3629) without the characters that control a terminal. */
#include "keys/sources/kms/text.h"

#include <string.h>

/* Returns the size of the character at from, 0 if it is not UTF-8. *point is its code point. */
static size_t decode_character(const uint8_t *from, size_t size, uint32_t *point)
{
	static const struct {
		uint8_t mask, lead;
		uint32_t least; /* smaller code points must use a shorter form */
	} forms[] = {
		{ 0x80, 0x00, 0 },
		{ 0xe0, 0xc0, 0x80 },
		{ 0xf0, 0xe0, 0x800 },
		{ 0xf8, 0xf0, 0x10000 },
	};

	for (size_t more = 0; more < sizeof(forms) / sizeof(forms[0]); more++) {
		if ((from[0] & forms[more].mask) != forms[more].lead)
			continue;
		if (size <= more)
			return 0;
		*point = (uint32_t)(from[0] & (uint8_t)~forms[more].mask);
		for (size_t i = 1; i <= more; i++) {
			if ((from[i] & 0xc0) != 0x80)
				return 0;
			*point = *point << 6 | (from[i] & 0x3fu);
		}
		if (*point < forms[more].least || *point > 0x10ffff ||
		    (*point >= 0xd800 && *point <= 0xdfff))
			return 0;
		return more + 1;
	}
	return 0;
}

static bool is_harmless(uint32_t point)
{
	return point >= 0x20 && !(point >= 0x7f && point <= 0x9f) &&
	       /* Line and paragraph separators, directional embeddings and isolates. */
	       !(point >= 0x2028 && point <= 0x202e) && !(point >= 0x2066 && point <= 0x2069) &&
	       point != 0x200e && point != 0x200f;
}

void keys_kms_text(char *to, size_t room, const char *from, size_t size)
{
	const uint8_t *bytes = (const uint8_t *)from;
	size_t length = 0, taken;
	uint32_t point;

	for (size_t i = 0; i < size; i += taken) {
		taken = decode_character(bytes + i, size - i, &point);
		if (!taken || !is_harmless(point)) {
			taken = taken ? taken : 1;
			if (length + 1 >= room)
				break;
			to[length++] = '?';
			continue;
		}
		if (length + taken >= room)
			break;
		memcpy(to + length, from + i, taken);
		length += taken;
	}
	to[length] = '\0';
}
