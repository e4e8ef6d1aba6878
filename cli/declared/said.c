/* SPDX-License-Identifier: MIT */
#include "cli/declared/said.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/output.h"

/* Remembers the line, which it owns then. False if it has been printed. */
static bool remember(struct said *said, char *line)
{
	char **grown;

	for (size_t i = 0; i < said->count; i++) {
		if (strcmp(said->lines[i], line) == 0) {
			free(line);
			return false;
		}
	}
	grown = realloc(said->lines, (said->count + 1) * sizeof(*grown));
	if (grown) {
		said->lines = grown;
		grown[said->count++] = line;
	} else {
		free(line);
	}
	return true;
}

void said_print(struct said *said, enum said_kind kind, const char *volume, const char *text)
{
	static const char *const forms[] = {
		[SAID_ERROR] = "mortise: %s: %.*s\n",
		[SAID_WARNING] = PRINT_WARNING "mortise: %s: %.*s\n",
		[SAID_NOTICE] = PRINT_NOTICE "mortise: %s: notice: %.*s\n",
	};

	while (*text) {
		int length = (int)strcspn(text, "\n");
		char *line;

		/* Without memory, a line may be printed twice. */
		if (asprintf(&line, "%s: %.*s", volume, length, text) < 0 || remember(said, line))
			print_to(stderr, forms[kind], volume, length, text);
		text += length;
		text += *text == '\n';
	}
}

void said_clear(struct said *said)
{
	for (size_t i = 0; i < said->count; i++)
		free(said->lines[i]);
	free(said->lines);
	*said = (struct said){ .count = 0 };
}
