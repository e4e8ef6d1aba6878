/* SPDX-License-Identifier: MIT */
#include "luks2/canonical.h"

#include <json-c/printbuf.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"

struct writer {
	struct printbuf *text;
	const struct json_object *skip;
	bool failed;
};

static void write_value(struct writer *writer, struct json_object *value);

static void write_text(struct writer *writer, const char *text)
{
	if (!text || printbuf_memappend(writer->text, text, (int)strlen(text)) < 0)
		writer->failed = true;
}

/* json-c writes equal scalars as equal text. */
static void write_scalar(struct writer *writer, struct json_object *value)
{
	write_text(writer, value ? luks2_json_plain(value) : "null");
}

static void write_name(struct writer *writer, const char *name)
{
	struct json_object *string = json_object_new_string(name);

	write_scalar(writer, string);
	if (!string)
		writer->failed = true;
	json_object_put(string);
}

static int compare_names(const void *a, const void *b)
{
	return strcmp(*(const char *const *)a, *(const char *const *)b);
}

static void write_object(struct writer *writer, struct json_object *object)
{
	const size_t count = (size_t)json_object_object_length(object);
	const char **names = calloc(count + 1, sizeof(*names));
	const char *before = "{";
	size_t used = 0;

	if (!names) {
		writer->failed = true;
		return;
	}
	json_object_object_foreach(object, name, member) {
		if (!member || member != writer->skip)
			names[used++] = name;
	}
	qsort(names, used, sizeof(*names), compare_names);
	for (size_t i = 0; i < used; i++) {
		write_text(writer, before);
		write_name(writer, names[i]);
		write_text(writer, ":");
		write_value(writer, json_object_object_get(object, names[i]));
		before = ",";
	}
	write_text(writer, used ? "}" : "{}");
	free(names);
}

static void write_array(struct writer *writer, struct json_object *array)
{
	const size_t length = json_object_array_length(array);

	write_text(writer, "[");
	for (size_t i = 0; i < length; i++) {
		if (i)
			write_text(writer, ",");
		write_value(writer, json_object_array_get_idx(array, i));
	}
	write_text(writer, "]");
}

/* The parser has limited the depth. */
static void write_value(struct writer *writer, struct json_object *value)
{
	if (json_object_is_type(value, json_type_object))
		write_object(writer, value);
	else if (json_object_is_type(value, json_type_array))
		write_array(writer, value);
	else
		write_scalar(writer, value);
}

enum mortise_code luks2_canonical(struct json_object *value, const struct json_object *skip,
				  char **out, struct mortise_error *err)
{
	struct writer writer = { .text = printbuf_new(), .skip = skip };

	*out = NULL;
	if (!writer.text)
		return error_memory(err);
	write_value(&writer, value);
	if (!writer.failed)
		*out = strdup(writer.text->buf);
	printbuf_free(writer.text);
	return *out ? MORTISE_OK : error_memory(err);
}
