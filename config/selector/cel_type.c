/* SPDX-License-Identifier: MIT */
/* The types of operands and results. */
#include <stdio.h>

#include "config/selector/cel.h"

#define BIT(type) (1u << CONFIG_CEL_##type)
#define NUMBERS	  (BIT(INT) | BIT(UINT) | BIT(DOUBLE))
#define ORDERED	  (NUMBERS | BIT(BOOL) | BIT(STRING) | BIT(BYTES))

const char *config_cel_base_name(unsigned base)
{
	static const char *const names[] = { "dyn",  "null_type", "bool",   "int",
					     "uint", "double",	  "string", "bytes",
					     "type", "disk",	  "list",   "map" };

	return names[base];
}

unsigned config_cel_list_of(unsigned item)
{
	return CONFIG_CEL_LIST | (item >> 28 ? CONFIG_CEL_DYN : item << CONFIG_CEL_SHIFT);
}

unsigned config_cel_map_of(unsigned key, unsigned value)
{
	key = key > CONFIG_CEL_BASE ? CONFIG_CEL_DYN : key;
	value = value >> 24 ? CONFIG_CEL_DYN : value;
	return CONFIG_CEL_MAP | key << CONFIG_CEL_SHIFT | value << 2 * CONFIG_CEL_SHIFT;
}

unsigned config_cel_item_type(unsigned type)
{
	const bool map = (type & CONFIG_CEL_BASE) == CONFIG_CEL_MAP;

	type >>= CONFIG_CEL_SHIFT;
	return map ? type & CONFIG_CEL_BASE : type;
}

bool config_cel_compatible(unsigned a, unsigned b)
{
	const unsigned base = a & CONFIG_CEL_BASE;

	if (a == b || a == CONFIG_CEL_DYN || b == CONFIG_CEL_DYN)
		return true;
	if (base != (b & CONFIG_CEL_BASE))
		return (a == CONFIG_CEL_NULL && b == CONFIG_CEL_DISK) ||
		       (a == CONFIG_CEL_DISK && b == CONFIG_CEL_NULL);
	a >>= CONFIG_CEL_SHIFT;
	b >>= CONFIG_CEL_SHIFT;
	if (base == CONFIG_CEL_LIST)
		return config_cel_compatible(a, b);
	return config_cel_compatible(a & CONFIG_CEL_BASE, b & CONFIG_CEL_BASE) &&
	       config_cel_compatible(a >> CONFIG_CEL_SHIFT, b >> CONFIG_CEL_SHIFT);
}

unsigned config_cel_join(unsigned a, unsigned b)
{
	return a == b ? a : CONFIG_CEL_DYN;
}

const char *config_cel_type_name(unsigned type, char room[static CONFIG_CEL_NAME_SIZE])
{
	const unsigned item = type >> CONFIG_CEL_SHIFT;

	if ((type & CONFIG_CEL_BASE) == CONFIG_CEL_LIST)
		snprintf(room, CONFIG_CEL_NAME_SIZE, "list(%s)",
			 config_cel_base_name(item & CONFIG_CEL_BASE));
	else if ((type & CONFIG_CEL_BASE) == CONFIG_CEL_MAP)
		snprintf(room, CONFIG_CEL_NAME_SIZE, "map(%s, %s)",
			 config_cel_base_name(item & CONFIG_CEL_BASE),
			 config_cel_base_name(item >> CONFIG_CEL_SHIFT & CONFIG_CEL_BASE));
	else
		snprintf(room, CONFIG_CEL_NAME_SIZE, "%s", config_cel_base_name(type));
	return room;
}

/* The result of an operator for which both operands must have one of the base types in allowed. */
static bool match_operands(unsigned allowed, unsigned left, unsigned right, unsigned *type)
{
	allowed |= BIT(DYN);
	*type = left == CONFIG_CEL_DYN ? right : left;
	return config_cel_compatible(left, right) && allowed >> (left & CONFIG_CEL_BASE) & 1 &&
	       allowed >> (right & CONFIG_CEL_BASE) & 1;
}

static bool get_index_type(unsigned of, unsigned index, unsigned *type)
{
	*type = of >> CONFIG_CEL_SHIFT;
	switch (of & CONFIG_CEL_BASE) {
	case CONFIG_CEL_LIST:
		return config_cel_compatible(index, CONFIG_CEL_INT);
	case CONFIG_CEL_MAP:
		*type >>= CONFIG_CEL_SHIFT;
		return config_cel_compatible(index, of >> CONFIG_CEL_SHIFT & CONFIG_CEL_BASE);
	default:
		return of == CONFIG_CEL_DYN;
	}
}

/* False if the operands' types do not fit. For unary operators right is left. */
static bool get_result_type(enum config_cel_op op, unsigned left, unsigned right, unsigned *type)
{
	unsigned operand;

	switch (op) {
	case CONFIG_CEL_NEGATE:
		return match_operands(BIT(INT) | BIT(DOUBLE), left, left, type);
	case CONFIG_CEL_REMAINDER:
		return match_operands(BIT(INT) | BIT(UINT), left, right, type);
	case CONFIG_CEL_MULTIPLY:
	case CONFIG_CEL_DIVIDE:
	case CONFIG_CEL_SUBTRACT:
		return match_operands(NUMBERS, left, right, type);
	case CONFIG_CEL_ADD:
		if (!match_operands(NUMBERS | BIT(STRING) | BIT(BYTES) | BIT(LIST), left, right,
				    type))
			return false;
		if ((*type & CONFIG_CEL_BASE) == CONFIG_CEL_LIST && left != right)
			*type = config_cel_list_of(CONFIG_CEL_DYN);
		return true;
	case CONFIG_CEL_INDEX:
		return get_index_type(left, right, type);
	default:
		break;
	}
	*type = CONFIG_CEL_BOOL;
	switch (op) {
	case CONFIG_CEL_NOT:
	case CONFIG_CEL_AND:
	case CONFIG_CEL_OR:
		return match_operands(BIT(BOOL), left, right, &operand);
	case CONFIG_CEL_LESS:
	case CONFIG_CEL_LESS_EQUAL:
	case CONFIG_CEL_GREATER:
	case CONFIG_CEL_GREATER_EQUAL:
		return match_operands(ORDERED, left, right, &operand);
	case CONFIG_CEL_EQUAL:
	case CONFIG_CEL_NOT_EQUAL:
		return config_cel_compatible(left, right);
	default: /* IN */
		if (right == CONFIG_CEL_DYN)
			return true;
		return (right & CONFIG_CEL_BASE) >= CONFIG_CEL_LIST &&
		       config_cel_compatible(left, config_cel_item_type(right));
	}
}

static struct config_cel_node *create_choice(struct config_cel_reader *reader, size_t at,
					     struct config_cel_node *const child[3])
{
	char names[3][CONFIG_CEL_NAME_SIZE];

	if (config_cel_compatible(child[0]->type, CONFIG_CEL_BOOL) &&
	    config_cel_compatible(child[1]->type, child[2]->type))
		return config_cel_node(reader, CONFIG_CEL_CHOICE,
				       config_cel_join(child[1]->type, child[2]->type), at, child);
	config_cel_fail(reader, at,
			"\"? :\" needs a bool and two values of one type, not %s, %s, %s",
			config_cel_type_name(child[0]->type, names[0]),
			config_cel_type_name(child[1]->type, names[1]),
			config_cel_type_name(child[2]->type, names[2]));
	return NULL;
}

struct config_cel_node *config_cel_operation(struct config_cel_reader *reader,
					     enum config_cel_op op, size_t at,
					     struct config_cel_node *const child[3])
{
	const unsigned left = child[0]->type;
	const unsigned right = child[1] ? child[1]->type : left;
	const char *sign = reader->text + at;
	const char *hint = "";
	char names[2][CONFIG_CEL_NAME_SIZE];
	unsigned type;

	if (op == CONFIG_CEL_CHOICE)
		return create_choice(reader, at, child);
	if (get_result_type(op, left, right, &type))
		return config_cel_node(reader, op, type, at, child);
	if ((left == CONFIG_CEL_UINT && right == CONFIG_CEL_INT) ||
	    (left == CONFIG_CEL_INT && right == CONFIG_CEL_UINT))
		hint = "; sizes are uint, so append u to the number: 120u";
	config_cel_type_name(left, names[0]);
	if (!child[1])
		config_cel_fail(reader, at, "no matching overload for '%c' applied to %s", *sign,
				names[0]);
	else
		config_cel_fail(reader, at, "no matching overload for '%.*s' applied to (%s, %s)%s",
				op == CONFIG_CEL_IN || sign[1] == '=' || op == CONFIG_CEL_AND ||
						op == CONFIG_CEL_OR
					? 2
					: 1,
				sign, names[0], config_cel_type_name(right, names[1]), hint);
	return NULL;
}
