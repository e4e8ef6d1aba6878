/* SPDX-License-Identifier: MIT */
/* Which values of META may be printed: text, and JSON with its passphrases hidden. */
#ifndef CLI_META_VALUE_H
#define CLI_META_VALUE_H

#include <mortise-declared.h>

#include <stdbool.h>
#include <stddef.h>

/*
 * The number of bytes of the UTF-8 character at text. 0: invalid, or a control character other than
 * tab, newline and carriage return.
 */
size_t meta_value_character(const char *text, size_t size);
/* Does the value consist of such characters? */
bool meta_value_is_text(const char *value, size_t size);

/*
 * The size of shown below, including the NUL: a member whose value is hidden has at least six bytes
 * and grows by at most seven.
 */
#define META_VALUE_ROOM(size) (3 * (size) + 1)

/*
 * Is the value one JSON value (RFC 8259)? Unless shown is NULL, it receives the same text,
 * NUL-terminated, with "******" instead of each passphrase. No copy of a passphrase remains.
 */
bool meta_value_json(const char *value, size_t size, char *shown);

#endif
