/* SPDX-License-Identifier: MIT */
#include "bench/dm_benchmark_run.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/events.h"

void bench_warn(struct mortise_dm_benchmark *b, const char *format, ...)
{
	char text[BENCH_WARNING_ROOM];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	for (size_t i = 0; i < b->warning_count; i++)
		if (!strcmp(b->warnings[i], text))
			return;
	if (b->warning_count < BENCH_WARNINGS_MAX)
		memcpy(b->warnings[b->warning_count++], text, sizeof(text));
}

bool bench_is_stopped(struct mortise_dm_benchmark *b)
{
	if (!b->stopped && events_canceled(b->options.events)) {
		bench_warn(b, "stopped early; the remaining measurements were skipped");
		b->stopped = true;
	}
	return b->stopped;
}

bool bench_is_over(struct mortise_dm_benchmark *b)
{
	if (bench_is_stopped(b) || b->late)
		return true;
	if (clock_now_ns() < b->end_ns)
		return false;
	bench_warn(b, "time limit reached: %zu measurements on %s were skipped; set a longer limit",
		   b->backing_done > b->done ? b->backing_done - b->done : 0,
		   mortise_dm_backing_name(b->backing));
	b->late = true;
	return true;
}

enum mortise_code bench_add_result(struct mortise_dm_benchmark *b,
				   const struct mortise_dm_measurement *m, const char *driver,
				   struct mortise_error *err)
{
	size_t count = b->results.count + 1;
	struct mortise_dm_measurement *list;
	struct bench_strings *strings;

	list = reallocarray(b->results.list, count, sizeof(*list));
	if (list)
		b->results.list = list;
	strings = reallocarray(b->strings, count, sizeof(*strings));
	if (strings)
		b->strings = strings;
	if (!list || !strings)
		return error_memory(err);
	snprintf(strings[count - 1].cipher, sizeof(strings->cipher), "%s", m->cipher);
	snprintf(strings[count - 1].driver, sizeof(strings->driver), "%s", driver);
	list[count - 1] = *m;
	b->results.count = count;
	/* reallocarray(3) may have moved the strings. */
	for (size_t i = 0; i < count; i++) {
		list[i].cipher = strings[i].cipher;
		list[i].driver = strings[i].driver;
	}
	return MORTISE_OK;
}
