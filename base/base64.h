/* SPDX-License-Identifier: MIT */
/* Base64 with padding (RFC 4648, section 4), as LUKS2 headers and tokens use it. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <mortise.h>

/* The characters that encode size bytes, including the NUL. */
#define BASE64_ROOM(size) (4u * (((size) + 2u) / 3u) + 1u)

/* text has room for BASE64_ROOM(size) characters. */
void base64_encode(const uint8_t *bytes, size_t size, char *text);

/*
 * *size is the room at bytes before the call, and the number of decoded bytes after it. Returns
 * false if text is not base64 (white space is not accepted) or needs more room.
 */
MORTISE_MUST_CHECK bool base64_decode(const char *text, uint8_t *bytes, size_t *size);

#endif
