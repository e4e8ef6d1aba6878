/* SPDX-License-Identifier: MIT */
/*
 * YAML text as a tree. Anchors, aliases, merge keys and tags are errors, so that a value is exactly
 * what is written at its position. Size, depth and the number of nodes are bounded.
 */
#ifndef CONFIG_TREE_H
#define CONFIG_TREE_H

#include <yaml.h>

#include "config/diagnostics.h"

#define CONFIG_TEXT_MAX		(1u << 20) /* bytes */
#define CONFIG_DOCUMENTS_MAX	128u
/* PCRs are at depth 7, a pod in machine.pods with a projected volume at 15. */
#define CONFIG_DEPTH_MAX		32u
#define CONFIG_NODES_MAX		65536u

enum config_node_kind {
	CONFIG_SCALAR,
	CONFIG_LIST,		/* children: the items */
	CONFIG_MAPPING,		/* children: key, value, key, value */
	CONFIG_ALIAS,		/* reported by config_node_check_strict() */
};

struct config_node {
	enum config_node_kind kind;
	struct config_position position;
	yaml_event_t event;	/* owns the scalar: no second copy of a secret */
	struct config_node *child;
	struct config_node *next;	/* the next child of the same parent */
	struct config_node *older;	/* list of all nodes, to free them */
};

struct config_tree {
	struct config_node *document[CONFIG_DOCUMENTS_MAX];
	size_t document_count;
	struct config_node *newest;
};

/*
 * Parses all documents. After an error, which goes to the log, the tree holds the documents before
 * it. NULL if there is not enough memory (log->out_of_memory).
 */
struct config_tree *config_tree_parse(const char *text, size_t size, struct config_log *log);

/*
 * The same without config_node_check_strict(), which the caller runs on the documents of this
 * program. Others may use anchors, aliases and tags.
 */
struct config_tree *config_tree_parse_lax(const char *text, size_t size, struct config_log *log);

/* Reports anchors, aliases and tags of a node and its descendants as errors. */
void config_node_check_strict(struct config_log *log, const struct config_node *node);

/* Wipes every scalar. */
void config_tree_free(struct config_tree *tree);

/* The bytes of a scalar, which may contain NUL; a NUL follows the last one. */
const char *config_node_text(const struct config_node *node);
size_t config_node_size(const struct config_node *node);

/* Is the scalar written without quotes? Only then can it be a number, a bool or null. */
bool config_node_plain(const struct config_node *node);

/* Is it null: "", "~" or "null" without quotes? */
bool config_node_null(const struct config_node *node);

/* Is it a scalar that is exactly this word? */
bool config_node_is(const struct config_node *node, const char *word);

/* "a mapping", "a list", "a single value". */
const char *config_node_kind_name(const struct config_node *node);

#endif
