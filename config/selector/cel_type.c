/* SPDX-License-Identifier: MIT */
/* The types of operands and results. */
#include <string.h>

#include "config/selector/cel.h"

static bool is_number(unsigned type)
{
	return type == CONFIG_CEL_INT || type == CONFIG_CEL_UINT || type == CONFIG_CEL_DOUBLE;
}

/* False if the operands' types do not fit. For unary operators right is BOOL. */
static bool get_result_type(enum config_cel_op op, unsigned left, unsigned right, unsigned *type)
{
	const bool same = left == right;

	*type = CONFIG_CEL_BOOL;
	switch (op) {
	case CONFIG_CEL_NOT:
	case CONFIG_CEL_AND:
	case CONFIG_CEL_OR:
		return left == CONFIG_CEL_BOOL && right == CONFIG_CEL_BOOL;
	case CONFIG_CEL_NEGATE:
		*type = left;
		return left == CONFIG_CEL_INT || left == CONFIG_CEL_DOUBLE;
	case CONFIG_CEL_REMAINDER:
		*type = left;
		return same && (left == CONFIG_CEL_INT || left == CONFIG_CEL_UINT);
	case CONFIG_CEL_MULTIPLY:
	case CONFIG_CEL_DIVIDE:
	case CONFIG_CEL_ADD:
	case CONFIG_CEL_SUBTRACT:
		*type = left;
		return same && is_number(left);
	case CONFIG_CEL_LESS:
	case CONFIG_CEL_LESS_EQUAL:
	case CONFIG_CEL_GREATER:
	case CONFIG_CEL_GREATER_EQUAL:
	case CONFIG_CEL_EQUAL:
	case CONFIG_CEL_NOT_EQUAL:
		return same && left <= CONFIG_CEL_STRING;
	case CONFIG_CEL_IN:
		return left <= CONFIG_CEL_STRING && right == (CONFIG_CEL_LIST | left);
	case CONFIG_CEL_INDEX:
		*type = left & ~(unsigned)CONFIG_CEL_LIST;
		return (left & CONFIG_CEL_LIST) && right == CONFIG_CEL_INT;
	default:
		return false;
	}
}

static struct config_cel_node *create_choice(struct config_cel_reader *reader, size_t at,
					     struct config_cel_node *const child[3])
{
	if (child[0]->type == CONFIG_CEL_BOOL && child[1]->type == child[2]->type &&
	    child[1]->type != CONFIG_CEL_DISK)
		return config_cel_node(reader, CONFIG_CEL_CHOICE, child[1]->type, at, child);
	config_cel_fail(reader, at,
			"\"? :\" needs a bool and two values of one type, not %s, %s, %s",
			config_cel_type_name(child[0]->type), config_cel_type_name(child[1]->type),
			config_cel_type_name(child[2]->type));
	return NULL;
}

struct config_cel_node *config_cel_operation(struct config_cel_reader *reader,
					     enum config_cel_op op, size_t at,
					     struct config_cel_node *const child[3])
{
	const unsigned left = child[0]->type;
	const unsigned right = child[1] ? child[1]->type : CONFIG_CEL_BOOL;
	const char *sign = reader->text + at;
	const char *hint = "";
	unsigned type;

	if (op == CONFIG_CEL_CHOICE)
		return create_choice(reader, at, child);
	if (get_result_type(op, left, right, &type))
		return config_cel_node(reader, op, type, at, child);
	if ((left == CONFIG_CEL_UINT && right == CONFIG_CEL_INT) ||
	    (left == CONFIG_CEL_INT && right == CONFIG_CEL_UINT))
		hint = "; sizes are uint, so append u to the number: 120u";
	if (!child[1])
		config_cel_fail(reader, at, "no matching overload for '%c' applied to %s", *sign,
				config_cel_type_name(left));
	else
		config_cel_fail(reader, at, "no matching overload for '%.*s' applied to (%s, %s)%s",
				op == CONFIG_CEL_IN || sign[1] == '=' || op == CONFIG_CEL_AND ||
						op == CONFIG_CEL_OR
					? 2
					: 1,
				sign, config_cel_type_name(left), config_cel_type_name(right),
				hint);
	return NULL;
}
