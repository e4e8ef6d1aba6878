/* SPDX-License-Identifier: MIT */
/* The grammar of sizes: what dustin/go-humanize parses, a sign, and percents. */
#include <string.h>
#include <strings.h>

#include "config/size.h"

/*
 * Digits with at most one point among them; strtod(3) would read the point by locale, and
 * hexadecimals and infinities as well. Returns what follows, NULL when there is no number.
 */
static const char *decimal_read(const char *text, double *value)
{
	double place = 1;
	bool digit = false;
	bool point = false;

	*value = 0;
	for (; *text; text++) {
		if (*text == '.' && !point) {
			point = true;
		} else if (*text >= '0' && *text <= '9') {
			digit = true;
			if (point)
				place /= 10;
			*value = point ? *value + place * (*text - '0')
				       : *value * 10 + (*text - '0');
		} else {
			break;
		}
	}
	return digit && *text != '.' ? text : NULL;
}

static bool unit_read(const char *text, double *unit)
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

static void bytes_read(struct config_log *log, const struct config_field *field, const char *text,
		       struct config_size *size)
{
	char shown[CONFIG_SHOW_ROOM];
	const char *rest;
	double unit;
	double value;

	rest = decimal_read(text, &value);
	if (!rest) {
		config_error(
			log, field->value->place,
			"not a size: \"%s\"; bytes, or a number with a unit like 100MB, 2.5GiB",
			config_show(text, strlen(text), shown));
		return;
	}
	if (!unit_read(rest, &unit)) {
		rest += strspn(rest, " \t");
		config_error(log, field->value->place, "unhandled size name: %s",
			     config_show(rest, strlen(rest), shown));
		return;
	}
	value *= unit;
	if (value >= 18446744073709551616.0) {
		config_error(log, field->value->place, "too large: %s",
			     config_show(text, strlen(text), shown));
		return;
	}
	size->given = true;
	size->value = (uint64_t)value;
}

static void percent_read(struct config_log *log, const struct config_field *field, const char *text,
			 struct config_size *size)
{
	char shown[CONFIG_SHOW_ROOM];
	const char *rest;
	double value;

	if (text[strlen(text) - 1] != '%') {
		config_error(log, field->value->place, "percentage must end with '%%'");
		return;
	}
	config_show(text, strlen(text) - 1, shown);
	rest = decimal_read(text + (*text == '-'), &value);
	if (!rest || rest[0] != '%' || rest[1] != 0) {
		config_error(log, field->value->place, "invalid percentage value: \"%s\"", shown);
		return;
	}
	if (value > 100 || (*text == '-' && value > 0)) {
		config_error(log, field->value->place,
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
		percent_read(log, field, text, size);
	else
		bytes_read(log, field, text, size);
}

static const char *duration_unit(const char *text, double *unit)
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
		text = decimal_read(text, &value);
		text = text ? duration_unit(text, &unit) : NULL;
		total += text ? value * unit : 0;
	} while (text && *text);
	/* Go counts nanoseconds in 63 bits: 292 years. */
	if (!text || total > 9223372036.0) {
		config_error(log, field->value->place,
			     "\"%s\" must be a duration like 12h or 1h30m", field->name);
		return false;
	}
	*seconds = minus ? -total : total;
	return true;
}
