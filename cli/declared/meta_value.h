/* SPDX-License-Identifier: MIT */
/* Values of META as they may be shown: text or not, and JSON without its passphrases. */
#ifndef CLI_META_VALUE_H
#define CLI_META_VALUE_H

#include <mortise-declared.h>

#include <stdbool.h>
#include <stddef.h>

/* Bytes of the UTF-8 character at text; 0: none, or a control character but tab and line end. */
size_t meta_value_character(const char *text, size_t size);
/* Nothing but such characters. */
bool meta_value_is_text(const char *value, size_t size);

/* Room for shown below, NUL included: a member of five bytes grows by seven. */
#define META_VALUE_ROOM(size) (3 * (size) + 1)

/*
 * Is it one JSON value (RFC 8259)? When shown is not NULL it receives the same text,
 * NUL-terminated, but for "******" where a passphrase stands. No copy of one is left anywhere.
 */
bool meta_value_json(const char *value, size_t size, char *shown);

#endif
