/* SPDX-License-Identifier: MIT */
/* Tables on standard output. Each column is as wide as its longest cell. */
#ifndef CLI_TABLE_H
#define CLI_TABLE_H

#include <stdbool.h>
#include <stddef.h>

#define TABLE_COLUMNS_MAX 6u
#define TABLE_TEXT_SIZE	  64u /* bytes, including the NUL */

struct table_row {
	const char *cells[TABLE_COLUMNS_MAX];
	char texts[3][TABLE_TEXT_SIZE]; /* room for cells that are formatted, such as numbers */
};

struct table {
	const char *const *titles;	/* one for each column */
	size_t columns;
	/* Fills row i of subject; false: subject has only i rows. */
	bool (*fill)(const void *subject, size_t i, struct table_row *row);
	const void *subject;
};

/* Prints the titles and all rows. Without rows, prints nothing and returns false. */
bool table_print(const struct table *table);

/* The text, or "-" for an empty one: an empty cell would make the row look shifted. */
const char *table_or_dash(const char *text);
/* Writes a keyslot's number to text, or "-" if it is negative. Returns text. */
const char *table_keyslot(char text[static TABLE_TEXT_SIZE], int keyslot);

#endif
