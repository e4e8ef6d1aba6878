/* SPDX-License-Identifier: MIT */
/* A recursive descent parser. Depth of the tree and nesting of the text are limited. */
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "config/selector/cel.h"

enum mortise_code config_cel_error(struct mortise_error *err, enum mortise_code code,
				   const char *text, size_t at, const char *format,
				   va_list arguments)
{
	char sentence[MORTISE_ERROR_TEXT];
	unsigned line = 1, column = 1;

	for (size_t i = 0; i < at; i++) {
		column = text[i] == '\n' ? 1 : column + 1;
		line += text[i] == '\n';
	}
	vsnprintf(sentence, sizeof(sentence), format, arguments);
	return error_set(err, code, 0, "%u:%u: %.400s", line, column, sentence);
}

__attribute__((format(printf, 4, 0))) static void set_error(struct config_cel_reader *reader,
							    enum mortise_code code, size_t at,
							    const char *format, va_list arguments)
{
	if (!reader->code)
		reader->code =
			config_cel_error(reader->err, code, reader->text, at, format, arguments);
}

bool config_cel_fail(struct config_cel_reader *reader, size_t at, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_error(reader, MORTISE_E_CONFIG, at, format, arguments);
	va_end(arguments);
	return false;
}

bool config_cel_unsupported(struct config_cel_reader *reader, size_t at, const char *format, ...)
{
	va_list arguments;

	va_start(arguments, format);
	set_error(reader, MORTISE_E_UNSUPPORTED, at, format, arguments);
	va_end(arguments);
	return false;
}

struct config_cel_node *config_cel_node(struct config_cel_reader *reader, enum config_cel_op op,
					unsigned type, size_t at,
					struct config_cel_node *const child[3])
{
	struct config_cel_node *node = &reader->nodes[reader->node_count++];

	*node = (struct config_cel_node){ .op = op, .type = type, .at = at, .depth = 1 };
	for (unsigned i = 0; child && i < 3; i++) {
		node->child[i] = child[i];
		if (child[i] && child[i]->depth >= node->depth)
			node->depth = child[i]->depth + 1;
	}
	if (node->depth <= CONFIG_CEL_DEPTH_MAX)
		return node;
	config_cel_fail(reader, at, "the expression is too deep: more than %d operators in a row",
			CONFIG_CEL_DEPTH_MAX);
	return NULL;
}

bool config_cel_expect(struct config_cel_reader *reader, const char *operator_text)
{
	if (!config_cel_is(reader, operator_text))
		return config_cel_fail(reader, reader->token.at, "\"%s\" is missing here",
				       operator_text);
	return config_cel_advance(reader);
}

/* Operators of the same strength associate from left to right. */
static const struct binary {
	const char *text;
	enum config_cel_op op;
	unsigned strength;
} binaries[] = {
	{ "||", CONFIG_CEL_OR, 1 },	 { "&&", CONFIG_CEL_AND, 2 },
	{ "<", CONFIG_CEL_LESS, 3 },	 { "<=", CONFIG_CEL_LESS_EQUAL, 3 },
	{ ">", CONFIG_CEL_GREATER, 3 },	 { ">=", CONFIG_CEL_GREATER_EQUAL, 3 },
	{ "==", CONFIG_CEL_EQUAL, 3 },	 { "!=", CONFIG_CEL_NOT_EQUAL, 3 },
	{ "in", CONFIG_CEL_IN, 3 },	 { "+", CONFIG_CEL_ADD, 4 },
	{ "-", CONFIG_CEL_SUBTRACT, 4 }, { "*", CONFIG_CEL_MULTIPLY, 5 },
	{ "/", CONFIG_CEL_DIVIDE, 5 },	 { "%", CONFIG_CEL_REMAINDER, 5 },
};

static const struct binary *find_binary(const struct config_cel_reader *reader)
{
	for (size_t i = 0; i < sizeof(binaries) / sizeof(*binaries); i++)
		if (config_cel_is(reader, binaries[i].text) ||
		    (binaries[i].op == CONFIG_CEL_IN &&
		     config_cel_named(reader, &reader->token, "in")))
			return &binaries[i];
	return NULL;
}

static struct config_cel_node *parse_constant(struct config_cel_reader *reader, bool negative)
{
	const struct config_cel_token token = reader->token;
	const uint64_t most = (uint64_t)INT64_MAX + negative;
	struct config_cel_node *node;

	if (token.type == CONFIG_CEL_INT && token.value.natural > most) {
		config_cel_fail(reader, token.at,
				"the number is too large for an int; append u to make it a uint");
		return NULL;
	}
	if (!config_cel_advance(reader))
		return NULL;
	node = config_cel_node(reader, CONFIG_CEL_CONSTANT, token.type, token.at, NULL);
	if (!node)
		return NULL;
	node->value = token.value;
	if (token.type == CONFIG_CEL_INT)
		node->value.integer = negative ? (int64_t)(0 - token.value.natural)
					       : (int64_t)token.value.natural;
	return node;
}

/* An item of a list, a key or a value, which is appended to *end. */
static bool parse_item(struct config_cel_reader *reader, struct config_cel_node ***end,
		       unsigned *type, unsigned *depth)
{
	const bool first = !*type;
	struct config_cel_node *item = config_cel_inner(reader);

	if (!item)
		return false;
	**end = item;
	*end = &item->next;
	/* One more than the type, so that 0 is: no item yet. */
	*type = first ? item->type + 1 : config_cel_join(*type - 1, item->type) + 1;
	*depth = item->depth > *depth ? item->depth : *depth;
	return true;
}

/* [A, B, C] or {A: B, C: D} */
static struct config_cel_node *parse_items(struct config_cel_reader *reader, bool map)
{
	static const unsigned keys = 1u << CONFIG_CEL_DYN | 1u << CONFIG_CEL_BOOL |
				     1u << CONFIG_CEL_INT | 1u << CONFIG_CEL_UINT |
				     1u << CONFIG_CEL_STRING;
	const char *close = map ? "}" : "]";
	struct config_cel_node *node, *first = NULL, **end = &first;
	const size_t at = reader->token.at;
	unsigned depth = 0, item = 0, value = 0;

	if (!config_cel_advance(reader))
		return NULL;
	while (!config_cel_is(reader, close)) {
		const size_t begin = reader->token.at;

		if (!parse_item(reader, &end, &item, &depth))
			return NULL;
		if (map && !(keys >> ((item - 1) & CONFIG_CEL_BASE) & 1)) {
			config_cel_fail(reader, begin,
					"a key of a map must be a string, bool, int or uint");
			return NULL;
		}
		if (map &&
		    (!config_cel_expect(reader, ":") || !parse_item(reader, &end, &value, &depth)))
			return NULL;
		if (!config_cel_is(reader, ","))
			break;
		if (!config_cel_advance(reader))
			return NULL;
	}
	if (!config_cel_expect(reader, close))
		return NULL;
	item -= item != 0;
	value -= value != 0;
	node = config_cel_node(reader, CONFIG_CEL_ITEMS,
			       map ? config_cel_map_of(item, value) : config_cel_list_of(item), at,
			       (struct config_cel_node *[3]){ first });
	if (node)
		node->depth = depth + 1;
	return node;
}

static struct config_cel_node *parse_primary(struct config_cel_reader *reader)
{
	const struct config_cel_token token = reader->token;
	struct config_cel_node *node;

	if (token.kind == CONFIG_CEL_LITERAL)
		return parse_constant(reader, false);
	if (config_cel_is(reader, "[") || config_cel_is(reader, "{"))
		return parse_items(reader, config_cel_is(reader, "{"));
	if (config_cel_is(reader, "(")) {
		node = config_cel_advance(reader) ? config_cel_inner(reader) : NULL;
		return node && config_cel_expect(reader, ")") ? node : NULL;
	}
	if (token.kind == CONFIG_CEL_NAME && !config_cel_named(reader, &token, "in")) {
		if (!config_cel_advance(reader))
			return NULL;
		if (!config_cel_is(reader, "("))
			return config_cel_named_value(reader, &token);
		return config_cel_advance(reader) ? config_cel_call(reader, NULL, &token) : NULL;
	}
	config_cel_fail(reader, token.at,
			token.kind == CONFIG_CEL_END ? "the expression ends too early"
						     : "a value is missing here");
	return NULL;
}

static struct config_cel_node *parse_index(struct config_cel_reader *reader,
					   struct config_cel_node *list)
{
	const size_t at = reader->token.at;
	struct config_cel_node *number =
		config_cel_advance(reader) ? config_cel_inner(reader) : NULL;

	if (!number || !config_cel_expect(reader, "]"))
		return NULL;
	return config_cel_operation(reader, CONFIG_CEL_INDEX, at,
				    (struct config_cel_node *[3]){ list, number });
}

/* Any sequence of VALUE.FIELD, VALUE.METHOD(...), LIST[NUMBER]. */
static struct config_cel_node *parse_member(struct config_cel_reader *reader)
{
	struct config_cel_node *node = parse_primary(reader);

	while (node && (config_cel_is(reader, ".") || config_cel_is(reader, "["))) {
		struct config_cel_token name;

		if (config_cel_is(reader, "[")) {
			node = parse_index(reader, node);
			continue;
		}
		if (!config_cel_advance(reader))
			return NULL;
		name = reader->token;
		if (name.kind != CONFIG_CEL_NAME) {
			config_cel_fail(reader, name.at, "a name is missing after the dot");
			return NULL;
		}
		if (!config_cel_advance(reader))
			return NULL;
		if (!config_cel_is(reader, "("))
			node = config_cel_field(reader, node, &name);
		else
			node = config_cel_advance(reader) ? config_cel_call(reader, node, &name)
							  : NULL;
	}
	return node;
}

/* "!" and "-" apply to the operand that follows directly. */
static struct config_cel_node *parse_unary(struct config_cel_reader *reader)
{
	const bool not = config_cel_is(reader, "!");
	const size_t at = reader->token.at;
	struct config_cel_node *operand;

	if (!not &&!config_cel_is(reader, "-"))
		return parse_member(reader);
	if (!config_cel_advance(reader))
		return NULL;
	if (!not &&reader->token.kind == CONFIG_CEL_LITERAL && reader->token.type == CONFIG_CEL_INT)
		return parse_constant(reader, true);
	if (++reader->nesting > CONFIG_CEL_NESTING_MAX) {
		config_cel_fail(reader, at, "too many operators in a row");
		return NULL;
	}
	operand = parse_unary(reader);
	reader->nesting--;
	return operand ? config_cel_operation(reader, not ? CONFIG_CEL_NOT : CONFIG_CEL_NEGATE, at,
					      (struct config_cel_node *[3]){ operand })
		       : NULL;
}

/* An expression whose operators have at least this strength. */
static struct config_cel_node *parse_binary(struct config_cel_reader *reader, unsigned strength)
{
	struct config_cel_node *left = parse_unary(reader);
	const struct binary *found;

	while (left && (found = find_binary(reader)) && found->strength >= strength) {
		const size_t at = reader->token.at;
		struct config_cel_node *right;

		right = config_cel_advance(reader) ? parse_binary(reader, found->strength + 1)
						   : NULL;
		left = right ? config_cel_operation(reader, found->op, at,
						    (struct config_cel_node *[3]){ left, right })
			     : NULL;
	}
	return left;
}

struct config_cel_node *config_cel_inner(struct config_cel_reader *reader)
{
	struct config_cel_node *node, *yes, *no = NULL;
	const size_t begin = reader->token.at;
	size_t at;

	if (++reader->nesting > CONFIG_CEL_NESTING_MAX) {
		config_cel_fail(reader, begin, "more than %d nested brackets",
				CONFIG_CEL_NESTING_MAX);
		return NULL;
	}
	node = parse_binary(reader, 1);
	at = reader->token.at;
	if (node && config_cel_is(reader, "?")) {
		yes = config_cel_advance(reader) ? parse_binary(reader, 1) : NULL;
		if (yes && config_cel_expect(reader, ":"))
			no = config_cel_inner(reader);
		node = no ? config_cel_operation(reader, CONFIG_CEL_CHOICE, at,
						 (struct config_cel_node *[3]){ node, yes, no })
			  : NULL;
	}
	reader->nesting--;
	return node;
}

struct config_cel_node *config_cel_expression(struct config_cel_reader *reader)
{
	struct config_cel_node *root = config_cel_advance(reader) ? config_cel_inner(reader) : NULL;
	char name[CONFIG_CEL_NAME_SIZE];

	if (!root)
		return NULL;
	if (config_cel_is(reader, "{")) {
		config_cel_unsupported(reader, reader->token.at, "messages are not supported");
		return NULL;
	}
	if (reader->token.kind != CONFIG_CEL_END) {
		config_cel_fail(reader, reader->token.at, "unexpected text after the expression");
		return NULL;
	}
	if (root->type != CONFIG_CEL_BOOL) {
		config_cel_fail(reader, root->at, "the expression must be a bool, not a %s",
				config_cel_type_name(root->type, name));
		return NULL;
	}
	return root;
}
