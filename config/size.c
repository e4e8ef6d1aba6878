/* SPDX-License-Identifier: MIT */
/* Sizes as parsed by Go's dustin/go-humanize, with a sign, or percentages. Go durations. */
#include <stdlib.h>
#include <string.h>

#include "config/size.h"

/*
 * Parses digits with at most one point among them; commas are skipped if they are allowed.
 * strtod(3) depends on the locale and accepts hexadecimal numbers and infinity, too. Returns the
 * rest of text; NULL if there is no number.
 */
static const char *parse_decimal(const char *text, bool commas, double *value)
{
	double scale = 1;
	bool digit = false;
	bool point = false;

	*value = 0;
	for (; *text; text++) {
		if (*text == '.' && !point) {
			point = true;
		} else if (*text >= '0' && *text <= '9') {
			digit = true;
			*value = *value * 10 + (*text - '0');
			scale *= point ? 10 : 1;
		} else if (*text != ',' || !commas) {
			break;
		}
	}
	/* A single division is as exact as Go's conversion for up to 15 digits. */
	*value /= scale;
	return digit && *text != '.' ? text : NULL;
}

/* Parses "e5" if it follows a number. */
static const char *parse_exponent(const char *text, double *value)
{
	long exponent;
	char *end;

	if (!text || (*text | 0x20) != 'e')
		return text;
	if (!strchr("+-0123456789", text[1]))
		return NULL;
	exponent = strtol(text + 1, &end, 10);
	if (end == text + 1)
		return NULL;
	for (; exponent > 0 && *value < 1e300; exponent--)
		*value *= 10;
	for (; exponent < 0 && *value > 0; exponent++)
		*value /= 10;
	return end;
}

/* A unit without regard to case: a letter, "i", "b", each of which may be missing. */
static bool parse_unit(const char *text, double *unit)
{
	static const char letters[] = "kmgtpe";
	static const char blanks[] = " \t\r\n\v\f";
	const char *letter;
	double step = 1000;
	double factor = 1;

	text += strspn(text, blanks);
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
	text += (*text | 0x20) == 'b';
	return text[strspn(text, blanks)] == '\0';
}

static void read_bytes(struct config_log *log, const struct config_field *field, const char *text,
		       struct config_size *size)
{
	char shown[CONFIG_PRINTABLE_SIZE];
	const char *rest;
	double unit;
	double value;

	rest = parse_decimal(text, true, &value);
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
	rest = parse_decimal(text + (*text == '-' || *text == '+'), false, &value);
	rest = parse_exponent(rest, &value);
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

void config_size_parse(struct config_log *log, const struct config_field *field, const char *text,
		       struct config_size *size)
{
	*size = (struct config_size){ 0 };
	read_bytes(log, field, text + strspn(text, " \t"), size);
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
		text = parse_decimal(text, false, &value);
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
