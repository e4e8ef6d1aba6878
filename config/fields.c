/* SPDX-License-Identifier: MIT */
#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/fields.h"

/* Longer than every known key: "checkSecurebootStatusOnEnroll" has 29 characters. */
#define WORD_MAX 40u

static unsigned get_minimum(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

static unsigned compute_distance(const char *a, size_t a_size, const char *b)
{
	size_t b_size = strlen(b);
	unsigned row[WORD_MAX + 1];

	if (a_size > WORD_MAX || b_size > WORD_MAX)
		return WORD_MAX;
	for (unsigned j = 0; j <= b_size; j++)
		row[j] = j;
	for (unsigned i = 1; i <= a_size; i++) {
		unsigned diagonal = row[0];

		row[0] = i;
		for (size_t j = 1; j <= b_size; j++) {
			unsigned above = row[j];
			bool same = tolower((unsigned char)a[i - 1]) ==
				    tolower((unsigned char)b[j - 1]);

			row[j] = get_minimum(get_minimum(above, row[j - 1]) + 1, diagonal + !same);
			diagonal = above;
		}
	}
	return row[b_size];
}

unsigned config_node_distance(const struct config_node *node, const char *word)
{
	return compute_distance(config_node_text(node), config_node_size(node), word);
}

const struct config_node *config_node_child(const struct config_node *mapping, const char *name)
{
	for (const struct config_node *key = mapping->child; key; key = key->next->next)
		if (config_node_is(key, name))
			return config_node_null(key->next) ? NULL : key->next;
	return NULL;
}

/* The allowed key that was probably misspelled; NULL if none is similar. */
static const char *find_similar(const struct config_node *key, const struct config_schema *schema)
{
	const char *best = NULL;
	unsigned best_distance = WORD_MAX;

	for (size_t i = 0; i < schema->count; i++) {
		unsigned d = config_node_distance(key, schema->names[i]);

		if (d < best_distance && d <= 1 + strlen(schema->names[i]) / 4) {
			best = schema->names[i];
			best_distance = d;
		}
	}
	return best;
}

static void list_names(const struct config_schema *schema, char *text, size_t room)
{
	size_t used = 0;

	text[0] = 0;
	for (size_t i = 0; i < schema->count && used < room; i++)
		used += (size_t)snprintf(text + used, room - used, "%s%s", i ? ", " : "",
					 schema->names[i]);
}

/*
 * The key is printed only if it is similar to an allowed one: a line of a passphrase that lost its
 * indentation looks like a key.
 */
static void report_unknown_key(struct config_log *log, const struct config_node *key,
			       const struct config_schema *schema)
{
	const char *like = schema->secret ? NULL : find_similar(key, schema);
	char shown[CONFIG_PRINTABLE_SIZE];
	char allowed[160];

	list_names(schema, allowed, sizeof(allowed));
	if (schema->count == 0)
		config_error(log, key->position, "unknown key: no keys are allowed here; write {}");
	else if (like)
		config_error(log, key->position, "unknown key \"%s\": did you mean \"%s\"?",
			     config_printable(config_node_text(key), config_node_size(key), shown),
			     like);
	else
		config_error(log, key->position, "unknown key; allowed here: %s", allowed);
}

static size_t find_field(const struct config_schema *schema, const struct config_node *key)
{
	size_t i;

	if (schema->alias && config_node_is(key, schema->alias))
		return schema->alias_of;
	for (i = 0; i < schema->count; i++)
		if (config_node_is(key, schema->names[i]))
			break;
	return i;
}

/* Nodes made from JSON have no line. */
static void report_repeated_key(struct config_log *log, const struct config_node *key,
				const struct config_field *field)
{
	if (key->position.line)
		config_error(log, key->position, "\"%s\" is given twice, first in line %u",
			     field->name, field->key->position.line);
	else
		config_error(log, key->position, "\"%s\" is given twice", field->name);
}

void config_fields_read(struct config_log *log, const struct config_node *mapping,
			const struct config_schema *schema, struct config_field *field)
{
	const struct config_node *value;

	for (size_t i = 0; i < schema->count; i++)
		field[i] = (struct config_field){ .name = schema->names[i] };
	for (const struct config_node *key = mapping->child; key; key = value->next) {
		size_t i;

		value = key->next;
		if (key->kind != CONFIG_SCALAR) {
			config_error(log, key->position, "a key must be text, not %s",
				     config_node_kind_name(key));
			continue;
		}
		if (value->kind == CONFIG_SCALAR && value->tag == CONFIG_TAG_BINARY)
			config_error(log, value->position,
				     "!!binary is not supported; write the text without a tag");
		i = find_field(schema, key);
		if (i == schema->count) {
			report_unknown_key(log, key, schema);
		} else if (field[i].key) {
			report_repeated_key(log, key, &field[i]);
		} else {
			field[i].key = key;
			field[i].value = config_node_null(value) ? NULL : value;
		}
	}
}

struct config_position config_field_position(const struct config_field *field)
{
	return field->value ? field->value->position : field->key->position;
}

/* The value is never printed: it may be a misplaced secret. */
static void report_wrong_type(struct config_log *log, const struct config_field *field,
			      const char *expected)
{
	if (field->value->kind == CONFIG_SCALAR)
		config_error(log, field->value->position, "\"%s\" must be %s", field->name,
			     expected);
	else
		config_error(log, field->value->position, "\"%s\" must be %s, not %s", field->name,
			     expected, config_node_kind_name(field->value));
}

bool config_field_bool(struct config_log *log, const struct config_field *field, bool *out)
{
	/* The spellings that Talos's decoder accepts, some of them from YAML 1.1. */
	static const char *const yes[] = { "true", "True", "TRUE", "yes", "on", "y", "Y" };
	static const char *const no[] = { "false", "False", "FALSE", "no", "off", "n", "N" };
	bool boolean, truth;

	if (!field->value)
		return false;
	boolean = config_node_may_be(field->value, CONFIG_TAG_BOOL);
	for (size_t i = 0; boolean && i < sizeof(yes) / sizeof(yes[0]); i++) {
		truth = config_node_is(field->value, yes[i]);
		if (!truth && !config_node_is(field->value, no[i]))
			continue;
		*out = truth;
		return true;
	}
	report_wrong_type(log, field, "true or false");
	return false;
}

/* The digits after a sign; "1.0" is an integer in Go's decoder, too. */
static bool parse_digits(const char *text, unsigned long long *value)
{
	const bool zero = text[0] == '0';
	const int letter = tolower((unsigned char)text[1]);
	int base = 10;
	char *end;

	if (zero && (letter == 'x' || letter == 'o' || letter == 'b'))
		base = letter == 'x' ? 16 : letter == 'o' ? 8 : 2;
	else if (zero && text[strspn(text, "01234567")] == '\0')
		base = 8;
	text += base != 10 && letter > '9' ? 2 : 0;
	if (!isxdigit((unsigned char)*text))
		return false;
	errno = 0;
	*value = strtoull(text, &end, base);
	if (base == 10 && *end == '.')
		end += 1 + strspn(end + 1, "0");
	return *end == '\0' && end > text && errno == 0;
}

bool config_node_number(const struct config_node *node, long long *out)
{
	char text[72] = ""; /* 64 binary digits */
	unsigned long long value;
	size_t used = 0;
	bool minus;

	if (!config_node_may_be(node, CONFIG_TAG_INT) &&
	    !config_node_may_be(node, CONFIG_TAG_FLOAT))
		return false;
	for (size_t i = 0; i < config_node_size(node); i++) {
		if (used == sizeof(text) - 1)
			return false;
		if (config_node_text(node)[i] != '_')
			text[used++] = config_node_text(node)[i];
	}
	minus = text[0] == '-';
	if (strlen(text) != used || !parse_digits(text + (minus || text[0] == '+'), &value) ||
	    value > LLONG_MAX)
		return false;
	*out = minus ? -(long long)value : (long long)value;
	return true;
}

bool config_field_number(struct config_log *log, const struct config_field *field, long long *out)
{
	if (!field->value)
		return false;
	if (config_node_number(field->value, out))
		return true;
	report_wrong_type(log, field, "an integer without quotes");
	return false;
}

bool config_field_text(struct config_log *log, const struct config_field *field, const char **out)
{
	if (!field->value)
		return false;
	if (field->value->kind != CONFIG_SCALAR) {
		report_wrong_type(log, field, "text");
		return false;
	}
	if (memchr(config_node_text(field->value), 0, config_node_size(field->value))) {
		report_wrong_type(log, field, "text without NUL characters");
		return false;
	}
	*out = config_node_text(field->value);
	return true;
}

static bool has_kind(struct config_log *log, const struct config_field *field,
		     enum config_node_kind kind, const char *expected)
{
	if (!field->value)
		return false;
	if (field->value->kind == kind)
		return true;
	report_wrong_type(log, field, expected);
	return false;
}

bool config_field_mapping(struct config_log *log, const struct config_field *field)
{
	return has_kind(log, field, CONFIG_MAPPING, "a mapping");
}

bool config_field_list(struct config_log *log, const struct config_field *field)
{
	return has_kind(log, field, CONFIG_LIST, "a list");
}
