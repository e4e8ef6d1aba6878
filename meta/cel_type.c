/* SPDX-License-Identifier: MIT */
/* What operators take, and the type of what comes of it. */
#include <string.h>

#include "meta/cel.h"

static bool is_number(unsigned type)
{
	return type == META_CEL_INT || type == META_CEL_UINT || type == META_CEL_DOUBLE;
}

/* The type of the result; false when the operands do not fit. right is BOOL when there is none. */
static bool result_type(enum meta_cel_op op, unsigned left, unsigned right, unsigned *type)
{
	const bool same = left == right;

	*type = META_CEL_BOOL;
	switch (op) {
	case META_CEL_NOT:
	case META_CEL_AND:
	case META_CEL_OR:
		return left == META_CEL_BOOL && right == META_CEL_BOOL;
	case META_CEL_NEGATE:
		*type = left;
		return left == META_CEL_INT || left == META_CEL_DOUBLE;
	case META_CEL_REMAINDER:
		*type = left;
		return same && (left == META_CEL_INT || left == META_CEL_UINT);
	case META_CEL_MULTIPLY:
	case META_CEL_DIVIDE:
	case META_CEL_ADD:
	case META_CEL_SUBTRACT:
		*type = left;
		return same && is_number(left);
	case META_CEL_LESS:
	case META_CEL_LESS_EQUAL:
	case META_CEL_GREATER:
	case META_CEL_GREATER_EQUAL:
	case META_CEL_EQUAL:
	case META_CEL_NOT_EQUAL:
		return same && left <= META_CEL_STRING;
	case META_CEL_IN:
		return left <= META_CEL_STRING && right == (META_CEL_LIST | left);
	case META_CEL_INDEX:
		*type = left & ~(unsigned)META_CEL_LIST;
		return (left & META_CEL_LIST) && right == META_CEL_INT;
	default:
		return false;
	}
}

static struct meta_cel_node *choice(struct meta_cel_reader *reader, size_t at,
				    struct meta_cel_node *const child[3])
{
	if (child[0]->type == META_CEL_BOOL && child[1]->type == child[2]->type &&
	    child[1]->type != META_CEL_DISK)
		return meta_cel_node(reader, META_CEL_CHOICE, child[1]->type, at, child);
	meta_cel_fail(reader, at, "\"? :\" takes a bool and two values of one type, not %s, %s, %s",
		      meta_cel_type_name(child[0]->type), meta_cel_type_name(child[1]->type),
		      meta_cel_type_name(child[2]->type));
	return NULL;
}

struct meta_cel_node *meta_cel_operation(struct meta_cel_reader *reader, enum meta_cel_op op,
					 size_t at, struct meta_cel_node *const child[3])
{
	const unsigned left = child[0]->type;
	const unsigned right = child[1] ? child[1]->type : META_CEL_BOOL;
	const char *sign = reader->text + at;
	const char *hint = "";
	unsigned type;

	if (op == META_CEL_CHOICE)
		return choice(reader, at, child);
	if (result_type(op, left, right, &type))
		return meta_cel_node(reader, op, type, at, child);
	if ((left == META_CEL_UINT && right == META_CEL_INT) ||
	    (left == META_CEL_INT && right == META_CEL_UINT))
		hint = ": a size is a uint, so write numbers with the letter u, as 120u";
	if (!child[1])
		meta_cel_fail(reader, at, "no matching overload for '%c' applied to %s", *sign,
			      meta_cel_type_name(left));
	else
		meta_cel_fail(reader, at, "no matching overload for '%.*s' applied to (%s, %s)%s",
			      op == META_CEL_IN || sign[1] == '=' || op == META_CEL_AND ||
					      op == META_CEL_OR
				      ? 2
				      : 1,
			      sign, meta_cel_type_name(left), meta_cel_type_name(right), hint);
	return NULL;
}
