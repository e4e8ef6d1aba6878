/* SPDX-License-Identifier: MIT */
/* Progress of a verb that writes much, in the two forms of cryptsetup 2.6.1. */
#include <stdio.h>
#include <time.h>

#include "cli/byte_progress.h"
#include "cli/output.h"
#include "cli/signals.h"

static uint64_t now_ms(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

/* "12m44s", "26h12m44s" or "3 days". */
static void format_time(uint64_t ms, char text[static 32])
{
	const unsigned long long seconds = ms / 1000;

	if (seconds < 90 * 60)
		snprintf(text, 32, "%02llum%02llus", seconds / 60, seconds % 60);
	else if (seconds < 36 * 3600)
		snprintf(text, 32, "%02lluh%02llum%02llus", seconds / 3600, seconds / 60 % 60,
			 seconds % 60);
	else
		snprintf(text, 32, "%02llu days", seconds / 86400);
}

/* Whole MiB below 4 GiB, whole GiB below 4 TiB, and so on. */
static void format_bytes(uint64_t bytes, char text[static 32])
{
	static const char *const units[] = { "MiB", "GiB", "TiB", "PiB", "EiB" };
	unsigned i = 0;

	while (i < 4 && bytes >> (32 + 10 * i))
		i++;
	snprintf(text, 32, "%4llu %s", (unsigned long long)bytes >> (20 + 10 * i), units[i]);
}

static void format_speed(double speed, char text[static 48])
{
	static const char *const units[] = { "B", "KiB", "MiB", "GiB" };
	unsigned i = 0;

	for (; i < 3 && speed > 1024; i++)
		speed /= 1024;
	snprintf(text, 48, "%5.1f %s", speed, units[i]);
}

static void print_text(uint64_t done, uint64_t total, uint64_t elapsed_ms, double speed,
		       uint64_t eta_ms)
{
	char time_text[32], written[32], speed_text[48];

	format_time(done == total ? elapsed_ms : eta_ms, time_text);
	format_bytes(done, written);
	format_speed(speed, speed_text);
	if (done == total)
		print("Finished, time %s, %s written, speed %s/s\n", time_text, written,
		      speed_text);
	else
		print("Progress: %5.1f%%, ETA %s, %s written, speed %s/s\n",
		      (double)done / (double)total * 100, time_text, written, speed_text);
}

static void print_json_line(const char *device, uint64_t done, uint64_t total, uint64_t elapsed_ms,
			    double speed, uint64_t eta_ms)
{
	print("{\"device\":\"%s\",\"device_bytes\":\"%llu\",\"device_size\":\"%llu\","
	      "\"speed\":\"%llu\",\"eta_ms\":\"%llu\",\"time_ms\":\"%llu\"}\n",
	      device, (unsigned long long)done, (unsigned long long)total,
	      (unsigned long long)speed, (unsigned long long)(done == total ? 0 : eta_ms),
	      (unsigned long long)elapsed_ms);
}

static void report(struct byte_progress *progress, uint64_t done, uint64_t total)
{
	const uint64_t now = now_ms();
	uint64_t elapsed = now - progress->start_ms, eta;
	double speed;

	if (!progress->begun) {
		progress->begun = true;
		progress->start_ms = progress->last_ms = now;
		progress->start_done = done;
		return;
	}
	if (done != total && now - progress->last_ms < progress->interval_ms)
		return;
	progress->last_ms = now;
	elapsed = elapsed ? elapsed : 1;
	speed = (double)(done - progress->start_done) * 1000 / (double)elapsed;
	speed = speed > 1 ? speed : 1;
	eta = (uint64_t)((double)(total - done) / speed * 1000);
	if (progress->json)
		print_json_line(progress->device, done, total, elapsed, speed, eta);
	else
		print_text(done, total, elapsed, speed, eta);
	fflush(stdout);
	/* The next bytes belong to another step. */
	progress->begun = done != total;
}

static bool handle(void *context, const struct mortise_event *event)
{
	struct byte_progress *progress = context;

	if (event->type == MORTISE_EVENT_PROGRESS && event->total && progress->wanted)
		report(progress, event->done, event->total);
	return !signals_caught();
}

void byte_progress_begin(struct byte_progress *progress, const struct command *c,
			 const char *device, struct mortise_events *events)
{
	const uint32_t seconds = option_number32(&c->options, OPTION_PROGRESS_FREQUENCY);

	*progress = (struct byte_progress){
		.device = device,
		.json = option_set(&c->options, OPTION_PROGRESS_JSON),
		.interval_ms = seconds ? (uint64_t)seconds * 1000 : 500,
	};
	progress->wanted =
		progress->json || (seconds && !option_set(&c->options, OPTION_BATCH_MODE));
	*events = (struct mortise_events){ .call = handle, .context = progress };
}
