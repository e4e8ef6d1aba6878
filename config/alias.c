/* SPDX-License-Identifier: MIT */
/*
 * Anchors, aliases and merge keys. An alias becomes a copy of one node, which shares the scalar and
 * the children. Nothing is written out, but everything is counted as if it were.
 */
#include <string.h>

#include "config/tree_builder.h"

static const char *get_anchor(const struct config_node *node)
{
	const yaml_char_t *anchor = node->kind == CONFIG_SCALAR ? node->event.data.scalar.anchor
				    : node->kind == CONFIG_LIST
					    ? node->event.data.sequence_start.anchor
					    : node->event.data.mapping_start.anchor;

	return (const char *)anchor;
}

static size_t find_anchor(const struct config_builder *builder, const char *anchor)
{
	size_t i = 0;

	while (i < builder->anchor_count && strcmp(get_anchor(builder->anchored[i]), anchor) != 0)
		i++;
	return i;
}

bool config_builder_anchor(struct config_builder *builder, struct config_node *node,
			   const char *anchor)
{
	size_t i;

	if (!anchor)
		return true;
	i = find_anchor(builder, anchor);
	if (i == CONFIG_ANCHORS_MAX) {
		config_error(builder->log, node->position, "more than %u anchors",
			     CONFIG_ANCHORS_MAX);
		return false;
	}
	builder->anchored[i] = node;
	builder->anchor_count += i == builder->anchor_count;
	return true;
}

static struct config_node *append_copy(struct config_builder *builder,
				       const struct config_node *from,
				       struct config_position position)
{
	struct config_node *node = config_builder_append(builder, position, from->weight);

	if (!node)
		return NULL;
	node->kind = from->kind;
	node->tag = from->tag;
	node->position = position;
	node->event = from->event;
	node->copy = true;
	node->weight = from->weight;
	node->height = from->height;
	node->child = from->child;
	return node;
}

bool config_builder_alias(struct config_builder *builder, const char *anchor,
			  struct config_position position)
{
	const size_t i = find_anchor(builder, anchor);
	const struct config_node *node = i < builder->anchor_count ? builder->anchored[i] : NULL;
	char shown[CONFIG_PRINTABLE_SIZE];

	config_printable(anchor, strlen(anchor), shown);
	if (!node)
		config_error(builder->log, position,
			     "unknown anchor: no &%s comes before this alias", shown);
	else if (!node->weight)
		config_error(builder->log, position, "the value of anchor &%s contains itself",
			     shown);
	else if (builder->depth + node->height > CONFIG_DEPTH_MAX)
		config_error(builder->log, position, "nested more than %u levels deep",
			     CONFIG_DEPTH_MAX);
	else
		return append_copy(builder, node, position) != NULL;
	return false;
}

static bool is_merge_key(const struct config_node *key)
{
	return key->kind == CONFIG_SCALAR && key->tag == CONFIG_TAG_PLAIN &&
	       config_node_is(key, "<<");
}

static bool has_key(const struct config_node *mapping, const struct config_node *wanted)
{
	for (const struct config_node *key = mapping->child; key; key = key->next->next)
		if (key->kind == CONFIG_SCALAR && wanted->kind == CONFIG_SCALAR &&
		    config_node_size(key) == config_node_size(wanted) &&
		    memcmp(config_node_text(key), config_node_text(wanted),
			   config_node_size(key)) == 0)
			return true;
	return false;
}

/* Appends the keys of from that the mapping does not have: its own keys and earlier ones win. */
static bool merge_mapping(struct config_builder *builder, struct config_node *mapping,
			  const struct config_node *from)
{
	unsigned count = 0;

	if (from->kind != CONFIG_MAPPING) {
		config_error(builder->log, from->position,
			     "<< must be a mapping or a list of mappings");
		return false;
	}
	for (const struct config_node *key = mapping->child; key; key = key->next->next)
		count++;
	for (const struct config_node *key = from->child; key; key = key->next->next) {
		if (count <= CONFIG_MERGED_MAX && has_key(mapping, key))
			continue;
		if (++count > CONFIG_MERGED_MAX) {
			config_error(builder->log, from->position,
				     "more than %u keys in a mapping with <<", CONFIG_MERGED_MAX);
			return false;
		}
		if (!append_copy(builder, key, key->position) ||
		    !append_copy(builder, key->next, key->next->position))
			return false;
	}
	return true;
}

bool config_builder_merge(struct config_builder *builder, struct config_node *mapping)
{
	struct config_node **link = &mapping->child, *value;
	bool ok = true;

	while (ok && *link) {
		struct config_node *key = *link;

		value = key->next;
		if (!is_merge_key(key)) {
			link = &value->next;
			continue;
		}
		*link = value->next;
		if (!*link)
			builder->tail[builder->depth] = link;
		if (value->kind != CONFIG_LIST)
			ok = merge_mapping(builder, mapping, value);
		else
			for (value = value->child; ok && value; value = value->next)
				ok = merge_mapping(builder, mapping, value);
	}
	return ok;
}
