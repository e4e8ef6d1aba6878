/* SPDX-License-Identifier: MIT */
/*
 * Mappings against the keys that they may have, and their values against types. Whoever asks
 * gets a value or nothing; what was wrong is in the log already.
 */
#ifndef META_FIELDS_H
#define META_FIELDS_H

#include "meta/tree.h"

/* The keys that a mapping may have. */
struct meta_schema {
	const char *const *names;
	size_t count;
	bool secret;		/* an unknown key may be a secret, however much it is like these */
	const char *alias;	/* another spelling of names[alias_of], or NULL */
	size_t alias_of;
};

/* A key and its value. Both NULL when it is not there; value NULL when it is there and null. */
struct meta_field {
	const char *name;
	const struct meta_node *key;
	const struct meta_node *value;
};

/*
 * Sorts the children of a mapping into field[0..schema->count-1]. Unknown and repeated keys
 * are errors.
 */
void meta_fields_read(struct meta_log *log, const struct meta_node *mapping,
		      const struct meta_schema *schema, struct meta_field *field);

/* The value of a key, NULL when it is not there or null. For the first look at a mapping. */
const struct meta_node *meta_node_child(const struct meta_node *mapping, const char *name);

/* Letters to change, add or drop until the scalar is the word, whatever their case. */
unsigned meta_node_distance(const struct meta_node *node, const char *word);
/* As many are taken for a typing mistake in a word that may not be missed: two swapped letters. */
#define META_TYPO_MAX 2u

/* Where to point at: the value, or the key when the value is null. */
struct meta_place meta_field_place(const struct meta_field *field);

/* True when the value is there and of the type; else *out stays as it was. */
bool meta_field_bool(struct meta_log *log, const struct meta_field *field, bool *out);
bool meta_field_number(struct meta_log *log, const struct meta_field *field, long long *out);
/* Text without NUL; a number or bool without quotes counts as the text that it is written as. */
bool meta_field_text(struct meta_log *log, const struct meta_field *field, const char **out);
bool meta_field_mapping(struct meta_log *log, const struct meta_field *field);
bool meta_field_list(struct meta_log *log, const struct meta_field *field);

/* The number in a scalar, written in decimal. */
bool meta_node_number(const struct meta_node *node, long long *out);

#endif
