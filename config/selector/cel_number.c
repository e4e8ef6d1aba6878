/* SPDX-License-Identifier: MIT */
/* Arithmetic without overflow, comparisons, and conversions. */
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

static bool compare_values(enum config_cel_op op, const struct config_cel_value operand[static 2])
{
	const union config_cel_constant left = operand[0].is, right = operand[1].is;
	bool less, greater, equal;
	int order;

	switch (operand[0].type) {
	case CONFIG_CEL_BOOL:
		less = !left.truth && right.truth;
		greater = left.truth && !right.truth;
		equal = left.truth == right.truth;
		break;
	case CONFIG_CEL_INT:
		less = left.integer < right.integer;
		greater = left.integer > right.integer;
		equal = left.integer == right.integer;
		break;
	case CONFIG_CEL_UINT:
		less = left.natural < right.natural;
		greater = left.natural > right.natural;
		equal = left.natural == right.natural;
		break;
	case CONFIG_CEL_DOUBLE:
		less = left.real < right.real;
		greater = left.real > right.real;
		/* NaN equals nothing. */
		equal = left.real <= right.real && left.real >= right.real;
		break;
	default:
		order = strcmp(left.string, right.string);
		less = order < 0;
		greater = order > 0;
		equal = order == 0;
	}
	return (less && (op == CONFIG_CEL_LESS || op == CONFIG_CEL_LESS_EQUAL)) ||
	       (greater && (op == CONFIG_CEL_GREATER || op == CONFIG_CEL_GREATER_EQUAL)) ||
	       (equal && (op == CONFIG_CEL_LESS_EQUAL || op == CONFIG_CEL_GREATER_EQUAL ||
			  op == CONFIG_CEL_EQUAL)) ||
	       (!equal && op == CONFIG_CEL_NOT_EQUAL);
}

static double convert_to_double(const struct config_cel_value *value)
{
	if (value->type == CONFIG_CEL_INT)
		return (double)value->is.integer;
	return value->type == CONFIG_CEL_UINT ? (double)value->is.natural : value->is.real;
}

/* Rounds towards zero, as CEL does. */
static const char *convert_number(const struct config_cel_value *from, struct config_cel_value *to)
{
	const double real = convert_to_double(from);

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

const char *config_cel_compute(enum config_cel_op op,
			       const struct config_cel_value operand[static 2],
			       struct config_cel_value *value)
{
	const union config_cel_constant left = operand[0].is, right = operand[1].is;

	switch (op) {
	case CONFIG_CEL_NOT:
		value->is.truth = !left.truth;
		return NULL;
	case CONFIG_CEL_NEGATE:
		if (value->type == CONFIG_CEL_INT)
			return compute_int(CONFIG_CEL_SUBTRACT, 0, left.integer,
					   &value->is.integer);
		value->is.real = -left.real;
		return NULL;
	case CONFIG_CEL_LESS:
	case CONFIG_CEL_LESS_EQUAL:
	case CONFIG_CEL_GREATER:
	case CONFIG_CEL_GREATER_EQUAL:
	case CONFIG_CEL_EQUAL:
	case CONFIG_CEL_NOT_EQUAL:
		value->is.truth = compare_values(op, operand);
		return NULL;
	case CONFIG_CEL_TO_INT:
	case CONFIG_CEL_TO_UINT:
	case CONFIG_CEL_TO_DOUBLE:
		return convert_number(&operand[0], value);
	default:
		break;
	}
	if (value->type == CONFIG_CEL_INT)
		return compute_int(op, left.integer, right.integer, &value->is.integer);
	if (value->type == CONFIG_CEL_UINT)
		return compute_uint(op, left.natural, right.natural, &value->is.natural);
	value->is.real = compute_double(op, left.real, right.real);
	return NULL;
}
