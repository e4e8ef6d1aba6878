/* SPDX-License-Identifier: MIT */
/* Functions, methods, and macros that evaluate a condition for each item of a list. */
#include <string.h>

#include "config/selector/cel.h"

enum { ARGUMENTS_MAX = 2 };

/* Further types of arguments in signatures. */
#define LIST_OF_ANY  0x100u
#define ANY_NUMBER   0x101u
#define LITERAL_TEXT 0x102u

/* A method has its first argument before the dot. Some can be called in both ways. */
static const struct function {
	const char *name;
	enum config_cel_op op;
	bool method;
	bool function;
	unsigned count;
	unsigned argument[ARGUMENTS_MAX];
	unsigned type;
} functions[] = {
	{ "startsWith",
	  CONFIG_CEL_STARTS_WITH,
	  true,
	  false,
	  2,
	  { CONFIG_CEL_STRING, CONFIG_CEL_STRING },
	  CONFIG_CEL_BOOL },
	{ "endsWith",
	  CONFIG_CEL_ENDS_WITH,
	  true,
	  false,
	  2,
	  { CONFIG_CEL_STRING, CONFIG_CEL_STRING },
	  CONFIG_CEL_BOOL },
	{ "contains",
	  CONFIG_CEL_CONTAINS,
	  true,
	  false,
	  2,
	  { CONFIG_CEL_STRING, CONFIG_CEL_STRING },
	  CONFIG_CEL_BOOL },
	{ "matches",
	  CONFIG_CEL_MATCHES,
	  true,
	  true,
	  2,
	  { CONFIG_CEL_STRING, LITERAL_TEXT },
	  CONFIG_CEL_BOOL },
	{ "glob",
	  CONFIG_CEL_GLOB,
	  false,
	  true,
	  2,
	  { CONFIG_CEL_STRING, CONFIG_CEL_STRING },
	  CONFIG_CEL_BOOL },
	{ "size", CONFIG_CEL_SIZE, true, true, 1, { CONFIG_CEL_STRING }, CONFIG_CEL_INT },
	{ "size", CONFIG_CEL_SIZE, true, true, 1, { LIST_OF_ANY }, CONFIG_CEL_INT },
	{ "int", CONFIG_CEL_TO_INT, false, true, 1, { ANY_NUMBER }, CONFIG_CEL_INT },
	{ "uint", CONFIG_CEL_TO_UINT, false, true, 1, { ANY_NUMBER }, CONFIG_CEL_UINT },
	{ "double", CONFIG_CEL_TO_DOUBLE, false, true, 1, { ANY_NUMBER }, CONFIG_CEL_DOUBLE },
};

static const struct macro {
	const char *name;
	enum config_cel_op op;
} macros[] = {
	{ "exists", CONFIG_CEL_EXISTS },
	{ "exists_one", CONFIG_CEL_EXISTS_ONE },
	{ "all", CONFIG_CEL_ALL },
};

static bool is_type(const struct config_cel_node *value, unsigned wanted)
{
	switch (wanted) {
	case LIST_OF_ANY:
		return value->type & CONFIG_CEL_LIST;
	case ANY_NUMBER:
		return value->type == CONFIG_CEL_INT || value->type == CONFIG_CEL_UINT ||
		       value->type == CONFIG_CEL_DOUBLE;
	case LITERAL_TEXT:
		return value->type == CONFIG_CEL_STRING && value->op == CONFIG_CEL_CONSTANT;
	default:
		return value->type == wanted;
	}
}

/* LIST.exists(NAME, CONDITION). NAME is visible in the condition only. */
static struct config_cel_node *parse_macro(struct config_cel_reader *reader,
					   const struct macro *macro, struct config_cel_node *list,
					   const struct config_cel_token *name)
{
	const unsigned number = reader->variable_count;
	struct config_cel_node *condition = NULL, *node;

	if (!(list->type & CONFIG_CEL_LIST)) {
		config_cel_fail(reader, name->at, "%s() needs a list, not a %s", macro->name,
				config_cel_type_name(list->type));
		return NULL;
	}
	if (number == CONFIG_CEL_VARIABLES_MAX) {
		config_cel_fail(reader, name->at,
				"exists(), exists_one() and all() are nested too deeply");
		return NULL;
	}
	if (reader->token.kind != CONFIG_CEL_NAME) {
		config_cel_fail(reader, reader->token.at,
				"%s() needs a name for the item and a condition", macro->name);
		return NULL;
	}
	reader->variable[number].at = reader->token.at;
	reader->variable[number].size = reader->token.size;
	reader->variable[number].type = list->type & ~(unsigned)CONFIG_CEL_LIST;
	if (!config_cel_advance(reader) || !config_cel_expect(reader, ","))
		return NULL;
	reader->variable_count++;
	condition = config_cel_inner(reader);
	reader->variable_count--;
	if (!condition || !config_cel_expect(reader, ")"))
		return NULL;
	if (condition->type != CONFIG_CEL_BOOL) {
		config_cel_fail(reader, condition->at, "a condition must be a bool, not a %s",
				config_cel_type_name(condition->type));
		return NULL;
	}
	node = config_cel_node(reader, macro->op, CONFIG_CEL_BOOL, name->at,
			       (struct config_cel_node *[3]){ list, condition });
	if (node)
		node->value.number = number;
	return node;
}

/* has(disk.FIELD): as in protocol buffers, the field is not empty, zero or false. */
static struct config_cel_node *parse_has(struct config_cel_reader *reader,
					 const struct config_cel_token *name)
{
	struct config_cel_node *field = config_cel_inner(reader);

	if (!field || !config_cel_expect(reader, ")"))
		return NULL;
	if (field->op != CONFIG_CEL_FIELD) {
		config_cel_fail(reader, field->at, "has() needs a field of the disk");
		return NULL;
	}
	return config_cel_node(reader, CONFIG_CEL_HAS, CONFIG_CEL_BOOL, name->at,
			       (struct config_cel_node *[3]){ field });
}

/* Appends the arguments up to the closing parenthesis. */
static bool parse_arguments(struct config_cel_reader *reader, struct config_cel_node *argument[3],
			    unsigned *count)
{
	if (config_cel_is(reader, ")"))
		return config_cel_advance(reader);
	for (;;) {
		if (*count > ARGUMENTS_MAX)
			return config_cel_fail(reader, reader->token.at, "too many arguments");
		argument[*count] = config_cel_inner(reader);
		if (!argument[(*count)++])
			return false;
		if (!config_cel_is(reader, ","))
			return config_cel_expect(reader, ")");
		if (!config_cel_advance(reader))
			return false;
	}
}

static struct config_cel_node *create_call(struct config_cel_reader *reader,
					   const struct function *function,
					   struct config_cel_node *const argument[3], size_t at)
{
	const char *flaw = NULL;

	if (function->op == CONFIG_CEL_MATCHES)
		flaw = config_cel_pattern_flaw(argument[1]->value.string);
	if (!flaw)
		return config_cel_node(reader, function->op, function->type, at, argument);
	config_cel_fail(reader, argument[1]->at, "%s", flaw);
	return NULL;
}

struct config_cel_node *config_cel_call(struct config_cel_reader *reader,
					struct config_cel_node *target,
					const struct config_cel_token *name)
{
	struct config_cel_node *argument[3] = { target };
	unsigned count = target != NULL;
	bool exists = false;

	if (!target && config_cel_named(reader, name, "has"))
		return parse_has(reader, name);
	for (size_t i = 0; target && i < sizeof(macros) / sizeof(*macros); i++)
		if (config_cel_named(reader, name, macros[i].name))
			return parse_macro(reader, &macros[i], target, name);
	if (!parse_arguments(reader, argument, &count))
		return NULL;
	for (size_t i = 0; i < sizeof(functions) / sizeof(*functions); i++) {
		const struct function *function = &functions[i];
		bool good = count == function->count;

		if (!config_cel_named(reader, name, function->name) ||
		    !(target ? function->method : function->function))
			continue;
		exists = true;
		for (unsigned j = 0; good && j < count; j++)
			good = is_type(argument[j], function->argument[j]);
		if (good)
			return create_call(reader, function, argument, name->at);
	}
	if (exists)
		config_cel_fail(reader, name->at, "%.*s() does not take these arguments%s",
				(int)name->size, reader->text + name->at,
				config_cel_named(reader, name, "matches")
					? "; use a text and a literal pattern"
					: "");
	else
		config_cel_fail(reader, name->at, "undeclared reference to \"%.*s()\"",
				name->size < 40 ? (int)name->size : 40, reader->text + name->at);
	return NULL;
}
