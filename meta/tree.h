/* SPDX-License-Identifier: MIT */
/*
 * YAML text as a tree, strictly: no anchors, aliases, merge keys or tags, so that a value is
 * what stands at its place and nothing else; size, depth and number are bounded.
 */
#ifndef META_TREE_H
#define META_TREE_H

#include <yaml.h>

#include "meta/remarks.h"

#define META_TEXT_MAX		(1u << 20) /* bytes */
#define META_DOCUMENTS_MAX	128u
/* A PCR is at 7, but a pod of machine.pods with a projected volume reaches 15. */
#define META_DEPTH_MAX		32u
#define META_NODES_MAX		65536u

enum meta_node_kind {
	META_SCALAR,
	META_LIST,		/* children: the items */
	META_MAPPING,		/* children: key, value, key, value */
	META_REFUSED,		/* an alias: reported by meta_node_strict */
};

struct meta_node {
	enum meta_node_kind kind;
	struct meta_place place;
	yaml_event_t event;	/* a scalar stays where libyaml put it: no second copy */
	struct meta_node *child;
	struct meta_node *next;	/* the next child of the same parent */
	struct meta_node *older; /* in the order of making, for the freeing */
};

struct meta_tree {
	struct meta_node *document[META_DOCUMENTS_MAX];
	size_t document_count;
	struct meta_node *newest;
};

/*
 * Reads all documents. What is wrong with the text goes to the log, and the documents before
 * it are in the tree. NULL when there was no memory (log->no_memory).
 */
struct meta_tree *meta_tree_parse(const char *text, size_t size, struct meta_log *log);

/* The same, but what documents may not have is left to meta_node_strict: they may be others'. */
struct meta_tree *meta_tree_parse_lax(const char *text, size_t size, struct meta_log *log);

/* Reports anchors, aliases and tags of a node and of all below it. */
void meta_node_strict(struct meta_log *log, const struct meta_node *node);

/* Wipes every scalar. */
void meta_tree_free(struct meta_tree *tree);

/* The bytes of a scalar; any byte may be among them, and a NUL follows the last. */
const char *meta_node_text(const struct meta_node *node);
size_t meta_node_size(const struct meta_node *node);

/* Is the scalar written without quotes, so that it may be a number, a bool, nothing? */
bool meta_node_plain(const struct meta_node *node);

/* Nothing: "", "~", "null". */
bool meta_node_null(const struct meta_node *node);

/* Is the scalar exactly this word? */
bool meta_node_is(const struct meta_node *node, const char *word);

/* "a mapping", "a list", "a single value". */
const char *meta_node_kind_name(const struct meta_node *node);

#endif
