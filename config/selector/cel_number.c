/* SPDX-License-Identifier: MIT */
/* Arithmetic without overflow, comparisons, and conversions between numbers. */
#include <string.h>

#include "config/selector/cel.h"

/* The largest int and uint, plus 1: a double holds these exactly. */
#define INT_END	 9223372036854775808.0
#define UINT_END 18446744073709551616.0

static const char too_large[] = "the result is out of range";
static const char by_zero[] = "division by zero";

static const char *compute_int(enum config_cel_op op, int64_t left, int64_t right, int64_t *result)
{
	if ((op == CONFIG_CEL_DIVIDE || op == CONFIG_CEL_REMAINDER) && !right)
		return by_zero;
	if (op == CONFIG_CEL_REMAINDER && right == -1) {
		*result = 0;
		return NULL;
	}
	if (op == CONFIG_CEL_REMAINDER) {
		*result = left % right;
		return NULL;
	}
	if (op == CONFIG_CEL_DIVIDE) {
		if (left == INT64_MIN && right == -1)
			return too_large;
		*result = left / right;
		return NULL;
	}
	if (op == CONFIG_CEL_MULTIPLY)
		return __builtin_mul_overflow(left, right, result) ? too_large : NULL;
	if (op == CONFIG_CEL_ADD)
		return __builtin_add_overflow(left, right, result) ? too_large : NULL;
	return __builtin_sub_overflow(left, right, result) ? too_large : NULL;
}

static const char *compute_uint(enum config_cel_op op, uint64_t left, uint64_t right,
				uint64_t *result)
{
	if ((op == CONFIG_CEL_DIVIDE || op == CONFIG_CEL_REMAINDER) && !right)
		return by_zero;
	if (op == CONFIG_CEL_MULTIPLY)
		return __builtin_mul_overflow(left, right, result) ? too_large : NULL;
	if (op == CONFIG_CEL_ADD)
		return __builtin_add_overflow(left, right, result) ? too_large : NULL;
	if (op == CONFIG_CEL_SUBTRACT)
		return __builtin_sub_overflow(left, right, result) ? too_large : NULL;
	*result = op == CONFIG_CEL_DIVIDE ? left / right : left % right;
	return NULL;
}

/* IEEE 754 defines the division by zero. */
static double compute_double(enum config_cel_op op, double left, double right)
{
	switch (op) {
	case CONFIG_CEL_MULTIPLY:
		return left * right;
	case CONFIG_CEL_DIVIDE:
		return left / right;
	case CONFIG_CEL_ADD:
		return left + right;
	default:
		return left - right;
	}
}

static double to_double(const struct config_cel_value *value)
{
	if (value->type == CONFIG_CEL_INT)
		return (double)value->is.integer;
	return value->type == CONFIG_CEL_UINT ? (double)value->is.natural : value->is.real;
}

static bool is_number(const struct config_cel_value *value)
{
	return value->type >= CONFIG_CEL_INT && value->type <= CONFIG_CEL_DOUBLE;
}

/* Numbers of different types meet only behind dyn(). NaN has no order. */
static int compare_numbers(const struct config_cel_value *a, const struct config_cel_value *b)
{
	const double left = to_double(a), right = to_double(b);

	if (a->type == CONFIG_CEL_DOUBLE || b->type == CONFIG_CEL_DOUBLE)
		return left < right ? -1 : left > right ? 1 : left <= right ? 0 : 2;
	if (a->type == CONFIG_CEL_INT && b->type == CONFIG_CEL_INT)
		return (a->is.integer > b->is.integer) - (a->is.integer < b->is.integer);
	if (a->type == CONFIG_CEL_INT && a->is.integer < 0)
		return -1;
	if (b->type == CONFIG_CEL_INT && b->is.integer < 0)
		return 1;
	return (a->is.natural > b->is.natural) - (a->is.natural < b->is.natural);
}

int config_cel_compare(const struct config_cel_value *a, const struct config_cel_value *b)
{
	int order;

	if (is_number(a) && is_number(b))
		return compare_numbers(a, b);
	if (a->type != b->type)
		return 2;
	switch (a->type) {
	case CONFIG_CEL_BOOL:
		return a->is.truth - b->is.truth;
	case CONFIG_CEL_STRING:
	case CONFIG_CEL_BYTES:
		order = strcmp(a->is.string, b->is.string);
		return (order > 0) - (order < 0);
	default:
		return 2;
	}
}

const char *config_cel_calculate(enum config_cel_op op,
				 const struct config_cel_value operand[static 2],
				 struct config_cel_value *value)
{
	const union config_cel_constant left = operand[0].is, right = operand[1].is;

	value->type = operand[0].type;
	if (operand[0].type != operand[1].type)
		return CONFIG_CEL_NO_OVERLOAD;
	switch (operand[0].type) {
	case CONFIG_CEL_INT:
		return compute_int(op, left.integer, right.integer, &value->is.integer);
	case CONFIG_CEL_UINT:
		return compute_uint(op, left.natural, right.natural, &value->is.natural);
	case CONFIG_CEL_DOUBLE:
		value->is.real = compute_double(op, left.real, right.real);
		return op == CONFIG_CEL_REMAINDER ? CONFIG_CEL_NO_OVERLOAD : NULL;
	default:
		return CONFIG_CEL_NO_OVERLOAD;
	}
}

/* Rounds towards zero, as CEL does. */
const char *config_cel_convert_number(const struct config_cel_value *from,
				      struct config_cel_value *to)
{
	const double real = to_double(from);

	if (to->type == CONFIG_CEL_DOUBLE) {
		to->is.real = real;
	} else if (from->type == CONFIG_CEL_DOUBLE) {
		if (to->type == CONFIG_CEL_INT ? !(real > -INT_END && real < INT_END)
					       : !(real > -1 && real < UINT_END))
			return too_large;
		if (to->type == CONFIG_CEL_INT)
			to->is.integer = (int64_t)real;
		else
			to->is.natural = (uint64_t)real;
	} else {
		/* A number that fits into both types has the same bits in both. */
		if (from->type != to->type && from->is.natural > INT64_MAX)
			return too_large;
		to->is = from->is;
	}
	return NULL;
}
