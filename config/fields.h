/* SPDX-License-Identifier: MIT */
/*
 * Mappings against the keys that they may have, and their values against types. Whoever asks
 * gets a value or nothing; what was wrong is in the log already.
 */
#ifndef CONFIG_FIELDS_H
#define CONFIG_FIELDS_H

#include "config/tree.h"

/* The keys that a mapping may have. */
struct config_schema {
	const char *const *names;
	size_t count;
	bool secret;		/* an unknown key may be a secret, however much it is like these */
	const char *alias;	/* another spelling of names[alias_of], or NULL */
	size_t alias_of;
};

/* A key and its value. Both NULL when it is not there; value NULL when it is there and null. */
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

/* The value of a key, NULL when it is not there or null. For the first look at a mapping. */
const struct config_node *config_node_child(const struct config_node *mapping, const char *name);

/* Letters to change, add or drop until the scalar is the word, whatever their case. */
unsigned config_node_distance(const struct config_node *node, const char *word);
/* As many are taken for a typing mistake in a word that may not be missed: two swapped letters. */
#define CONFIG_TYPO_MAX 2u

/* Where to point at: the value, or the key when the value is null. */
struct config_place config_field_place(const struct config_field *field);

/* True when the value is there and of the type; else *out stays as it was. */
bool config_field_bool(struct config_log *log, const struct config_field *field, bool *out);
bool config_field_number(struct config_log *log, const struct config_field *field, long long *out);
/* Text without NUL; a number or bool without quotes counts as the text that it is written as. */
bool config_field_text(struct config_log *log, const struct config_field *field, const char **out);
bool config_field_mapping(struct config_log *log, const struct config_field *field);
bool config_field_list(struct config_log *log, const struct config_field *field);

/* The number in a scalar, written in decimal. */
bool config_node_number(const struct config_node *node, long long *out);

#endif
