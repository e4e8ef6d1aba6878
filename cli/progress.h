/* SPDX-License-Identifier: MIT */
/* A progress line on the terminal. */
#ifndef CLI_PROGRESS_H
#define CLI_PROGRESS_H

#include <stdbool.h>
#include <stdint.h>

struct progress {
	bool terminal;		/* standard error is a terminal; nothing is shown otherwise */
	bool shown;
	uint64_t start_ms;
	uint64_t last_ms;	/* when the line was last written */
	uint64_t step_ms;	/* when the step began that is measured in bytes */
	uint64_t step_done;	/* its bytes then */
	uint64_t done, total;	/* its bytes when they were last told */
};

void progress_begin(struct progress *progress);
/* Milliseconds since progress_begin(). */
uint64_t progress_elapsed_ms(const struct progress *progress);
/*
 * context is a struct progress. The line appears after one second and is updated at most ten times
 * a second. Returns false once a signal has interrupted the program.
 */
bool progress_tell(void *context, const char *step, unsigned run, unsigned runs);
/* The same with a bar, speed and remaining time, for a step on a volume; done and total in bytes. */
bool progress_tell_bytes(void *context, const char *volume, const char *step, uint64_t done,
			 uint64_t total);
/* Erases the line. */
void progress_clear(struct progress *progress);

#endif
