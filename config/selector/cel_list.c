/* SPDX-License-Identifier: MIT */
/* Lists and maps, and what operators do with values of any type. */
#include <stdlib.h>
#include <string.h>

#include "config/selector/cel.h"

void *config_cel_allocate(struct config_cel_run *run, size_t size)
{
	void *memory;

	size = (size + sizeof(union config_cel_constant) - 1) &
	       ~(sizeof(union config_cel_constant) - 1);
	if (!run->memory)
		run->memory = malloc(CONFIG_CEL_MEMORY_MAX);
	if (!run->memory || size > CONFIG_CEL_MEMORY_MAX - run->used)
		return NULL;
	memory = run->memory + run->used;
	run->used += size;
	return memory;
}

struct config_cel_value config_cel_item(const struct config_cel_list *list, size_t i)
{
	if (list->strings)
		return (struct config_cel_value){ .type = CONFIG_CEL_STRING,
						  .is.string = list->strings[i] };
	return list->item[i];
}

bool config_cel_find(struct config_cel_run *run, const struct config_cel_list *map,
		     const struct config_cel_value *key, struct config_cel_value *value)
{
	/* As in cel-go, the last one of equal keys counts. */
	for (size_t i = map->count; i > 0; i -= 2) {
		if (!config_cel_equal(run, &map->item[i - 2], key))
			continue;
		*value = map->item[i - 1];
		return true;
	}
	return false;
}

static bool equal_lists(struct config_cel_run *run, const struct config_cel_list *a,
			const struct config_cel_list *b)
{
	for (size_t i = 0; i < a->count; i++) {
		const struct config_cel_value left = config_cel_item(a, i),
					      right = config_cel_item(b, i);

		if (!config_cel_equal(run, &left, &right))
			return false;
	}
	return true;
}

static bool equal_maps(struct config_cel_run *run, const struct config_cel_list *a,
		       const struct config_cel_list *b)
{
	for (size_t i = 0; i < a->count; i += 2) {
		struct config_cel_value value;

		if (!config_cel_find(run, b, &a->item[i], &value) ||
		    !config_cel_equal(run, &a->item[i + 1], &value))
			return false;
	}
	return true;
}

bool config_cel_equal(struct config_cel_run *run, const struct config_cel_value *a,
		      const struct config_cel_value *b)
{
	if (++run->steps > CONFIG_CEL_STEPS_MAX)
		return false;
	if (a->type != b->type)
		return config_cel_compare(a, b) == 0;
	switch (a->type) {
	case CONFIG_CEL_NULL:
	case CONFIG_CEL_DISK:
		return true;
	case CONFIG_CEL_TYPE:
		return a->is.number == b->is.number;
	case CONFIG_CEL_LIST:
		return a->is.list->count == b->is.list->count &&
		       equal_lists(run, a->is.list, b->is.list);
	case CONFIG_CEL_MAP:
		return a->is.list->count == b->is.list->count &&
		       equal_maps(run, a->is.list, b->is.list);
	default:
		return config_cel_compare(a, b) == 0;
	}
}

const char *config_cel_concatenate(struct config_cel_run *run, const char *left, const char *right,
				   struct config_cel_value *value)
{
	const size_t size = strlen(left), more = strlen(right) + 1;
	char *text = config_cel_allocate(run, size + more);

	if (!text)
		return CONFIG_CEL_NO_MEMORY;
	memcpy(text, left, size);
	memcpy(text + size, right, more);
	value->is.string = text;
	return NULL;
}

static const char *concatenate_lists(struct config_cel_run *run,
				     const struct config_cel_value operand[static 2],
				     struct config_cel_value *value)
{
	const size_t count = operand[0].is.list->count + operand[1].is.list->count;
	struct config_cel_list *list = config_cel_allocate(run, sizeof(*list));
	struct config_cel_value *item = config_cel_allocate(run, count * sizeof(*item));
	size_t used = 0;

	if (!list || !item)
		return CONFIG_CEL_NO_MEMORY;
	for (size_t i = 0; i < 2; i++)
		for (size_t j = 0; j < operand[i].is.list->count; j++)
			item[used++] = config_cel_item(operand[i].is.list, j);
	*list = (struct config_cel_list){ .count = count, .item = item };
	value->is.list = list;
	return NULL;
}

static const char *add(struct config_cel_run *run, const struct config_cel_value operand[static 2],
		       struct config_cel_value *value)
{
	value->type = operand[0].type;
	if (operand[0].type == operand[1].type &&
	    (value->type == CONFIG_CEL_STRING || value->type == CONFIG_CEL_BYTES))
		return config_cel_concatenate(run, operand[0].is.string, operand[1].is.string,
					      value);
	if (operand[0].type == operand[1].type && value->type == CONFIG_CEL_LIST)
		return concatenate_lists(run, operand, value);
	return config_cel_calculate(CONFIG_CEL_ADD, operand, value);
}

static const char *find_index(struct config_cel_run *run,
			      const struct config_cel_value operand[static 2],
			      struct config_cel_value *value)
{
	const struct config_cel_value *index = &operand[1];

	if (operand[0].type == CONFIG_CEL_MAP)
		return config_cel_find(run, operand[0].is.list, index, value) ? NULL
									      : "no such key";
	if (operand[0].type != CONFIG_CEL_LIST || index->type != CONFIG_CEL_INT)
		return CONFIG_CEL_NO_OVERLOAD;
	if (index->is.integer < 0 || (uint64_t)index->is.integer >= operand[0].is.list->count)
		return "index out of range";
	*value = config_cel_item(operand[0].is.list, (size_t)index->is.integer);
	return NULL;
}

static const char *find_item(struct config_cel_run *run,
			     const struct config_cel_value operand[static 2],
			     struct config_cel_value *value)
{
	const bool map = operand[1].type == CONFIG_CEL_MAP;

	value->type = CONFIG_CEL_BOOL;
	value->is.truth = false;
	if (!map && operand[1].type != CONFIG_CEL_LIST)
		return CONFIG_CEL_NO_OVERLOAD;
	for (size_t i = 0; !value->is.truth && i < operand[1].is.list->count; i += map ? 2 : 1) {
		const struct config_cel_value item = config_cel_item(operand[1].is.list, i);

		value->is.truth = config_cel_equal(run, &operand[0], &item);
	}
	return NULL;
}

static const char *compare(enum config_cel_op op, const struct config_cel_value operand[static 2],
			   struct config_cel_value *value)
{
	const int order = config_cel_compare(&operand[0], &operand[1]);
	const bool number =
		operand[0].type == CONFIG_CEL_DOUBLE || operand[1].type == CONFIG_CEL_DOUBLE;

	value->type = CONFIG_CEL_BOOL;
	value->is.truth =
		(order < 0 && (op == CONFIG_CEL_LESS || op == CONFIG_CEL_LESS_EQUAL)) ||
		(order == 0 && (op == CONFIG_CEL_LESS_EQUAL || op == CONFIG_CEL_GREATER_EQUAL)) ||
		(order == 1 && (op == CONFIG_CEL_GREATER || op == CONFIG_CEL_GREATER_EQUAL));
	return order == 2 && !number ? CONFIG_CEL_NO_OVERLOAD : NULL;
}

const char *config_cel_compute(struct config_cel_run *run, enum config_cel_op op,
			       const struct config_cel_value operand[static 2],
			       struct config_cel_value *value)
{
	static const struct config_cel_value zero = { .type = CONFIG_CEL_INT };
	struct config_cel_value both[2] = { zero, operand[0] };

	switch (op) {
	case CONFIG_CEL_NOT:
		if (operand[0].type != CONFIG_CEL_BOOL)
			return CONFIG_CEL_NO_OVERLOAD;
		value->type = CONFIG_CEL_BOOL;
		value->is.truth = !operand[0].is.truth;
		return NULL;
	case CONFIG_CEL_NEGATE:
		if (operand[0].type != CONFIG_CEL_DOUBLE)
			return operand[0].type == CONFIG_CEL_INT
				       ? config_cel_calculate(CONFIG_CEL_SUBTRACT, both, value)
				       : CONFIG_CEL_NO_OVERLOAD;
		value->type = CONFIG_CEL_DOUBLE;
		value->is.real = -operand[0].is.real;
		return NULL;
	case CONFIG_CEL_EQUAL:
	case CONFIG_CEL_NOT_EQUAL:
		value->type = CONFIG_CEL_BOOL;
		value->is.truth =
			config_cel_equal(run, &operand[0], &operand[1]) == (op == CONFIG_CEL_EQUAL);
		return NULL;
	case CONFIG_CEL_LESS:
	case CONFIG_CEL_LESS_EQUAL:
	case CONFIG_CEL_GREATER:
	case CONFIG_CEL_GREATER_EQUAL:
		return compare(op, operand, value);
	case CONFIG_CEL_IN:
		return find_item(run, operand, value);
	case CONFIG_CEL_INDEX:
		return find_index(run, operand, value);
	case CONFIG_CEL_ADD:
		return add(run, operand, value);
	default:
		return config_cel_calculate(op, operand, value);
	}
}
