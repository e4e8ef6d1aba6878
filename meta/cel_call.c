/* SPDX-License-Identifier: MIT */
/* Functions, methods, and the macros that look at each item of a list. */
#include <string.h>

#include "meta/cel.h"

enum { ARGUMENTS_MAX = 2 };

#define LIST_OF_ANY  0x100u /* beside the types: what a signature may ask for */
#define ANY_NUMBER   0x101u
#define LITERAL_TEXT 0x102u

/* As a method the first of them stands before the dot; both: it may stand in either place. */
static const struct function {
	const char *name;
	enum meta_cel_op op;
	bool method;
	bool function;
	unsigned count;
	unsigned argument[ARGUMENTS_MAX];
	unsigned type;
} functions[] = {
	{ "startsWith",
	  META_CEL_STARTS_WITH,
	  true,
	  false,
	  2,
	  { META_CEL_STRING, META_CEL_STRING },
	  META_CEL_BOOL },
	{ "endsWith",
	  META_CEL_ENDS_WITH,
	  true,
	  false,
	  2,
	  { META_CEL_STRING, META_CEL_STRING },
	  META_CEL_BOOL },
	{ "contains",
	  META_CEL_CONTAINS,
	  true,
	  false,
	  2,
	  { META_CEL_STRING, META_CEL_STRING },
	  META_CEL_BOOL },
	{ "matches",
	  META_CEL_MATCHES,
	  true,
	  true,
	  2,
	  { META_CEL_STRING, LITERAL_TEXT },
	  META_CEL_BOOL },
	{ "glob",
	  META_CEL_GLOB,
	  false,
	  true,
	  2,
	  { META_CEL_STRING, META_CEL_STRING },
	  META_CEL_BOOL },
	{ "size", META_CEL_SIZE, true, true, 1, { META_CEL_STRING }, META_CEL_INT },
	{ "size", META_CEL_SIZE, true, true, 1, { LIST_OF_ANY }, META_CEL_INT },
	{ "int", META_CEL_TO_INT, false, true, 1, { ANY_NUMBER }, META_CEL_INT },
	{ "uint", META_CEL_TO_UINT, false, true, 1, { ANY_NUMBER }, META_CEL_UINT },
	{ "double", META_CEL_TO_DOUBLE, false, true, 1, { ANY_NUMBER }, META_CEL_DOUBLE },
};

static const struct macro {
	const char *name;
	enum meta_cel_op op;
} macros[] = {
	{ "exists", META_CEL_EXISTS },
	{ "exists_one", META_CEL_EXISTS_ONE },
	{ "all", META_CEL_ALL },
};

static bool fits(const struct meta_cel_node *value, unsigned wanted)
{
	switch (wanted) {
	case LIST_OF_ANY:
		return value->type & META_CEL_LIST;
	case ANY_NUMBER:
		return value->type == META_CEL_INT || value->type == META_CEL_UINT ||
		       value->type == META_CEL_DOUBLE;
	case LITERAL_TEXT:
		return value->type == META_CEL_STRING && value->op == META_CEL_CONSTANT;
	default:
		return value->type == wanted;
	}
}

/* LIST.exists(NAME, CONDITION): NAME is known in the condition only. */
static struct meta_cel_node *macro_call(struct meta_cel_reader *reader, const struct macro *macro,
					struct meta_cel_node *list,
					const struct meta_cel_token *name)
{
	const unsigned number = reader->variable_count;
	struct meta_cel_node *condition = NULL, *node;

	if (!(list->type & META_CEL_LIST)) {
		meta_cel_fail(reader, name->at, "%s() looks at a list, not at a %s", macro->name,
			      meta_cel_type_name(list->type));
		return NULL;
	}
	if (number == META_CEL_VARIABLES_MAX) {
		meta_cel_fail(reader, name->at, "too many of these in one another");
		return NULL;
	}
	if (reader->token.kind != META_CEL_NAME) {
		meta_cel_fail(reader, reader->token.at,
			      "%s() takes a name for the item and a condition", macro->name);
		return NULL;
	}
	reader->variable[number].at = reader->token.at;
	reader->variable[number].size = reader->token.size;
	reader->variable[number].type = list->type & ~(unsigned)META_CEL_LIST;
	if (!meta_cel_advance(reader) || !meta_cel_expect(reader, ","))
		return NULL;
	reader->variable_count++;
	condition = meta_cel_inner(reader);
	reader->variable_count--;
	if (!condition || !meta_cel_expect(reader, ")"))
		return NULL;
	if (condition->type != META_CEL_BOOL) {
		meta_cel_fail(reader, condition->at, "a condition is a bool, not a %s",
			      meta_cel_type_name(condition->type));
		return NULL;
	}
	node = meta_cel_node(reader, macro->op, META_CEL_BOOL, name->at,
			     (struct meta_cel_node *[3]){ list, condition });
	if (node)
		node->value.number = number;
	return node;
}

/* has(disk.FIELD): it is not empty, zero or false, as protocol buffers have it. */
static struct meta_cel_node *has_call(struct meta_cel_reader *reader,
				      const struct meta_cel_token *name)
{
	struct meta_cel_node *field = meta_cel_inner(reader);

	if (!field || !meta_cel_expect(reader, ")"))
		return NULL;
	if (field->op != META_CEL_FIELD) {
		meta_cel_fail(reader, field->at, "has() takes a field of the disk");
		return NULL;
	}
	return meta_cel_node(reader, META_CEL_HAS, META_CEL_BOOL, name->at,
			     (struct meta_cel_node *[3]){ field });
}

/* Up to the closing parenthesis; argument[*count] on are free. */
static bool arguments(struct meta_cel_reader *reader, struct meta_cel_node *argument[3],
		      unsigned *count)
{
	if (meta_cel_is(reader, ")"))
		return meta_cel_advance(reader);
	for (;;) {
		if (*count > ARGUMENTS_MAX)
			return meta_cel_fail(reader, reader->token.at, "too many arguments");
		argument[*count] = meta_cel_inner(reader);
		if (!argument[(*count)++])
			return false;
		if (!meta_cel_is(reader, ","))
			return meta_cel_expect(reader, ")");
		if (!meta_cel_advance(reader))
			return false;
	}
}

static struct meta_cel_node *checked(struct meta_cel_reader *reader,
				     const struct function *function,
				     struct meta_cel_node *const argument[3], size_t at)
{
	const char *flaw = NULL;

	if (function->op == META_CEL_MATCHES)
		flaw = meta_cel_pattern_flaw(argument[1]->value.string);
	if (!flaw)
		return meta_cel_node(reader, function->op, function->type, at, argument);
	meta_cel_fail(reader, argument[1]->at, "%s", flaw);
	return NULL;
}

struct meta_cel_node *meta_cel_call(struct meta_cel_reader *reader, struct meta_cel_node *target,
				    const struct meta_cel_token *name)
{
	struct meta_cel_node *argument[3] = { target };
	unsigned count = target != NULL;
	bool exists = false;

	if (!target && meta_cel_named(reader, name, "has"))
		return has_call(reader, name);
	for (size_t i = 0; target && i < sizeof(macros) / sizeof(*macros); i++)
		if (meta_cel_named(reader, name, macros[i].name))
			return macro_call(reader, &macros[i], target, name);
	if (!arguments(reader, argument, &count))
		return NULL;
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		const struct function *function = &functions[i];
		bool good = count == function->count;

		if (!meta_cel_named(reader, name, function->name) ||
		    !(target ? function->method : function->function))
			continue;
		exists = true;
		for (unsigned j = 0; good && j < count; j++)
			good = fits(argument[j], function->argument[j]);
		if (good)
			return checked(reader, function, argument, name->at);
	}
	if (exists)
		meta_cel_fail(reader, name->at, "%.*s() does not take these arguments%s",
			      (int)name->size, reader->text + name->at,
			      meta_cel_named(reader, name, "matches")
				      ? ": it takes a text and a literal pattern"
				      : "");
	else
		meta_cel_fail(reader, name->at, "undeclared reference to \"%.*s()\"",
			      name->size < 40 ? (int)name->size : 40, reader->text + name->at);
	return NULL;
}
