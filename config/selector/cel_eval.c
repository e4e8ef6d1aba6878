/* SPDX-License-Identifier: MIT */
/* Evaluating a disk selector for one disk. */
#include <stdint.h>
#include <string.h>

#include "config/selector/cel.h"

#define TEXT_STEP 1024u

static const char too_many_steps[] = "the expression takes too many steps";

static bool set_no_value(struct config_cel_run *run, const struct config_cel_node *node,
			 const char *why)
{
	run->why = why;
	run->why_at = node->at;
	return false;
}

static struct config_cel_list *new_list(struct config_cel_run *run, size_t count,
					struct config_cel_value **item)
{
	struct config_cel_list *list = config_cel_allocate(run, sizeof(*list));

	*item = list ? config_cel_allocate(run, count * sizeof(**item)) : NULL;
	if (!*item)
		return NULL;
	*list = (struct config_cel_list){ .count = count, .item = *item };
	return list;
}

static bool read_field(struct config_cel_run *run, const struct config_cel_node *node,
		       unsigned number, struct config_cel_value *value)
{
	const struct config_cel_field *field = config_cel_field_at(number);
	const void *member = (const char *)run->disk + field->offset;
	struct config_cel_list *list;

	value->type = field->type & CONFIG_CEL_BASE;
	switch (value->type) {
	case CONFIG_CEL_BOOL:
		memcpy(&value->is.truth, member, sizeof(value->is.truth));
		return true;
	case CONFIG_CEL_UINT:
		memcpy(&value->is.natural, member, sizeof(value->is.natural));
		return true;
	case CONFIG_CEL_STRING:
		memcpy(&value->is.string, member, sizeof(value->is.string));
		return true;
	default:
		break;
	}
	list = config_cel_allocate(run, sizeof(*list));
	if (!list)
		return set_no_value(run, node, CONFIG_CEL_NO_MEMORY);
	*list = (struct config_cel_list){ .count = 0 };
	memcpy(&list->strings, member, sizeof(list->strings));
	while (list->strings[list->count])
		list->count++;
	value->is.list = list;
	return true;
}

/* OF.NAME for a value of any type; *found: false if a map does not have the key. */
static bool read_member(struct config_cel_run *run, const struct config_cel_node *node,
			const struct config_cel_value *of, struct config_cel_value *value,
			bool *found)
{
	const struct config_cel_value key = { .type = CONFIG_CEL_STRING,
					      .is.string = node->value.string };
	const int number = config_cel_field_find(key.is.string, strlen(key.is.string));

	*found = true;
	if (of->type == CONFIG_CEL_DISK && number >= 0)
		return read_field(run, node, (unsigned)number, value);
	if (of->type != CONFIG_CEL_MAP)
		return set_no_value(run, node, CONFIG_CEL_NO_OVERLOAD);
	*found = config_cel_find(run, of->is.list, &key, value);
	return true;
}

static bool is_set(const struct config_cel_value *value)
{
	switch (value->type) {
	case CONFIG_CEL_BOOL:
		return value->is.truth;
	case CONFIG_CEL_UINT:
		return value->is.natural != 0;
	case CONFIG_CEL_STRING:
		return *value->is.string != '\0';
	default:
		return value->is.list->count > 0;
	}
}

/* Is a field set, or a key in a map? */
static bool evaluate_has(struct config_cel_run *run, const struct config_cel_node *node,
			 struct config_cel_value *value)
{
	const struct config_cel_node *of = node->child[0];
	struct config_cel_value operand, member;
	bool good = config_cel_evaluate(run, of->child[0], &operand), found = true;

	if (good && of->op == CONFIG_CEL_MEMBER)
		good = read_member(run, of, &operand, &member, &found);
	else if (good)
		good = read_field(run, of, of->value.number, &member);
	if (good)
		value->is.truth = found && (operand.type == CONFIG_CEL_MAP || is_set(&member));
	return good;
}

static bool evaluate_items(struct config_cel_run *run, const struct config_cel_node *node,
			   struct config_cel_value *value)
{
	struct config_cel_value *item;
	struct config_cel_list *list;
	size_t count = 0;

	for (const struct config_cel_node *at = node->child[0]; at; at = at->next)
		count++;
	list = new_list(run, count, &item);
	if (!list)
		return set_no_value(run, node, CONFIG_CEL_NO_MEMORY);
	for (const struct config_cel_node *at = node->child[0]; at; at = at->next)
		if (!config_cel_evaluate(run, at, item++))
			return false;
	value->is.list = list;
	return true;
}

/* The value must be a bool. */
static bool evaluate_condition(struct config_cel_run *run, const struct config_cel_node *node,
			       bool *truth)
{
	struct config_cel_value value;

	if (!config_cel_evaluate(run, node, &value))
		return false;
	if (value.type != CONFIG_CEL_BOOL)
		return set_no_value(run, node, CONFIG_CEL_NO_OVERLOAD);
	*truth = value.is.truth;
	return true;
}

/* In CEL one deciding side suffices, even if the other has no value. */
static bool evaluate_and_or(struct config_cel_run *run, const struct config_cel_node *node,
			    struct config_cel_value *value)
{
	const bool decisive = node->op == CONFIG_CEL_OR;
	const char *why = NULL;
	size_t why_at = 0;

	value->type = CONFIG_CEL_BOOL;
	for (unsigned i = 0; i < 2; i++) {
		if (evaluate_condition(run, node->child[i], &value->is.truth)) {
			if (value->is.truth == decisive)
				return true;
		} else if (!why) {
			why = run->why;
			why_at = run->why_at;
		}
	}
	run->why = why;
	run->why_at = why_at;
	value->is.truth = !decisive;
	return !why;
}

/* exists() and all() stop at the deciding item; exists_one() evaluates every item. */
static bool evaluate_quantifier(struct config_cel_run *run, const struct config_cel_node *node,
				const struct config_cel_value *of, struct config_cel_value *value)
{
	const size_t step = of->type == CONFIG_CEL_MAP ? 2 : 1, mark = run->used;
	const char *why = NULL;
	size_t why_at = 0, held = 0;

	value->type = CONFIG_CEL_BOOL;
	for (size_t i = 0; i < of->is.list->count; i += step) {
		bool truth;

		run->variable[node->value.number] = config_cel_item(of->is.list, i);
		run->used = mark;
		if (!evaluate_condition(run, node->child[1], &truth)) {
			if (!why)
				why_at = run->why_at;
			why = why ? why : run->why;
			continue;
		}
		held += truth;
		value->is.truth = truth;
		if ((node->op == CONFIG_CEL_EXISTS && truth) ||
		    (node->op == CONFIG_CEL_ALL && !truth))
			return true;
	}
	run->why = why;
	run->why_at = why_at;
	value->is.truth =
		node->op == CONFIG_CEL_ALL || (node->op == CONFIG_CEL_EXISTS_ONE && held == 1);
	return !why;
}

/* filter() and map(). */
static bool evaluate_selection(struct config_cel_run *run, const struct config_cel_node *node,
			       const struct config_cel_value *of, struct config_cel_value *value)
{
	const size_t step = of->type == CONFIG_CEL_MAP ? 2 : 1;
	struct config_cel_value *item;
	struct config_cel_list *list = new_list(run, of->is.list->count, &item);
	bool wanted = true;

	if (!list)
		return set_no_value(run, node, CONFIG_CEL_NO_MEMORY);
	list->count = 0;
	for (size_t i = 0; i < of->is.list->count; i += step) {
		struct config_cel_value *at = &item[list->count];
		const struct config_cel_value each = config_cel_item(of->is.list, i);

		run->variable[node->value.number] = each;
		if (node->child[1] && !evaluate_condition(run, node->child[1], &wanted))
			return false;
		*at = each;
		if (wanted && node->child[2] && !config_cel_evaluate(run, node->child[2], at))
			return false;
		list->count += wanted;
	}
	value->type = CONFIG_CEL_LIST;
	value->is.list = list;
	return true;
}

static bool evaluate_macro(struct config_cel_run *run, const struct config_cel_node *node,
			   struct config_cel_value *value)
{
	struct config_cel_value of;

	if (!config_cel_evaluate(run, node->child[0], &of))
		return false;
	if (of.type < CONFIG_CEL_LIST)
		return set_no_value(run, node, CONFIG_CEL_NO_OVERLOAD);
	if (node->op >= CONFIG_CEL_FILTER)
		return evaluate_selection(run, node, &of, value);
	return evaluate_quantifier(run, node, &of, value);
}

static const char *match_pattern(struct config_cel_run *run, const char *pattern, const char *text,
				 bool *truth)
{
	const char *flaw = config_cel_pattern_flaw(pattern);

	run->steps += CONFIG_CEL_PATTERN_STEPS;
	*truth = !flaw && config_cel_pattern_matches(pattern, text);
	return flaw;
}

static int64_t measure(const struct config_cel_value *value)
{
	switch (value->type) {
	case CONFIG_CEL_STRING:
		return (int64_t)config_cel_length(value->is.string);
	case CONFIG_CEL_BYTES:
		return (int64_t)strlen(value->is.string);
	case CONFIG_CEL_MAP:
		return (int64_t)value->is.list->count / 2;
	default:
		return (int64_t)value->is.list->count;
	}
}

static const char *call_function(struct config_cel_run *run, const struct config_cel_node *node,
				 const struct config_cel_value operand[static 2],
				 struct config_cel_value *value)
{
	const char *text = operand[0].is.string, *other = operand[1].is.string;

	for (unsigned i = 0; i < 2 && node->child[i]; i++)
		if (!config_cel_accepts(node->value.number, i, operand[i].type))
			return CONFIG_CEL_NO_OVERLOAD;
	/* Texts can be long, and glob() takes the product of their lengths. */
	if (node->op >= CONFIG_CEL_STARTS_WITH && node->op <= CONFIG_CEL_GLOB)
		run->steps += (unsigned)(strlen(text) * strlen(other) / TEXT_STEP);
	switch (node->op) {
	case CONFIG_CEL_SIZE:
		value->is.integer = measure(&operand[0]);
		return NULL;
	case CONFIG_CEL_STARTS_WITH:
		value->is.truth = !strncmp(text, other, strlen(other));
		return NULL;
	case CONFIG_CEL_ENDS_WITH:
		value->is.truth = strlen(text) >= strlen(other) &&
				  !strcmp(text + strlen(text) - strlen(other), other);
		return NULL;
	case CONFIG_CEL_CONTAINS:
		value->is.truth = strstr(text, other);
		return NULL;
	case CONFIG_CEL_MATCHES:
		return match_pattern(run, other, text, &value->is.truth);
	case CONFIG_CEL_GLOB:
		value->is.truth = config_cel_glob(text, other);
		return NULL;
	case CONFIG_CEL_CONVERT:
		return config_cel_convert(run, &operand[0], value);
	case CONFIG_CEL_TYPE_OF:
		value->is.number = operand[0].type;
		return NULL;
	default: /* AS_DYN */
		*value = operand[0];
		return NULL;
	}
}

/* Functions and operators that evaluate all their operands. */
static bool evaluate_operation(struct config_cel_run *run, const struct config_cel_node *node,
			       struct config_cel_value *value)
{
	struct config_cel_value operand[2] = { { .type = CONFIG_CEL_NULL },
					       { .type = CONFIG_CEL_NULL } };
	const char *why;
	bool found;

	for (unsigned i = 0; i < 2 && node->child[i]; i++)
		if (!config_cel_evaluate(run, node->child[i], &operand[i]))
			return false;
	if (node->op == CONFIG_CEL_MEMBER)
		return read_member(run, node, &operand[0], value, &found) &&
		       (found || set_no_value(run, node, "no such key"));
	if (node->op >= CONFIG_CEL_SIZE)
		why = call_function(run, node, operand, value);
	else
		why = config_cel_compute(run, node->op, operand, value);
	if (!why && run->steps > CONFIG_CEL_STEPS_MAX)
		why = too_many_steps;
	return why ? set_no_value(run, node, why) : true;
}

bool config_cel_evaluate(struct config_cel_run *run, const struct config_cel_node *node,
			 struct config_cel_value *value)
{
	bool truth;

	*value = (struct config_cel_value){ .type = node->type & CONFIG_CEL_BASE };
	if (++run->steps > CONFIG_CEL_STEPS_MAX)
		return set_no_value(run, node, too_many_steps);
	switch (node->op) {
	case CONFIG_CEL_CONSTANT:
		value->is = node->value;
		return true;
	case CONFIG_CEL_FIELD:
		return read_field(run, node, node->value.number, value);
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
		return evaluate_items(run, node, value);
	case CONFIG_CEL_AND:
	case CONFIG_CEL_OR:
		return evaluate_and_or(run, node, value);
	case CONFIG_CEL_CHOICE:
		return evaluate_condition(run, node->child[0], &truth) &&
		       config_cel_evaluate(run, node->child[truth ? 1 : 2], value);
	case CONFIG_CEL_HAS:
		return evaluate_has(run, node, value);
	default:
		return node->op >= CONFIG_CEL_EXISTS ? evaluate_macro(run, node, value)
						     : evaluate_operation(run, node, value);
	}
}
