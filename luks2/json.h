/* SPDX-License-Identifier: MIT */
/* Typed access to JSON over json-c. */
#ifndef LUKS2_JSON_H
#define LUKS2_JSON_H

#include <mortise.h>

#include <json-c/json.h>

/* Levels of nesting, the same limit as in cryptsetup. */
#define LUKS2_JSON_DEPTH 32
/* A header with 32 keyslots, 8 digests and 32 large tokens has some 2000 values. */
#define LUKS2_JSON_VALUES 8192

/*
 * Parses one value at the start of text. NULL: it is not valid, or nested too deeply or has too many
 * values, or there is no memory; *why says which. *end receives the end of the value, or the position
 * of the error.
 */
extern const char luks2_json_no_memory[]; /* the *why of this case */
struct json_object *luks2_json_parse(const char *text, size_t size, size_t *end, const char **why);

/* The member of this type, or NULL. object may be NULL here and below. */
struct json_object *luks2_json_get(struct json_object *object, const char *key,
				   enum json_type type);

/* The object whose key is this number in decimal, or NULL. */
struct json_object *luks2_json_get_id(struct json_object *object, int id);

/* A non-empty string member, or NULL. An embedded NUL ends it. */
const char *luks2_json_text(struct json_object *object, const char *key);

/* A string member of digits only that fits in 64 bits. */
bool luks2_json_decimal(struct json_object *object, const char *key, uint64_t *value);

/* An integer member within [0, max]. */
bool luks2_json_integer(struct json_object *object, const char *key, uint64_t max, uint64_t *value);

/* A base64 string member. *size: room in, bytes out. False: absent, invalid or too long. */
bool luks2_json_base64(struct json_object *object, const char *key, uint8_t *bytes, size_t *size);

/* True if text has only digits, as ids do. Empty text has, as in cryptsetup. */
bool luks2_json_digits(const char *text);

/* True if the array contains the string. array may be NULL. */
bool luks2_json_array_has(struct json_object *array, const char *text);

/* Removes each occurrence of the string. array may be NULL. */
void luks2_json_array_remove(struct json_object *array, const char *text);

/* New string values; at most MORTISE_SALT_MAX bytes of base64. NULL: out of memory. */
struct json_object *luks2_json_new_decimal(uint64_t value);
struct json_object *luks2_json_new_base64(const uint8_t *bytes, size_t size);

/*
 * Add value, which belongs to the object or array afterwards. False: value is NULL (the call can
 * contain its constructor) or out of memory; value is freed.
 */
bool luks2_json_add(struct json_object *object, const char *key, struct json_object *value);
bool luks2_json_add_id(struct json_object *object, int id, struct json_object *value);
bool luks2_json_append(struct json_object *array, struct json_object *value);

/* Removes the member whose key is this number. */
void luks2_json_remove_id(struct json_object *object, int id);

/* The text for the disk, without blanks and escaped slashes. It belongs to object. */
const char *luks2_json_plain(struct json_object *object);

#endif
