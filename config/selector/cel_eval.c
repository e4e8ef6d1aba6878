/* SPDX-License-Identifier: MIT */
/* Evaluating a disk selector for one disk. */
#include <stdint.h>
#include <string.h>

#include "config/selector/cel.h"

static bool set_no_value(struct config_cel_run *run, const struct config_cel_node *node,
			 const char *why)
{
	run->why = why;
	run->why_at = node->at;
	return false;
}

static size_t count_items(const struct config_cel_value *list)
{
	size_t count = 0;

	for (const char *const *text = list->strings; text && *text; text++)
		count++;
	for (const struct config_cel_node *item = list->items; item; item = item->next)
		count++;
	return count;
}

/* An iterator over a list; begin with begun false. */
struct iterator {
	const char *const *text;
	const struct config_cel_node *item;
	bool begun;
};

static bool next_item(struct iterator *iterator, const struct config_cel_value *list)
{
	if (!iterator->begun) {
		iterator->text = list->strings;
		iterator->item = list->items;
		iterator->begun = true;
	} else if (iterator->text) {
		iterator->text++;
	} else {
		iterator->item = iterator->item->next;
	}
	return iterator->text ? *iterator->text != NULL : iterator->item != NULL;
}

static bool get_item(struct config_cel_run *run, const struct iterator *iterator,
		     struct config_cel_value *value)
{
	if (iterator->item)
		return config_cel_evaluate(run, iterator->item, value);
	*value = (struct config_cel_value){ .type = CONFIG_CEL_STRING,
					    .is.string = *iterator->text };
	return true;
}

static void read_field(const struct disk_facts *disk, unsigned number,
		       struct config_cel_value *value)
{
	const struct config_cel_field *field = config_cel_field_at(number);
	const void *member = (const char *)disk + field->offset;

	if (field->type == CONFIG_CEL_BOOL)
		memcpy(&value->is.truth, member, sizeof(value->is.truth));
	else if (field->type == CONFIG_CEL_UINT)
		memcpy(&value->is.natural, member, sizeof(value->is.natural));
	else if (field->type == CONFIG_CEL_STRING)
		memcpy(&value->is.string, member, sizeof(value->is.string));
	else
		memcpy(&value->strings, member, sizeof(value->strings));
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
		return count_items(value) > 0;
	}
}

/* In CEL one deciding side suffices, even if the other has no value. */
static bool evaluate_and_or(struct config_cel_run *run, const struct config_cel_node *node,
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

static bool evaluate_in(struct config_cel_run *run, const struct config_cel_node *node,
			struct config_cel_value *value)
{
	struct config_cel_value pair[2], list, equal;
	struct iterator iterator = { .begun = false };

	value->is.truth = false;
	if (!config_cel_evaluate(run, node->child[0], &pair[0]) ||
	    !config_cel_evaluate(run, node->child[1], &list))
		return false;
	while (!value->is.truth && next_item(&iterator, &list)) {
		if (!get_item(run, &iterator, &pair[1]))
			return false;
		equal.type = CONFIG_CEL_BOOL;
		(void)config_cel_compute(CONFIG_CEL_EQUAL, pair, &equal);
		value->is.truth = equal.is.truth;
	}
	return true;
}

static bool evaluate_index(struct config_cel_run *run, const struct config_cel_node *node,
			   struct config_cel_value *value)
{
	struct config_cel_value list, number;
	struct iterator iterator = { .begun = false };

	if (!config_cel_evaluate(run, node->child[0], &list) ||
	    !config_cel_evaluate(run, node->child[1], &number))
		return false;
	for (int64_t i = 0; next_item(&iterator, &list); i++)
		if (i == number.is.integer)
			return get_item(run, &iterator, value);
	return set_no_value(run, node, "index out of range");
}

/* exists() and all() stop at the deciding item; exists_one() evaluates every item. */
static bool evaluate_macro(struct config_cel_run *run, const struct config_cel_node *node,
			   struct config_cel_value *value)
{
	struct config_cel_value list, item, condition;
	struct iterator iterator = { .begun = false };
	const char *why = NULL;
	size_t why_at = 0, held = 0;

	if (!config_cel_evaluate(run, node->child[0], &list))
		return false;
	while (next_item(&iterator, &list)) {
		bool good = get_item(run, &iterator, &item);

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

static bool call_text_function(enum config_cel_op op, const char *text, const char *other)
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
		return config_cel_pattern_matches(other, text);
	default:
		return config_cel_glob(text, other);
	}
}

/* Functions and operators that evaluate all their operands. */
static bool evaluate_function(struct config_cel_run *run, const struct config_cel_node *node,
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
						      : count_items(&operand[0]));
		return true;
	case CONFIG_CEL_MATCHES:
		run->steps += CONFIG_CEL_PATTERN_STEPS;
		/* fall through */
	case CONFIG_CEL_STARTS_WITH:
	case CONFIG_CEL_ENDS_WITH:
	case CONFIG_CEL_CONTAINS:
	case CONFIG_CEL_GLOB:
		value->is.truth =
			call_text_function(node->op, operand[0].is.string, operand[1].is.string);
		return true;
	default:
		why = config_cel_compute(node->op, operand, value);
		return why ? set_no_value(run, node, why) : true;
	}
}

bool config_cel_evaluate(struct config_cel_run *run, const struct config_cel_node *node,
			 struct config_cel_value *value)
{
	struct config_cel_value condition;

	*value = (struct config_cel_value){ .type = node->type };
	if (++run->steps > CONFIG_CEL_STEPS_MAX)
		return set_no_value(run, node, "the expression takes too many steps");
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
		       set_no_value(run, node,
				    "the system disk is unknown: no disk has a partition labeled "
				    "META");
	case CONFIG_CEL_VARIABLE:
		*value = run->variable[node->value.number];
		return true;
	case CONFIG_CEL_ITEMS:
		value->items = node->child[0];
		return true;
	case CONFIG_CEL_AND:
	case CONFIG_CEL_OR:
		return evaluate_and_or(run, node, value);
	case CONFIG_CEL_CHOICE:
		return config_cel_evaluate(run, node->child[0], &condition) &&
		       config_cel_evaluate(run, node->child[condition.is.truth ? 1 : 2], value);
	case CONFIG_CEL_IN:
		return evaluate_in(run, node, value);
	case CONFIG_CEL_INDEX:
		return evaluate_index(run, node, value);
	case CONFIG_CEL_EXISTS:
	case CONFIG_CEL_EXISTS_ONE:
	case CONFIG_CEL_ALL:
		return evaluate_macro(run, node, value);
	default:
		return evaluate_function(run, node, value);
	}
}
