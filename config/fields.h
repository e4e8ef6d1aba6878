/* SPDX-License-Identifier: MIT */
/*
 * Checking the keys of a mapping against a schema, and values against types. The functions return
 * a value or nothing; they report errors to the log.
 */
#ifndef CONFIG_FIELDS_H
#define CONFIG_FIELDS_H

#include "config/tree.h"

/* The keys allowed in a mapping. */
struct config_schema {
	const char *const *names;
	size_t count;
	bool secret;		/* never print an unknown key: it may be a secret */
	const char *alias;	/* another spelling of names[alias_of], or NULL */
	size_t alias_of;
};

/* A key and its value. Both are NULL if the key is missing; value is NULL if it is null. */
struct config_field {
	const char *name;
	const struct config_node *key;
	const struct config_node *value;
};

/*
 * Sorts the children of a mapping into field[0..schema->count-1]. Unknown and repeated keys
 * are errors.
 */
void config_fields_read(struct config_log *log, const struct config_node *mapping,
			const struct config_schema *schema, struct config_field *field);

/* The value of a key without a schema; NULL if it is missing or null. */
const struct config_node *config_node_child(const struct config_node *mapping, const char *name);

/* Edit distance between the scalar and the word (Levenshtein), ignoring case. */
unsigned config_node_distance(const struct config_node *node, const char *word);
/* Up to this distance a word is a misspelling. Two swapped letters count as two. */
#define CONFIG_TYPO_MAX 2u

/* The position of the value, or of the key if the value is null. */
struct config_position config_field_position(const struct config_field *field);

/* True if there is a value of this type; otherwise *out is unchanged. */
bool config_field_bool(struct config_log *log, const struct config_field *field, bool *out);
bool config_field_number(struct config_log *log, const struct config_field *field, long long *out);
/* Text without NUL. A number or bool without quotes is text, too. */
bool config_field_text(struct config_log *log, const struct config_field *field, const char **out);
bool config_field_mapping(struct config_log *log, const struct config_field *field);
bool config_field_list(struct config_log *log, const struct config_field *field);

/* The value of an integer, as Go's decoder accepts it: "1_000", "0x1f", "0o17", "017", "0b1". */
bool config_node_number(const struct config_node *node, long long *out);

#endif
