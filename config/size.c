/* SPDX-License-Identifier: MIT */
/* Sizes as parsed by Go's dustin/go-humanize, with a sign, or percentages. Go durations. */
#include <string.h>
#include <strings.h>

#include "config/size.h"

/*
 * Parses digits with at most one point among them. strtod(3) depends on the locale and accepts
 * hexadecimal numbers and infinity, too. Returns the rest of text; NULL if there is no number.
 */
static const char *parse_decimal(const char *text, double *value)
{
	double weight = 1;
	bool digit = false;
	bool point = false;

	*value = 0;
	for (; *text; text++) {
		if (*text == '.' && !point) {
			point = true;
		} else if (*text >= '0' && *text <= '9') {
			digit = true;
			if (point)
				weight /= 10;
			*value = point ? *value + weight * (*text - '0')
				       : *value * 10 + (*text - '0');
		} else {
			break;
		}
	}
	return digit && *text != '.' ? text : NULL;
}

static bool parse_unit(const char *text, double *unit)
{
	static const char letters[] = "kmgtpe";
	const char *letter;
	double step = 1000;
	double factor = 1;

	text += strspn(text, " \t");
	if (*text && (letter = strchr(letters, *text | 0x20))) {
		text++;
		if ((*text | 0x20) == 'i') {
			step = 1024;
			text++;
		}
		for (ptrdiff_t i = 0; i <= letter - letters; i++)
			factor *= step;
	}
	*unit = factor;
	return text[strspn(text, " \t")] == 0 || strcasecmp(text, "b") == 0;
}

static void read_bytes(struct config_log *log, const struct config_field *field, const char *text,
		       struct config_size *size)
{
	char shown[CONFIG_PRINTABLE_SIZE];
	const char *rest;
	double unit;
	double value;

	rest = parse_decimal(text, &value);
	if (!rest) {
		config_error(log, field->value->position,
			     "invalid size \"%s\"; use bytes, or a number with a unit like 100MB "
			     "or 2.5GiB",
			     config_printable(text, strlen(text), shown));
		return;
	}
	if (!parse_unit(rest, &unit)) {
		rest += strspn(rest, " \t");
		config_error(log, field->value->position, "unhandled size name: %s",
			     config_printable(rest, strlen(rest), shown));
		return;
	}
	value *= unit;
	if (value >= 18446744073709551616.0) {
		config_error(log, field->value->position, "too large: %s",
			     config_printable(text, strlen(text), shown));
		return;
	}
	size->given = true;
	size->value = (uint64_t)value;
}

static void read_percent(struct config_log *log, const struct config_field *field, const char *text,
			 struct config_size *size)
{
	char shown[CONFIG_PRINTABLE_SIZE];
	const char *rest;
	double value;

	if (text[strlen(text) - 1] != '%') {
		config_error(log, field->value->position, "percentage must end with '%%'");
		return;
	}
	config_printable(text, strlen(text) - 1, shown);
	rest = parse_decimal(text + (*text == '-'), &value);
	if (!rest || rest[0] != '%' || rest[1] != 0) {
		config_error(log, field->value->position, "invalid percentage value: \"%s\"",
			     shown);
		return;
	}
	if (value > 100 || (*text == '-' && value > 0)) {
		config_error(log, field->value->position,
			     "percentage must be between 0 and 100, got %s", shown);
		return;
	}
	size->given = true;
	size->percent = true;
	size->value = (uint64_t)value;
}

void config_field_size(struct config_log *log, const struct config_field *field, bool percent,
		       struct config_size *size)
{
	const char *text;

	*size = (struct config_size){ 0 };
	if (!config_field_text(log, field, &text) || !*text)
		return;
	size->negative = *text == '-';
	text += size->negative;
	if (percent && strchr(text, '%'))
		read_percent(log, field, text, size);
	else
		read_bytes(log, field, text, size);
}

static const char *parse_duration_unit(const char *text, double *unit)
{
	static const struct {
		const char *name;
		double seconds;
	} units[] = {
		{ "ns", 1e-9 }, { "us", 1e-6 }, { "\u00b5s", 1e-6 }, { "\u03bcs", 1e-6 },
		{ "ms", 1e-3 }, { "s", 1 },	{ "m", 60 },	     { "h", 3600 },
	};

	for (size_t i = 0; i < sizeof(units) / sizeof(units[0]); i++) {
		size_t length = strlen(units[i].name);

		if (strncmp(text, units[i].name, length) == 0) {
			*unit = units[i].seconds;
			return text + length;
		}
	}
	return NULL;
}

bool config_field_duration(struct config_log *log, const struct config_field *field,
			   double *seconds)
{
	const char *text;
	double total = 0;
	double value;
	double unit;
	bool minus;

	if (!config_field_text(log, field, &text))
		return false;
	minus = *text == '-';
	text += *text == '-' || *text == '+';
	if (strcmp(text, "0") == 0) {
		*seconds = 0;
		return true;
	}
	do {
		text = parse_decimal(text, &value);
		text = text ? parse_duration_unit(text, &unit) : NULL;
		total += text ? value * unit : 0;
	} while (text && *text);
	/* The limit of Go: nanoseconds in 63 bits, 292 years. */
	if (!text || total > 9223372036.0) {
		config_error(log, field->value->position,
			     "\"%s\" must be a duration like 12h or 1h30m", field->name);
		return false;
	}
	*seconds = minus ? -total : total;
	return true;
}
