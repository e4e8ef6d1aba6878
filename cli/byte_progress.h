/* SPDX-License-Identifier: MIT */
/* --progress-frequency and --progress-json, as in cryptsetup 2.6.1. */
#ifndef CLI_BYTE_PROGRESS_H
#define CLI_BYTE_PROGRESS_H

#include "cli/command.h"

struct byte_progress {
	const char *device;
	bool wanted, json;
	bool begun;
	uint64_t interval_ms;	/* between two lines */
	uint64_t start_ms;
	uint64_t last_ms;
	uint64_t start_done;	/* bytes */
};

/*
 * Fills *events for the library: its MORTISE_EVENT_PROGRESS are printed on standard output, and a
 * signal cancels. With --batch-mode, only --progress-json prints. progress and device must live as
 * long as the operation.
 */
void byte_progress_begin(struct byte_progress *progress, const struct command *c,
			 const char *device, struct mortise_events *events);

#endif
