/* SPDX-License-Identifier: MIT */
/*
 * YAML text as a tree, in which aliases and merge keys ("<<") are resolved as go-yaml, the library
 * of Talos, resolves them: an anchor is valid in later documents of the file, too. Size, depth and
 * the number of nodes, as they would be if every alias were written out, are bounded.
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
#define CONFIG_ANCHORS_MAX	256u
#define CONFIG_MERGED_MAX	256u /* keys of a mapping with merge keys */

enum config_node_kind {
	CONFIG_SCALAR,
	CONFIG_LIST,		/* children: the items */
	CONFIG_MAPPING,		/* children: key, value, key, value */
};

/* The type of a scalar: the tag decides, then the quotes. */
enum config_tag {
	CONFIG_TAG_PLAIN,	/* whatever it looks like: no tag and no quotes */
	CONFIG_TAG_TEXT,	/* quoted, "!!str", and tags unknown to Talos */
	CONFIG_TAG_INT,
	CONFIG_TAG_FLOAT,
	CONFIG_TAG_BOOL,
	CONFIG_TAG_NULL,
	CONFIG_TAG_BINARY,	/* not supported */
};

struct config_node {
	enum config_node_kind kind;
	enum config_tag tag;	/* of a scalar */
	struct config_position position;
	yaml_event_t event;	/* owns the scalar, except in a copy: no second copy of a secret */
	bool copy;		/* made for an alias or a merged key: shares scalar and children */
	unsigned weight;	/* this and all nodes below; 0: not complete yet */
	unsigned height;	/* collections on the longest way down, including this one */
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

/* Wipes every scalar. */
void config_tree_free(struct config_tree *tree);

/* The bytes of a scalar, which may contain NUL; a NUL follows the last one. */
const char *config_node_text(const struct config_node *node);
size_t config_node_size(const struct config_node *node);

/* Is it a scalar with this tag, or one without quotes and tag, which may be anything? */
bool config_node_may_be(const struct config_node *node, enum config_tag tag);

/* Is it null: "", "~" or "null" without quotes? */
bool config_node_null(const struct config_node *node);

/* Is it a scalar that is exactly this word? */
bool config_node_is(const struct config_node *node, const char *word);

/* "a mapping", "a list", "a single value". */
const char *config_node_kind_name(const struct config_node *node);

#endif
