/* SPDX-License-Identifier: MIT */
/* Conversions from and to texts and bytes. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "config/selector/cel.h"

static const char not_a_value[] = "the text cannot be converted to this type";

/* As Go's %g: the shortest digits that give the same double, with an exponent from 1e+06 on. */
static void print_double(double real, char *text, size_t room)
{
	char digits[40], *letter;
	int precision = 0;
	long exponent;

	do
		snprintf(digits, sizeof(digits), "%.*e", precision, real);
	while (++precision < 17 && (strtod(digits, NULL) < real || strtod(digits, NULL) > real));
	letter = strchr(digits, 'e');
	exponent = letter ? strtol(letter + 1, NULL, 10) : 0;
	if (!letter)
		snprintf(text, room, "%s", real < 0 ? "-Inf" : real > 0 ? "+Inf" : "NaN");
	else if (exponent >= -4 && exponent < 6)
		snprintf(text, room, "%.*f",
			 precision > exponent + 1 ? precision - 1 - (int)exponent : 0, real);
	else
		snprintf(text, room, "%s", digits);
	/* The point of the locale. */
	for (char *at = text; *at; at++)
		*at = *at == ',' ? '.' : *at;
}

static const char *convert_to_string(struct config_cel_run *run,
				     const struct config_cel_value *from,
				     struct config_cel_value *to)
{
	char text[64];

	switch (from->type) {
	case CONFIG_CEL_BOOL:
		return config_cel_concatenate(run, from->is.truth ? "true" : "false", "", to);
	case CONFIG_CEL_INT:
		snprintf(text, sizeof(text), "%" PRId64, from->is.integer);
		return config_cel_concatenate(run, text, "", to);
	case CONFIG_CEL_UINT:
		snprintf(text, sizeof(text), "%" PRIu64, from->is.natural);
		return config_cel_concatenate(run, text, "", to);
	case CONFIG_CEL_DOUBLE:
		print_double(from->is.real, text, sizeof(text));
		return config_cel_concatenate(run, text, "", to);
	default:
		to->is = from->is;
		return NULL;
	}
}

static const char *parse_bool(const char *text, struct config_cel_value *to)
{
	static const char *const words[] = { "0",     "1",    "f",     "t",    "F",	"T",
					     "false", "true", "False", "True", "FALSE", "TRUE" };

	for (size_t i = 0; i < sizeof(words) / sizeof(*words); i++) {
		if (strcmp(text, words[i]) != 0)
			continue;
		to->is.truth = i % 2;
		return NULL;
	}
	return not_a_value;
}

/* Decimal integers. A double may have a fraction and an exponent, too. */
static const char *parse_number(const char *text, struct config_cel_value *to)
{
	const bool minus = *text == '-';
	const char *at = text + (to->type != CONFIG_CEL_UINT && (minus || *text == '+'));
	const size_t size = to->type == CONFIG_CEL_DOUBLE ? config_cel_measure_decimal(at)
							  : strspn(at, "0123456789");

	if (!size || at[size])
		return not_a_value;
	errno = 0;
	if (to->type == CONFIG_CEL_DOUBLE) {
		if (!config_cel_parse_decimal(at, size, &to->is.real))
			return not_a_value;
		to->is.real = minus ? -to->is.real : to->is.real;
	} else if (to->type == CONFIG_CEL_INT) {
		to->is.integer = strtoll(text, NULL, 10);
	} else {
		to->is.natural = strtoull(text, NULL, 10);
	}
	return errno ? not_a_value : NULL;
}

const char *config_cel_convert(struct config_cel_run *run, const struct config_cel_value *from,
			       struct config_cel_value *to)
{
	if (to->type == CONFIG_CEL_STRING)
		return convert_to_string(run, from, to);
	if (to->type == from->type || to->type == CONFIG_CEL_BYTES) {
		to->is = from->is;
		return NULL;
	}
	if (to->type == CONFIG_CEL_BOOL)
		return parse_bool(from->is.string, to);
	return from->type == CONFIG_CEL_STRING ? parse_number(from->is.string, to)
					       : config_cel_convert_number(from, to);
}
