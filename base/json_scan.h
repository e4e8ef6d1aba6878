/* SPDX-License-Identifier: MIT */
/*
 * Checks JSON text before json-c builds objects of it: two characters of text ("{}") become more
 * than 700 bytes of memory.
 */
#ifndef BASE_JSON_SCAN_H
#define BASE_JSON_SCAN_H

#include <stddef.h>

#define JSON_SCAN_DEPTH_MAX 64u

struct json_scan_limits {
	unsigned depth;		/* levels of nesting, at most JSON_SCAN_DEPTH_MAX */
	size_t values;		/* objects, arrays, strings, numbers, true, false, null */
};

/*
 * Scans one value and white space around it, as RFC 8259 defines them; the encoding of strings is
 * not checked. NULL: the value is within the limits. Otherwise says what is wrong ("more than 8192
 * values"). *end receives the number of bytes scanned, or the position of the error.
 */
const char *json_scan(const char *text, size_t size, const struct json_scan_limits *limits,
		      size_t *end);

#endif
