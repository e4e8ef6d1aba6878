/* SPDX-License-Identifier: MIT */
/* A line on the terminal that says how far a long step is. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool terminal;		/* standard error is one: elsewhere nothing is shown */
	bool shown;
	uint64_t start_ms;
	uint64_t last_ms;	/* when the line was last written */
};

void progress_begin(struct progress *progress);
/* Milliseconds since progress_begin(). */
uint64_t progress_elapsed_ms(const struct progress *progress);
/*
 * context is a struct progress. Shown once a second has gone, ten times a second at most.
 * False when a signal wants the program to end.
 */
bool progress_tell(void *context, const char *step, unsigned run, unsigned runs);
/* The same as a bar, for a step of a volume that has come to done of total bytes. */
bool progress_tell_bytes(void *context, const char *volume, const char *step, uint64_t done,
			 uint64_t total);
/* Takes the line away, so that something can be printed in its place. */
void progress_clear(struct progress *progress);

#endif
