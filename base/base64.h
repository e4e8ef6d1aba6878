/* SPDX-License-Identifier: MIT */
/* Base64 with padding (RFC 4648, section 4), as LUKS2 headers and tokens use it. */
#ifndef BASE_BASE64_H
#define BASE_BASE64_H

#include <mortise.h>

/* Characters that encode size bytes, NUL counted. */
#define BASE64_ROOM(size) (4u * (((size) + 2u) / 3u) + 1u)

/* text has BASE64_ROOM(size) bytes of room. */
void base64_encode(const uint8_t *bytes, size_t size, char *text);

/*
 * *size: room at bytes in, bytes decoded out. False when text is not base64 (blanks are
 * not taken) or needs more room.
 */
MORTISE_MUST_CHECK bool base64_decode(const char *text, uint8_t *bytes, size_t *size);

#endif
