/* SPDX-License-Identifier: MIT */
/*
 * YAML text as a tree, strictly: no anchors, aliases, merge keys or tags, so that a value is
 * what stands at its place and nothing else; size, depth and number are bounded.
 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include <yaml.h>

#include "config/remarks.h"

#define CONFIG_TEXT_MAX		(1u << 20) /* bytes */
#define CONFIG_DOCUMENTS_MAX	128u
/* A PCR is at 7, but a pod of machine.pods with a projected volume reaches 15. */
#define CONFIG_DEPTH_MAX		32u
#define CONFIG_NODES_MAX		65536u

enum config_node_kind {
	CONFIG_SCALAR,
	CONFIG_LIST,		/* children: the items */
	CONFIG_MAPPING,		/* children: key, value, key, value */
	CONFIG_REFUSED,		/* an alias: reported by config_node_strict */
};

struct config_node {
	enum config_node_kind kind;
	struct config_place place;
	yaml_event_t event;	/* a scalar stays where libyaml put it: no second copy */
	struct config_node *child;
	struct config_node *next;	/* the next child of the same parent */
	struct config_node *older; /* in the order of making, for the freeing */
};

struct config_tree {
	struct config_node *document[CONFIG_DOCUMENTS_MAX];
	size_t document_count;
	struct config_node *newest;
};

/*
 * Reads all documents. What is wrong with the text goes to the log, and the documents before
 * it are in the tree. NULL when there was no memory (log->no_memory).
 */
struct config_tree *config_tree_parse(const char *text, size_t size, struct config_log *log);

/* The same, but what documents may not have is left to config_node_strict: they may be others'. */
struct config_tree *config_tree_parse_lax(const char *text, size_t size, struct config_log *log);

/* Reports anchors, aliases and tags of a node and of all below it. */
void config_node_strict(struct config_log *log, const struct config_node *node);

/* Wipes every scalar. */
void config_tree_free(struct config_tree *tree);

/* The bytes of a scalar; any byte may be among them, and a NUL follows the last. */
const char *config_node_text(const struct config_node *node);
size_t config_node_size(const struct config_node *node);

/* Is the scalar written without quotes, so that it may be a number, a bool, nothing? */
bool config_node_plain(const struct config_node *node);

/* Nothing: "", "~", "null". */
bool config_node_null(const struct config_node *node);

/* Is the scalar exactly this word? */
bool config_node_is(const struct config_node *node, const char *word);

/* "a mapping", "a list", "a single value". */
const char *config_node_kind_name(const struct config_node *node);

#endif
