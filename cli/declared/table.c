/* SPDX-License-Identifier: MIT */
/* Printing tables: the rows are filled twice, first to measure them. */
#include <stdio.h>
#include <string.h>

#include "cli/declared/table.h"
#include "cli/output.h"

static void widen(int *widths, const char *const *cells, size_t columns)
{
	for (size_t i = 0; i < columns; i++) {
		int width = (int)strlen(cells[i]);

		if (width > widths[i])
			widths[i] = width;
	}
}

static void print_row(const int *widths, const char *const *cells, size_t columns)
{
	for (size_t i = 0; i + 1 < columns; i++)
		print("%-*s  ", widths[i], cells[i]);
	print("%s\n", cells[columns - 1]);
}

bool table_print(const struct table *table)
{
	int widths[TABLE_COLUMNS_MAX] = { 0 };
	struct table_row row;
	size_t rows = 0;

	widen(widths, table->titles, table->columns);
	for (; table->fill(table->subject, rows, &row); rows++)
		widen(widths, row.cells, table->columns);
	if (rows == 0)
		return false;
	print_row(widths, table->titles, table->columns);
	for (size_t i = 0; i < rows && table->fill(table->subject, i, &row); i++)
		print_row(widths, row.cells, table->columns);
	return true;
}

const char *table_or_dash(const char *text)
{
	return text[0] != '\0' ? text : "-";
}

const char *table_keyslot(char text[static TABLE_TEXT_SIZE], int keyslot)
{
	if (keyslot >= 0)
		snprintf(text, TABLE_TEXT_SIZE, "%d", keyslot);
	else
		snprintf(text, TABLE_TEXT_SIZE, "-");
	return text;
}
