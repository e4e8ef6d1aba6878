/* SPDX-License-Identifier: MIT */
/* Output and prompts of up and apply while the library executes a plan. */
#ifndef CLI_UP_CONSOLE_H
#define CLI_UP_CONSOLE_H

#include <stdio.h>

#include "cli/declared/volumes.h"
#include "cli/progress.h"

struct up_console {
	FILE *out;			/* NULL with -q */
	struct said *said;
	bool verbose;
	struct progress progress;	/* of the formats with integrity */
	uint64_t line_ms;		/* when progress was last printed to a log */
	uint32_t timeout;		/* seconds to wait for an answer; 0 waits forever */
	const char *recovery_dir;	/* NULL: new recovery keys are printed on standard output */
	char asked[MORTISE_NAME_MAX + 1]; /* the volume of the last prompt */
};

/*
 * volumes_open() with console as the recipient of events. On failure, the caller owns nothing.
 * volumes->events refers to *console and options to *volumes: do not move them.
 */
enum status up_console_begin(const struct command *c, struct volumes *volumes,
			     struct up_console *console);

#endif
