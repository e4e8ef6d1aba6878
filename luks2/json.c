/* SPDX-License-Identifier: MIT */
#include "luks2/json.h"

#include <errno.h>
#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/base64.h"
#include "base/json_scan.h"

const char luks2_json_no_memory[] = "out of memory";

struct json_object *luks2_json_parse(const char *text, size_t size, size_t *end, const char **why)
{
	static const struct json_scan_limits limits = { LUKS2_JSON_DEPTH, LUKS2_JSON_VALUES };
	struct json_object *parsed = NULL;
	struct json_tokener *tokener;

	*why = size <= INT_MAX ? json_scan(text, size, &limits, end) : "too long";
	if (*why)
		return NULL;
	tokener = json_tokener_new_ex(LUKS2_JSON_DEPTH);
	if (!tokener) {
		*why = luks2_json_no_memory;
		return NULL;
	}
	parsed = json_tokener_parse_ex(tokener, text, (int)size);
	*end = json_tokener_get_parse_end(tokener);
	/* The scan has found no error. json-c represents null by NULL. */
	if (!parsed)
		*why = *text == '{' || *text == '[' ? luks2_json_no_memory
						    : "not an object or array";
	json_tokener_free(tokener);
	return parsed;
}

struct json_object *luks2_json_get(struct json_object *object, const char *key, enum json_type type)
{
	struct json_object *member;

	if (!object || !json_object_is_type(object, json_type_object) ||
	    !json_object_object_get_ex(object, key, &member) || !json_object_is_type(member, type))
		return NULL;
	return member;
}

/* Without leading zeros: a key such as "00" is another one. */
static void format_id(int id, char text[static 12])
{
	snprintf(text, 12, "%d", id);
}

struct json_object *luks2_json_get_id(struct json_object *object, int id)
{
	char key[12];

	if (id < 0)
		return NULL;
	format_id(id, key);
	return luks2_json_get(object, key, json_type_object);
}

const char *luks2_json_text(struct json_object *object, const char *key)
{
	struct json_object *member = luks2_json_get(object, key, json_type_string);
	const char *text = member ? json_object_get_string(member) : NULL;

	return text && *text ? text : NULL;
}

bool luks2_json_digits(const char *text)
{
	return text[strspn(text, "0123456789")] == '\0';
}

bool luks2_json_decimal(struct json_object *object, const char *key, uint64_t *value)
{
	const char *text = luks2_json_text(object, key);
	unsigned long long number;

	if (!text || !luks2_json_digits(text))
		return false;
	errno = 0;
	number = strtoull(text, NULL, 10);
	if (errno)
		return false;
	*value = number;
	return true;
}

bool luks2_json_integer(struct json_object *object, const char *key, uint64_t max, uint64_t *value)
{
	struct json_object *member = luks2_json_get(object, key, json_type_int);
	int64_t number;

	if (!member)
		return false;
	errno = 0;
	number = json_object_get_int64(member);
	if (errno || number < 0 || (uint64_t)number > max)
		return false;
	*value = (uint64_t)number;
	return true;
}

bool luks2_json_base64(struct json_object *object, const char *key, uint8_t *bytes, size_t *size)
{
	const char *text = luks2_json_text(object, key);

	return text && base64_decode(text, bytes, size);
}

bool luks2_json_array_has(struct json_object *array, const char *text)
{
	size_t length = array ? json_object_array_length(array) : 0;

	for (size_t i = 0; i < length; i++) {
		struct json_object *item = json_object_array_get_idx(array, i);

		if (json_object_is_type(item, json_type_string) &&
		    !strcmp(json_object_get_string(item), text))
			return true;
	}
	return false;
}

void luks2_json_array_remove(struct json_object *array, const char *text)
{
	size_t i = 0;

	while (array && i < json_object_array_length(array)) {
		struct json_object *item = json_object_array_get_idx(array, i);

		if (json_object_is_type(item, json_type_string) &&
		    !strcmp(json_object_get_string(item), text))
			json_object_array_del_idx(array, i, 1);
		else
			i++;
	}
}

struct json_object *luks2_json_new_decimal(uint64_t value)
{
	char text[24];

	snprintf(text, sizeof(text), "%" PRIu64, value);
	return json_object_new_string(text);
}

struct json_object *luks2_json_new_base64(const uint8_t *bytes, size_t size)
{
	char text[BASE64_ROOM(MORTISE_SALT_MAX)];

	if (size > MORTISE_SALT_MAX)
		return NULL;
	base64_encode(bytes, size, text);
	return json_object_new_string(text);
}

bool luks2_json_add(struct json_object *object, const char *key, struct json_object *value)
{
	if (!value)
		return false;
	if (json_object_object_add(object, key, value) < 0) {
		json_object_put(value);
		return false;
	}
	return true;
}

bool luks2_json_add_id(struct json_object *object, int id, struct json_object *value)
{
	char key[12];

	format_id(id, key);
	return luks2_json_add(object, key, value);
}

bool luks2_json_append(struct json_object *array, struct json_object *value)
{
	if (!value)
		return false;
	if (json_object_array_add(array, value) < 0) {
		json_object_put(value);
		return false;
	}
	return true;
}

void luks2_json_remove_id(struct json_object *object, int id)
{
	char key[12];

	format_id(id, key);
	json_object_object_del(object, key);
}

const char *luks2_json_plain(struct json_object *object)
{
	return json_object_to_json_string_ext(object, JSON_C_TO_STRING_PLAIN |
							      JSON_C_TO_STRING_NOSLASHESCAPE);
}
