/* SPDX-License-Identifier: MIT */
/* Big-endian integers and padded text, the fields of binary headers. */
#ifndef LUKS2_BYTES_H
#define LUKS2_BYTES_H

#include <stdint.h>
#include <string.h>

static inline uint64_t load_be(const uint8_t *bytes, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	return value;
}

static inline void store_be(uint8_t *bytes, unsigned size, uint64_t value)
{
	for (unsigned i = size; i > 0; i--) {
		bytes[i - 1] = (uint8_t)value;
		value >>= 8;
	}
}

/* room: bytes of the field; the last one of text becomes NUL. */
static inline void load_text(char *text, size_t room, const uint8_t *bytes)
{
	memcpy(text, bytes, room);
	text[room - 1] = '\0';
}

static inline void store_text(uint8_t *bytes, const char *text, size_t room)
{
	memset(bytes, 0, room);
	memcpy(bytes, text, strnlen(text, room - 1));
}

#endif
