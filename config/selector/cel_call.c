/* SPDX-License-Identifier: MIT */
/* Functions, methods, and macros that evaluate a condition for each item of a list. */
#include <string.h>

#include "config/selector/cel.h"

enum { ARGUMENTS_MAX = 2 };

#define BIT(type) (1u << CONFIG_CEL_##type)
#define NUMBERS	  (BIT(INT) | BIT(UINT) | BIT(DOUBLE))
#define ANY	  0xffffu

/* A method has its first argument before the dot. Some can be called in both ways. */
static const struct function {
	char name[12];
	uint8_t op;
	bool method;
	bool function;
	uint8_t count;
	uint8_t type;			  /* of the result */
	uint16_t argument[ARGUMENTS_MAX]; /* the bits of the base types */
} functions[] = {
	{ "startsWith",
	  CONFIG_CEL_STARTS_WITH,
	  true,
	  false,
	  2,
	  CONFIG_CEL_BOOL,
	  { BIT(STRING), BIT(STRING) } },
	{ "endsWith",
	  CONFIG_CEL_ENDS_WITH,
	  true,
	  false,
	  2,
	  CONFIG_CEL_BOOL,
	  { BIT(STRING), BIT(STRING) } },
	{ "contains",
	  CONFIG_CEL_CONTAINS,
	  true,
	  false,
	  2,
	  CONFIG_CEL_BOOL,
	  { BIT(STRING), BIT(STRING) } },
	{ "matches",
	  CONFIG_CEL_MATCHES,
	  true,
	  true,
	  2,
	  CONFIG_CEL_BOOL,
	  { BIT(STRING), BIT(STRING) } },
	{ "glob", CONFIG_CEL_GLOB, false, true, 2, CONFIG_CEL_BOOL, { BIT(STRING), BIT(STRING) } },
	{ "size",
	  CONFIG_CEL_SIZE,
	  true,
	  true,
	  1,
	  CONFIG_CEL_INT,
	  { BIT(STRING) | BIT(BYTES) | BIT(LIST) | BIT(MAP) } },
	{ "bool",
	  CONFIG_CEL_CONVERT,
	  false,
	  true,
	  1,
	  CONFIG_CEL_BOOL,
	  { BIT(BOOL) | BIT(STRING) } },
	{ "bytes",
	  CONFIG_CEL_CONVERT,
	  false,
	  true,
	  1,
	  CONFIG_CEL_BYTES,
	  { BIT(BYTES) | BIT(STRING) } },
	{ "double",
	  CONFIG_CEL_CONVERT,
	  false,
	  true,
	  1,
	  CONFIG_CEL_DOUBLE,
	  { NUMBERS | BIT(STRING) } },
	{ "dyn", CONFIG_CEL_AS_DYN, false, true, 1, CONFIG_CEL_DYN, { ANY } },
	{ "int", CONFIG_CEL_CONVERT, false, true, 1, CONFIG_CEL_INT, { NUMBERS | BIT(STRING) } },
	{ "string",
	  CONFIG_CEL_CONVERT,
	  false,
	  true,
	  1,
	  CONFIG_CEL_STRING,
	  { NUMBERS | BIT(BOOL) | BIT(BYTES) | BIT(STRING) } },
	{ "type", CONFIG_CEL_TYPE_OF, false, true, 1, CONFIG_CEL_TYPE, { ANY } },
	{ "uint", CONFIG_CEL_CONVERT, false, true, 1, CONFIG_CEL_UINT, { NUMBERS | BIT(STRING) } },
};

bool config_cel_accepts(unsigned function, unsigned argument, unsigned base)
{
	return functions[function].argument[argument] >> base & 1;
}

static const struct macro {
	char name[12];
	enum config_cel_op op;
} macros[] = {
	{ "exists", CONFIG_CEL_EXISTS }, { "exists_one", CONFIG_CEL_EXISTS_ONE },
	{ "all", CONFIG_CEL_ALL },	 { "filter", CONFIG_CEL_FILTER },
	{ "map", CONFIG_CEL_TRANSFORM },
};

static struct config_cel_node *create_macro(struct config_cel_reader *reader,
					    const struct macro *macro, size_t at,
					    struct config_cel_node *const child[3])
{
	const struct config_cel_node *condition = child[1];
	unsigned type = CONFIG_CEL_BOOL;
	char name[CONFIG_CEL_NAME_SIZE];

	if (condition && !config_cel_compatible(condition->type, CONFIG_CEL_BOOL)) {
		config_cel_fail(reader, condition->at, "a condition must be a bool, not a %s",
				config_cel_type_name(condition->type, name));
		return NULL;
	}
	if (macro->op == CONFIG_CEL_FILTER)
		type = config_cel_list_of(config_cel_item_type(child[0]->type));
	else if (macro->op == CONFIG_CEL_TRANSFORM)
		type = config_cel_list_of(child[2]->type);
	return config_cel_node(reader, macro->op, type, at, child);
}

/* LIST.exists(NAME, CONDITION), map(NAME, VALUE), map(NAME, CONDITION, VALUE). */
static struct config_cel_node *parse_macro(struct config_cel_reader *reader,
					   const struct macro *macro, struct config_cel_node *list,
					   const struct config_cel_token *name)
{
	const unsigned number = reader->variable_count;
	struct config_cel_node *child[3] = { list }, *node;
	char type[CONFIG_CEL_NAME_SIZE];

	if (list->type != CONFIG_CEL_DYN && (list->type & CONFIG_CEL_BASE) < CONFIG_CEL_LIST) {
		config_cel_fail(reader, name->at, "%s() needs a list, not a %s", macro->name,
				config_cel_type_name(list->type, type));
		return NULL;
	}
	if (number == CONFIG_CEL_VARIABLES_MAX) {
		config_cel_fail(reader, name->at, "macros such as exists() are nested too deeply");
		return NULL;
	}
	if (reader->token.kind != CONFIG_CEL_NAME) {
		config_cel_fail(reader, reader->token.at,
				"%s() needs a name for the item and a condition", macro->name);
		return NULL;
	}
	reader->variable[number].at = reader->token.at;
	reader->variable[number].size = reader->token.size;
	reader->variable[number].type = config_cel_item_type(list->type);
	if (!config_cel_advance(reader) || !config_cel_expect(reader, ","))
		return NULL;
	reader->variable_count++;
	child[1] = config_cel_inner(reader);
	if (macro->op == CONFIG_CEL_TRANSFORM && child[1]) {
		child[2] = child[1];
		child[1] = NULL;
	}
	if (child[2] && config_cel_is(reader, ",")) {
		child[1] = child[2];
		child[2] = config_cel_advance(reader) ? config_cel_inner(reader) : NULL;
		if (!child[2])
			child[1] = NULL;
	}
	reader->variable_count--;
	if ((!child[1] && !child[2]) || !config_cel_expect(reader, ")"))
		return NULL;
	node = create_macro(reader, macro, name->at, child);
	if (node)
		node->value.number = number;
	return node;
}

/*
 * has(disk.FIELD): as in protocol buffers, the field is not empty, zero or false. has(MAP.KEY): the
 * map has the key.
 */
static struct config_cel_node *parse_has(struct config_cel_reader *reader,
					 const struct config_cel_token *name)
{
	struct config_cel_node *field = config_cel_inner(reader);

	if (!field || !config_cel_expect(reader, ")"))
		return NULL;
	if (field->op != CONFIG_CEL_FIELD && field->op != CONFIG_CEL_MEMBER) {
		config_cel_fail(reader, field->at, "has() needs a field of the disk or of a map");
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

/* A pattern that is computed is checked when it is used. */
static struct config_cel_node *create_call(struct config_cel_reader *reader,
					   const struct function *function,
					   struct config_cel_node *const argument[3], size_t at)
{
	struct config_cel_node *node;
	const char *flaw = NULL;

	if (function->op == CONFIG_CEL_MATCHES && argument[1]->op == CONFIG_CEL_CONSTANT)
		flaw = config_cel_pattern_flaw(argument[1]->value.string);
	if (flaw) {
		config_cel_unsupported(reader, argument[1]->at, "%s", flaw);
		return NULL;
	}
	node = config_cel_node(reader, function->op, function->type, at, argument);
	if (node)
		node->value.number = (unsigned)(function - functions);
	return node;
}

static void refuse_unknown(struct config_cel_reader *reader, const struct config_cel_token *name)
{
	if (config_cel_named(reader, name, "timestamp") ||
	    config_cel_named(reader, name, "duration"))
		config_cel_unsupported(reader, name->at,
				       "timestamps and durations are not supported");
	else
		config_cel_fail(reader, name->at, "undeclared reference to \"%.*s()\"",
				name->size < 40 ? (int)name->size : 40, reader->text + name->at);
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
			good = argument[j]->type == CONFIG_CEL_DYN ||
			       config_cel_accepts((unsigned)i, j,
						  argument[j]->type & CONFIG_CEL_BASE);
		if (good)
			return create_call(reader, function, argument, name->at);
	}
	if (exists)
		config_cel_fail(reader, name->at, "%.*s() does not take these arguments",
				(int)name->size, reader->text + name->at);
	else
		refuse_unknown(reader, name);
	return NULL;
}
