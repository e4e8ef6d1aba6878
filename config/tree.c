/* SPDX-License-Identifier: MIT */
/* Building the tree from libyaml's events. Buffers that may hold secrets are wiped. */
#include <stdlib.h>
#include <string.h>

#include "base/secret.h"
#include "config/tree_builder.h"

const char *config_node_text(const struct config_node *node)
{
	return (const char *)node->event.data.scalar.value;
}

size_t config_node_size(const struct config_node *node)
{
	return node->event.data.scalar.length;
}

bool config_node_may_be(const struct config_node *node, enum config_tag tag)
{
	return node->kind == CONFIG_SCALAR && (node->tag == tag || node->tag == CONFIG_TAG_PLAIN);
}

bool config_node_is(const struct config_node *node, const char *word)
{
	return node->kind == CONFIG_SCALAR && config_node_size(node) == strlen(word) &&
	       memcmp(config_node_text(node), word, config_node_size(node)) == 0;
}

bool config_node_null(const struct config_node *node)
{
	return config_node_may_be(node, CONFIG_TAG_NULL) &&
	       (config_node_is(node, "") || config_node_is(node, "~") ||
		config_node_is(node, "null") || config_node_is(node, "Null") ||
		config_node_is(node, "NULL"));
}

const char *config_node_kind_name(const struct config_node *node)
{
	switch (node->kind) {
	case CONFIG_LIST:
		return "a list";
	case CONFIG_MAPPING:
		return "a mapping";
	case CONFIG_SCALAR:
		break;
	}
	return "a single value";
}

#define BINARY_TAG "tag:yaml.org,2002:binary"

static struct config_position convert_mark(yaml_mark_t mark)
{
	return (struct config_position){ (unsigned)mark.line + 1, (unsigned)mark.column + 1 };
}

static void wipe_event(yaml_event_t *event)
{
	if (event->type == YAML_SCALAR_EVENT)
		secret_wipe(event->data.scalar.value, event->data.scalar.length);
	yaml_event_delete(event);
}

/*
 * Wipes the parser's buffers, which hold the text and the scalars read ahead. The copies that
 * realloc(3) leaves when libyaml grows a scalar are out of reach.
 */
static void wipe_parser(yaml_parser_t *parser)
{
	for (yaml_token_t *token = parser->tokens.head; token != parser->tokens.tail; token++)
		if (token->type == YAML_SCALAR_TOKEN)
			secret_wipe(token->data.scalar.value, token->data.scalar.length);
	secret_wipe(parser->raw_buffer.start,
		    (size_t)(parser->raw_buffer.end - parser->raw_buffer.start));
	secret_wipe(parser->buffer.start, (size_t)(parser->buffer.end - parser->buffer.start));
	yaml_parser_delete(parser);
}

static enum config_tag find_tag(const yaml_event_t *event)
{
	static const struct {
		const char *name;
		enum config_tag tag;
	} tags[] = {
		{ YAML_INT_TAG, CONFIG_TAG_INT },   { YAML_FLOAT_TAG, CONFIG_TAG_FLOAT },
		{ YAML_BOOL_TAG, CONFIG_TAG_BOOL }, { YAML_NULL_TAG, CONFIG_TAG_NULL },
		{ BINARY_TAG, CONFIG_TAG_BINARY },
	};
	const char *tag = (const char *)event->data.scalar.tag;

	for (size_t i = 0; tag && i < sizeof(tags) / sizeof(*tags); i++)
		if (strcmp(tag, tags[i].name) == 0)
			return tags[i].tag;
	return tag || event->data.scalar.style != YAML_PLAIN_SCALAR_STYLE ? CONFIG_TAG_TEXT
									  : CONFIG_TAG_PLAIN;
}

struct config_node *config_builder_append(struct config_builder *builder,
					  struct config_position position, unsigned weight)
{
	struct config_node *node;

	/* No weight is larger than CONFIG_NODES_MAX. */
	builder->nodes += weight;
	if (builder->nodes > CONFIG_NODES_MAX) {
		config_error(builder->log, position,
			     "more than %u values, with all aliases written out", CONFIG_NODES_MAX);
		return NULL;
	}
	node = calloc(1, sizeof(*node));
	if (!node) {
		builder->log->out_of_memory = true;
		return NULL;
	}
	node->older = builder->tree->newest;
	builder->tree->newest = node;
	*builder->tail[builder->depth] = node;
	builder->tail[builder->depth] = &node->next;
	return node;
}

/* Takes over the event if it returns a node. */
static struct config_node *add_node(struct config_builder *builder, yaml_event_t *event,
				    enum config_node_kind kind, const yaml_char_t *anchor)
{
	struct config_position position = convert_mark(event->start_mark);
	struct config_node *node = config_builder_append(builder, position, 1);

	if (!node)
		return NULL;
	node->kind = kind;
	node->position = position;
	node->event = *event;
	*event = (yaml_event_t){ 0 };
	return config_builder_anchor(builder, node, (const char *)anchor) ? node : NULL;
}

static bool add_scalar(struct config_builder *builder, yaml_event_t *event)
{
	struct config_node *node =
		add_node(builder, event, CONFIG_SCALAR, event->data.scalar.anchor);

	if (!node)
		return false;
	node->tag = find_tag(&node->event);
	node->weight = 1;
	return true;
}

static bool start_collection(struct config_builder *builder, yaml_event_t *event)
{
	const bool list = event->type == YAML_SEQUENCE_START_EVENT;
	struct config_node *node;

	if (builder->depth == CONFIG_DEPTH_MAX) {
		config_error(builder->log, convert_mark(event->start_mark),
			     "nested more than %u levels deep", CONFIG_DEPTH_MAX);
		return false;
	}
	node = add_node(builder, event, list ? CONFIG_LIST : CONFIG_MAPPING,
			list ? event->data.sequence_start.anchor
			     : event->data.mapping_start.anchor);
	if (!node)
		return false;
	builder->open[builder->depth++] = node;
	builder->tail[builder->depth] = &node->child;
	return true;
}

/* The new keys of a mapping are appended, so it is closed afterwards. */
static bool end_collection(struct config_builder *builder)
{
	struct config_node *node = builder->open[builder->depth - 1];

	if (node->kind == CONFIG_MAPPING && !config_builder_merge(builder, node))
		return false;
	for (const struct config_node *child = node->child; child; child = child->next) {
		node->weight += child->weight;
		if (child->height > node->height)
			node->height = child->height;
	}
	node->weight++;
	node->height++;
	builder->depth--;
	return true;
}

static bool start_document(struct config_builder *builder, const yaml_event_t *event)
{
	struct config_tree *tree = builder->tree;

	if (tree->document_count == CONFIG_DOCUMENTS_MAX) {
		config_error(builder->log, convert_mark(event->start_mark),
			     "more than %u documents", CONFIG_DOCUMENTS_MAX);
		return false;
	}
	builder->tail[0] = &tree->document[tree->document_count];
	return true;
}

/* False at the end, and after an error. */
static bool handle_event(struct config_builder *builder, yaml_event_t *event)
{
	switch (event->type) {
	case YAML_STREAM_END_EVENT:
		return false;
	case YAML_DOCUMENT_START_EVENT:
		return start_document(builder, event);
	case YAML_DOCUMENT_END_EVENT:
		builder->tree->document_count++;
		return true;
	case YAML_SEQUENCE_START_EVENT:
	case YAML_MAPPING_START_EVENT:
		return start_collection(builder, event);
	case YAML_SEQUENCE_END_EVENT:
	case YAML_MAPPING_END_EVENT:
		return end_collection(builder);
	case YAML_SCALAR_EVENT:
		return add_scalar(builder, event);
	case YAML_ALIAS_EVENT:
		return config_builder_alias(builder, (const char *)event->data.alias.anchor,
					    convert_mark(event->start_mark));
	case YAML_STREAM_START_EVENT:
	case YAML_NO_EVENT:
		break;
	}
	return true;
}

/* libyaml's reader reports a byte offset instead of a mark. */
static struct config_position find_position(const char *text, size_t size, size_t offset)
{
	struct config_position position = { 1, 1 };

	for (size_t i = 0; i < offset && i < size; i++) {
		if (text[i] == '\n') {
			position.line++;
			position.column = 1;
		} else if (((unsigned char)text[i] & 0xc0) != 0x80) {
			position.column++;
		}
	}
	return position;
}

static void report_syntax_error(const yaml_parser_t *parser, const char *text, size_t size,
				struct config_log *log)
{
	if (parser->error == YAML_MEMORY_ERROR)
		log->out_of_memory = true;
	else if (parser->error == YAML_READER_ERROR)
		config_error(log, find_position(text, size, parser->problem_offset),
			     "invalid YAML: %s", parser->problem);
	else
		config_error(log, convert_mark(parser->problem_mark), "invalid YAML: %s%s%s",
			     parser->context ? parser->context : "", parser->context ? ", " : "",
			     parser->problem);
}

struct config_tree *config_tree_parse(const char *text, size_t size, struct config_log *log)
{
	struct config_builder builder = { .log = log };
	yaml_parser_t parser;
	yaml_event_t event;
	bool more = true;

	builder.tree = calloc(1, sizeof(*builder.tree));
	if (!builder.tree || !yaml_parser_initialize(&parser)) {
		log->out_of_memory = true;
		free(builder.tree);
		return NULL;
	}
	yaml_parser_set_input_string(&parser, (const unsigned char *)text, size);
	while (more) {
		if (yaml_parser_parse(&parser, &event)) {
			more = handle_event(&builder, &event);
			wipe_event(&event);
		} else {
			report_syntax_error(&parser, text, size, log);
			more = false;
		}
	}
	wipe_parser(&parser);
	if (log->out_of_memory) {
		config_tree_free(builder.tree);
		builder.tree = NULL;
	}
	return builder.tree;
}

void config_tree_free(struct config_tree *tree)
{
	struct config_node *node;

	if (!tree)
		return;
	while ((node = tree->newest)) {
		tree->newest = node->older;
		if (!node->copy)
			wipe_event(&node->event);
		free(node);
	}
	free(tree);
}
