/* SPDX-License-Identifier: MIT */
/* Typed access to the JSON metadata: what LUKS2 adds to json-c's types. */
#ifndef LUKS2_JSON_H
#define LUKS2_JSON_H

#include <mortise.h>

#include <json-c/json.h>

/* Levels of nesting that cryptsetup reads, and no more. */
#define LUKS2_JSON_DEPTH 32

/* The member of object if it is there and of this type, else NULL. object may be NULL. */
struct json_object *luks2_json_get(struct json_object *object, const char *key,
				   enum json_type type);

/* The member with a decimal number for its key, NULL when there is none. */
struct json_object *luks2_json_get_id(struct json_object *object, int id);

/* The text of a non-empty string member, else NULL. A NUL inside ends it. */
const char *luks2_json_text(struct json_object *object, const char *key);

/* A string member of digits only that fits 64 bits. */
bool luks2_json_decimal(struct json_object *object, const char *key, uint64_t *value);

/* An integer member within [0, max]. */
bool luks2_json_integer(struct json_object *object, const char *key, uint64_t max, uint64_t *value);

/* A base64 string member; *size: room in, bytes out. False when it is none or too long. */
bool luks2_json_base64(struct json_object *object, const char *key, uint8_t *bytes, size_t *size);

/* Is every character a digit? Object keys are ids then. Empty text counts, as in cryptsetup. */
bool luks2_json_digits(const char *text);

/* Does an array of strings hold text? array may be NULL. */
bool luks2_json_array_has(struct json_object *array, const char *text);

/* Takes text out of an array of strings, wherever it stands. */
void luks2_json_array_remove(struct json_object *array, const char *text);

/* New values, at most MORTISE_SALT_MAX bytes. NULL when memory is short. */
struct json_object *luks2_json_new_decimal(uint64_t value);
struct json_object *luks2_json_new_base64(const uint8_t *bytes, size_t size);

/*
 * Adds key to object and takes value over. False, with value freed, when value is NULL (so
 * that a constructor may stand in the call) or memory is short.
 */
bool luks2_json_add(struct json_object *object, const char *key, struct json_object *value);
bool luks2_json_add_id(struct json_object *object, int id, struct json_object *value);
bool luks2_json_append(struct json_object *array, struct json_object *value);

/* Removes the member whose key is this number. */
void luks2_json_remove_id(struct json_object *object, int id);

/* The text that goes to disk: no blanks, no escaped slashes. Belongs to object. */
const char *luks2_json_plain(struct json_object *object);

#endif
