/* SPDX-License-Identifier: MIT */
/* Progress on standard error, since results go to standard output. */
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "cli/log.h"
#include "cli/output.h"
#include "cli/progress.h"
#include "cli/signals.h"

#define PATIENCE_MS 1000u /* shorter operations show no progress */
#define INTERVAL_MS 100u
#define BAR	    30 /* characters */

static uint64_t now_ms(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

void progress_begin(struct progress *progress)
{
	*progress = (struct progress){
		.terminal = isatty(STDERR_FILENO) == 1 && !log_is_active(),
		.start_ms = now_ms(),
	};
}

uint64_t progress_elapsed_ms(const struct progress *progress)
{
	return now_ms() - progress->start_ms;
}

/* Is a new line due? */
static bool is_due(struct progress *progress)
{
	uint64_t now = now_ms();

	if (!progress->terminal || now - progress->start_ms < PATIENCE_MS ||
	    now - progress->last_ms < INTERVAL_MS)
		return false;
	progress->shown = true;
	progress->last_ms = now;
	return true;
}

bool progress_tell(void *context, const char *step, unsigned run, unsigned runs)
{
	struct progress *progress = context;

	if (is_due(progress)) {
		/* Carriage return, text, erase to the end of the line. */
		print_to(stderr, "\r%llu s  %.60s, run %u of %u\033[K",
			 (unsigned long long)(progress_elapsed_ms(progress) / 1000), step, run + 1,
			 runs);
		fflush(stderr);
	}
	return !signals_caught();
}

/* ", 512 MiB/s, 18 s left", as fast as the step has been; or "". */
static void format_speed(struct progress *progress, uint64_t done, uint64_t total,
			 char text[static 64])
{
	const uint64_t now = now_ms();
	uint64_t elapsed, bytes;

	if (total != progress->total || done < progress->done || !progress->step_ms) {
		progress->step_ms = now;
		progress->step_done = done;
	}
	progress->done = done;
	progress->total = total;
	elapsed = now - progress->step_ms;
	bytes = done - progress->step_done;
	*text = '\0';
	if (elapsed && bytes)
		snprintf(text, 64, ", %.0f MiB/s, %.0f s left",
			 (double)bytes / (double)elapsed * 1000 / (1 << 20),
			 (double)(total - done) / (double)bytes * (double)elapsed / 1000);
}

bool progress_tell_bytes(void *context, const char *volume, const char *step, uint64_t done,
			 uint64_t total)
{
	static const char full[BAR + 1] = "##############################";
	static const char none[BAR + 1] = "..............................";
	struct progress *progress = context;
	double part = total ? (double)done / (double)total : 0;
	int bar = (int)(part * BAR);
	char speed[64];

	format_speed(progress, done, total, speed);
	if (is_due(progress)) {
		print_to(stderr, "\r%llu s  %.40s: %.30s [%.*s%.*s] %.0f %%%s\033[K",
			 (unsigned long long)(progress_elapsed_ms(progress) / 1000), volume, step,
			 bar, full, BAR - bar, none, part * 100, speed);
		fflush(stderr);
	}
	return !signals_caught();
}

void progress_clear(struct progress *progress)
{
	if (!progress->shown)
		return;
	print_to(stderr, "\r\033[K");
	fflush(stderr);
	progress->shown = false;
}
