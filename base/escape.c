/* SPDX-License-Identifier: MIT */
/* Text from disks, servers and TPMs, made harmless for terminals and logs. */
#include <stdio.h>
#include <string.h>

#include <mortise.h>

/* Returns the number of bytes of the first character, or 0 if they are not valid UTF-8. */
static size_t decode(const uint8_t *bytes, size_t size, uint32_t *character)
{
	static const uint32_t lowest[] = { 0, 0, 0x80, 0x800, 0x10000 };
	size_t length;

	*character = bytes[0];
	if (bytes[0] < 0x80)
		return 1;
	if (bytes[0] < 0xc2 || bytes[0] > 0xf4)
		return 0;
	length = bytes[0] < 0xe0 ? 2 : bytes[0] < 0xf0 ? 3 : 4;
	if (size < length)
		return 0;
	*character &= 0x7fu >> length;
	for (size_t i = 1; i < length; i++) {
		if ((bytes[i] & 0xc0) != 0x80)
			return 0;
		*character = *character << 6 | (bytes[i] & 0x3f);
	}
	/* Overlong forms, surrogates, and numbers beyond Unicode. */
	if (*character < lowest[length] || (*character >= 0xd800 && *character < 0xe000) ||
	    *character > 0x10ffff)
		return 0;
	return length;
}

static bool is_harmless(enum mortise_escape_form form, uint32_t character)
{
	if (character == '\n' || character == '\t')
		return form != MORTISE_ESCAPE_LINE;
	/* C0, DEL and C1 control terminals. */
	if (character < 0x20 || (character >= 0x7f && character < 0xa0))
		return false;
	/* Separators of lines; marks, embeddings, overrides and isolates reorder text. */
	return character != 0x200e && character != 0x200f &&
	       !(character >= 0x2028 && character <= 0x202e) &&
	       !(character >= 0x2066 && character <= 0x2069);
}

/* Writes the first character, escaped if necessary. Returns its size before; *length: after. */
static size_t escape_one(enum mortise_escape_form form, const uint8_t *bytes, size_t size,
			 char out[static MORTISE_ESCAPE_MAX + 1], size_t *length)
{
	uint32_t character;
	const size_t valid = decode(bytes, size, &character), used = valid ? valid : 1;

	*length = 0;
	if (valid && is_harmless(form, character)) {
		memcpy(out, bytes, used);
		*length = used;
	} else if (form == MORTISE_ESCAPE_JSON) {
		*length = (size_t)snprintf(out, MORTISE_ESCAPE_MAX + 1, "\\u%04x",
					   valid ? character : bytes[0]);
	} else {
		for (size_t i = 0; i < used; i++)
			*length += (size_t)snprintf(out + *length, MORTISE_ESCAPE_MAX + 1 - *length,
						    "\\x%02x", bytes[i]);
	}
	return used;
}

size_t mortise_escape(enum mortise_escape_form form, const char **text, size_t *size, char *out,
		      size_t room)
{
	char one[MORTISE_ESCAPE_MAX + 1];
	size_t written = 0, length;

	while (*size) {
		const size_t used = escape_one(form, (const uint8_t *)*text, *size, one, &length);

		if (length > room - written)
			break;
		memcpy(out + written, one, length);
		written += length;
		*text += used;
		*size -= used;
	}
	return written;
}
