/* SPDX-License-Identifier: MIT */
/* What a disk selector comes to for one disk. */
#include <stdint.h>
#include <string.h>

#include "config/selector/cel.h"

static bool lacks(struct config_cel_run *run, const struct config_cel_node *node, const char *why)
{
	run->why = why;
	run->why_at = node->at;
	return false;
}

/* Number of items of a list. */
static size_t item_count(const struct config_cel_value *list)
{
	size_t count = 0;

	for (const char *const *text = list->strings; text && *text; text++)
		count++;
	for (const struct config_cel_node *item = list->items; item; item = item->next)
		count++;
	return count;
}

/* The items one after another; false at the end. Zeroes begin. */
struct walk {
	const char *const *text;
	const struct config_cel_node *item;
	bool begun;
};

static bool walk_on(struct walk *walk, const struct config_cel_value *list)
{
	if (!walk->begun) {
		walk->text = list->strings;
		walk->item = list->items;
		walk->begun = true;
	} else if (walk->text) {
		walk->text++;
	} else {
		walk->item = walk->item->next;
	}
	return walk->text ? *walk->text != NULL : walk->item != NULL;
}

static bool item_value(struct config_cel_run *run, const struct walk *walk,
		       struct config_cel_value *value)
{
	if (walk->item)
		return config_cel_evaluate(run, walk->item, value);
	*value = (struct config_cel_value){ .type = CONFIG_CEL_STRING, .is.string = *walk->text };
	return true;
}

static void read_field(const struct disk_facts *disk, unsigned number,
		       struct config_cel_value *value)
{
	const struct config_cel_field *field = config_cel_field_at(number);
	const void *place = (const char *)disk + field->offset;

	if (field->type == CONFIG_CEL_BOOL)
		memcpy(&value->is.truth, place, sizeof(value->is.truth));
	else if (field->type == CONFIG_CEL_UINT)
		memcpy(&value->is.natural, place, sizeof(value->is.natural));
	else if (field->type == CONFIG_CEL_STRING)
		memcpy(&value->is.string, place, sizeof(value->is.string));
	else
		memcpy(&value->strings, place, sizeof(value->strings));
}

static bool is_set(const struct config_cel_value *value)
{
	switch (value->type) {
	case CONFIG_CEL_BOOL:
		return value->is.truth;
	case CONFIG_CEL_UINT:
		return value->is.natural != 0;
	case CONFIG_CEL_STRING:
		return *value->is.string;
	default:
		return item_count(value) > 0;
	}
}

/* One side that decides is enough, even when the other has no value: so CEL wants it. */
static bool and_or(struct config_cel_run *run, const struct config_cel_node *node,
		   struct config_cel_value *value)
{
	const bool decisive = node->op == CONFIG_CEL_OR;
	const char *why = NULL;
	size_t why_at = 0;

	for (unsigned i = 0; i < 2; i++) {
		struct config_cel_value side;

		if (config_cel_evaluate(run, node->child[i], &side)) {
			value->is.truth = side.is.truth;
			if (side.is.truth == decisive)
				return true;
		} else if (!why) {
			why = run->why;
			why_at = run->why_at;
		}
	}
	run->why = why;
	run->why_at = why_at;
	return !why;
}

static bool is_in(struct config_cel_run *run, const struct config_cel_node *node,
		  struct config_cel_value *value)
{
	struct config_cel_value pair[2], list, equal;
	struct walk walk = { .begun = false };

	value->is.truth = false;
	if (!config_cel_evaluate(run, node->child[0], &pair[0]) ||
	    !config_cel_evaluate(run, node->child[1], &list))
		return false;
	while (!value->is.truth && walk_on(&walk, &list)) {
		if (!item_value(run, &walk, &pair[1]))
			return false;
		equal.type = CONFIG_CEL_BOOL;
		(void)config_cel_compute(CONFIG_CEL_EQUAL, pair, &equal);
		value->is.truth = equal.is.truth;
	}
	return true;
}

static bool indexed(struct config_cel_run *run, const struct config_cel_node *node,
		    struct config_cel_value *value)
{
	struct config_cel_value list, number;
	struct walk walk = { .begun = false };

	if (!config_cel_evaluate(run, node->child[0], &list) ||
	    !config_cel_evaluate(run, node->child[1], &number))
		return false;
	for (int64_t i = 0; walk_on(&walk, &list); i++)
		if (i == number.is.integer)
			return item_value(run, &walk, value);
	return lacks(run, node, "the list has no such item");
}

/* exists() and all() stop at the item that decides; exists_one() looks at each. */
static bool each_item(struct config_cel_run *run, const struct config_cel_node *node,
		      struct config_cel_value *value)
{
	struct config_cel_value list, item, condition;
	struct walk walk = { .begun = false };
	const char *why = NULL;
	size_t why_at = 0, held = 0;

	if (!config_cel_evaluate(run, node->child[0], &list))
		return false;
	while (walk_on(&walk, &list)) {
		bool good = item_value(run, &walk, &item);

		run->variable[node->value.number] = item;
		good = good && config_cel_evaluate(run, node->child[1], &condition);
		if (!good && !why) {
			why = run->why;
			why_at = run->why_at;
		}
		if (!good)
			continue;
		held += condition.is.truth;
		value->is.truth = condition.is.truth;
		if ((node->op == CONFIG_CEL_EXISTS && condition.is.truth) ||
		    (node->op == CONFIG_CEL_ALL && !condition.is.truth))
			return true;
	}
	run->why = why;
	run->why_at = why_at;
	value->is.truth =
		node->op == CONFIG_CEL_ALL || (node->op == CONFIG_CEL_EXISTS_ONE && held == 1);
	return !why;
}

static bool text_function(enum config_cel_op op, const char *text, const char *other)
{
	const size_t length = strlen(text), other_length = strlen(other);

	switch (op) {
	case CONFIG_CEL_STARTS_WITH:
		return !strncmp(text, other, other_length);
	case CONFIG_CEL_ENDS_WITH:
		return length >= other_length && !strcmp(text + length - other_length, other);
	case CONFIG_CEL_CONTAINS:
		return strstr(text, other);
	case CONFIG_CEL_MATCHES:
		return config_cel_pattern_fits(other, text);
	default:
		return config_cel_glob(text, other);
	}
}

/* Of all operands first: they have no say in whether others are looked at. */
static bool function_value(struct config_cel_run *run, const struct config_cel_node *node,
			   struct config_cel_value *value)
{
	struct config_cel_value operand[2] = { { .type = CONFIG_CEL_BOOL },
					       { .type = CONFIG_CEL_BOOL } };
	const char *why;

	for (unsigned i = 0; i < 2 && node->child[i]; i++)
		if (!config_cel_evaluate(run, node->child[i], &operand[i]))
			return false;
	switch (node->op) {
	case CONFIG_CEL_HAS:
		value->is.truth = is_set(&operand[0]);
		return true;
	case CONFIG_CEL_SIZE:
		value->is.integer = (int64_t)(operand[0].type == CONFIG_CEL_STRING
						      ? config_cel_length(operand[0].is.string)
						      : item_count(&operand[0]));
		return true;
	case CONFIG_CEL_MATCHES:
		run->steps += CONFIG_CEL_PATTERN_STEPS;
		/* fall through */
	case CONFIG_CEL_STARTS_WITH:
	case CONFIG_CEL_ENDS_WITH:
	case CONFIG_CEL_CONTAINS:
	case CONFIG_CEL_GLOB:
		value->is.truth =
			text_function(node->op, operand[0].is.string, operand[1].is.string);
		return true;
	default:
		why = config_cel_compute(node->op, operand, value);
		return why ? lacks(run, node, why) : true;
	}
}

bool config_cel_evaluate(struct config_cel_run *run, const struct config_cel_node *node,
			 struct config_cel_value *value)
{
	struct config_cel_value condition;

	*value = (struct config_cel_value){ .type = node->type };
	if (++run->steps > CONFIG_CEL_STEPS_MAX)
		return lacks(run, node, "the expression takes too many steps");
	switch (node->op) {
	case CONFIG_CEL_CONSTANT:
		value->is = node->value;
		return true;
	case CONFIG_CEL_FIELD:
		read_field(run->disk, node->value.number, value);
		return true;
	case CONFIG_CEL_SYSTEM_DISK:
		value->is.truth = run->disk->system;
		return run->disk->system_known ||
		       lacks(run, node,
			     "which disk is the system disk is not known: none has a partition "
			     "labelled STATE, EPHEMERAL or META");
	case CONFIG_CEL_VARIABLE:
		*value = run->variable[node->value.number];
		return true;
	case CONFIG_CEL_ITEMS:
		value->items = node->child[0];
		return true;
	case CONFIG_CEL_AND:
	case CONFIG_CEL_OR:
		return and_or(run, node, value);
	case CONFIG_CEL_CHOICE:
		return config_cel_evaluate(run, node->child[0], &condition) &&
		       config_cel_evaluate(run, node->child[condition.is.truth ? 1 : 2], value);
	case CONFIG_CEL_IN:
		return is_in(run, node, value);
	case CONFIG_CEL_INDEX:
		return indexed(run, node, value);
	case CONFIG_CEL_EXISTS:
	case CONFIG_CEL_EXISTS_ONE:
	case CONFIG_CEL_ALL:
		return each_item(run, node, value);
	default:
		return function_value(run, node, value);
	}
}
