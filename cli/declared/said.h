/* SPDX-License-Identifier: MIT */
/* Errors and notices of volumes, each of which is printed once in a run. */
#ifndef CLI_SAID_H
#define CLI_SAID_H

#include <stddef.h>

/* The lines printed so far. Clear it with said_clear(). */
struct said {
	char **lines;
	size_t count;
};

enum said_kind {
	SAID_ERROR,	/* the volume is not ready */
	SAID_WARNING,	/* a key could not be updated */
	SAID_NOTICE,
};

/* Prints "mortise: VOLUME: LINE" for every line of text that has not been printed yet. */
void said_print(struct said *said, enum said_kind kind, const char *volume, const char *text);
void said_clear(struct said *said);

#endif
