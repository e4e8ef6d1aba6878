/* SPDX-License-Identifier: MIT */
/* The state of building a tree, and its anchors. */
#ifndef CONFIG_TREE_BUILDER_H
#define CONFIG_TREE_BUILDER_H

#include "config/tree.h"

struct config_builder {
	struct config_tree *tree;
	struct config_log *log;
	struct config_node *open[CONFIG_DEPTH_MAX];	 /* the enclosing collections */
	struct config_node **tail[CONFIG_DEPTH_MAX + 1]; /* link to the next node at each depth */
	size_t depth;
	size_t nodes;		/* with aliases written out */
	struct config_node *anchored[CONFIG_ANCHORS_MAX];
	size_t anchor_count;
};

/* Appends an empty node to the innermost collection. NULL with an error if there are too many. */
struct config_node *config_builder_append(struct config_builder *builder,
					  struct config_position position, unsigned weight);

/* Remembers the node if anchor is not NULL. The last node with an anchor's name counts. */
bool config_builder_anchor(struct config_builder *builder, struct config_node *node,
			   const char *anchor);

/* Appends a copy of the node with this anchor. */
bool config_builder_alias(struct config_builder *builder, const char *anchor,
			  struct config_position position);

/* Replaces the merge keys of a mapping, which is the innermost collection and complete. */
bool config_builder_merge(struct config_builder *builder, struct config_node *mapping);

#endif
