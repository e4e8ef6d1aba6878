/* SPDX-License-Identifier: MIT */
/* Progress on standard error, which is not where results go. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/progress.h"
#include "cli/signals.h"

#define PATIENCE_MS 1000u /* what is done by then needs no line */
#define INTERVAL_MS 100u

static uint64_t now_ms(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_begin(struct progress *progress)
{
	*progress = (struct progress){
		.terminal = isatty(STDERR_FILENO) == 1,
		.start_ms = now_ms(),
	};
}

uint64_t progress_elapsed_ms(const struct progress *progress)
{
	return now_ms() - progress->start_ms;
}

bool progress_tell(void *context, const char *step, unsigned run, unsigned runs)
{
	struct progress *progress = context;
	uint64_t now = now_ms();

	if (progress->terminal && now - progress->start_ms >= PATIENCE_MS &&
	    now - progress->last_ms >= INTERVAL_MS) {
		/* Carriage return, text, and the rest of the line erased. */
		fprintf(stderr, "\r%llu s  %.60s, run %u of %u\033[K",
			(unsigned long long)((now - progress->start_ms) / 1000), step, run + 1,
			runs);
		fflush(stderr);
		progress->shown = true;
		progress->last_ms = now;
	}
	return !signals_caught();
}

void progress_clear(struct progress *progress)
{
	if (!progress->shown)
		return;
	fprintf(stderr, "\r\033[K");
	fflush(stderr);
	progress->shown = false;
}
