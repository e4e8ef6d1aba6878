/* SPDX-License-Identifier: MIT */
#include "base/events.h"

#include <errno.h>
#include <sys/file.h>
#include <time.h>

#include "base/clock.h"
#include "base/error.h"

/* The first process that polls gets a released lock; short pauses keep the wait short. */
#define LOCK_POLL_MS 10u

bool events_canceled(const struct mortise_events *events)
{
	const struct mortise_event event = { .type = MORTISE_EVENT_POLL };

	return events && events->call && !events->call(events->context, &event);
}

bool events_progress(const struct mortise_events *events, const char *volume, const char *text,
		     uint64_t done, uint64_t total)
{
	const struct mortise_event event = {
		.type = MORTISE_EVENT_PROGRESS,
		.volume = volume ? volume : "",
		.text = text,
		.done = done,
		.total = total,
	};

	return !events || !events->call || events->call(events->context, &event);
}

void events_notify(const struct mortise_events *events, const char *volume, const char *text)
{
	const struct mortise_event event = {
		.type = MORTISE_EVENT_NOTICE,
		.volume = volume,
		.text = text,
	};

	if (events && events->call)
		(void)events->call(events->context, &event);
}

bool events_watch_canceled(struct events_watch *watch)
{
	uint32_t now, next;

	if (!watch->events || !watch->events->call)
		return false;
	if (atomic_load_explicit(&watch->canceled, memory_order_relaxed))
		return true;
	now = (uint32_t)clock_now_ms();
	next = atomic_load(&watch->next_ms);
	if (atomic_exchange(&watch->begun, 1) && (int32_t)(now - next) < 0)
		return false;
	/* Only one of several concurrent threads sends the event. */
	if (!atomic_compare_exchange_strong(&watch->next_ms, &next, now + EVENTS_POLL_MS))
		return false;
	if (events_canceled(watch->events))
		atomic_store(&watch->canceled, true);
	return atomic_load(&watch->canceled);
}

enum mortise_code events_cancel_error(struct mortise_error *err)
{
	return error_set(err, MORTISE_E_CANCELED, 0, "canceled");
}

bool events_sleep_ms(const struct mortise_events *events, uint64_t ms)
{
	const uint64_t end = clock_now_ms() + ms;

	for (;;) {
		const uint64_t now = clock_now_ms();
		uint64_t pause;
		struct timespec left;

		if (events_canceled(events))
			return false;
		if (now >= end)
			return true;
		pause = end - now < EVENTS_POLL_MS ? end - now : EVENTS_POLL_MS;
		left = (struct timespec){ .tv_sec = 0, .tv_nsec = (long)pause * 1000000 };
		/* A signal may end the pause early: the loop reads the clock again. */
		(void)nanosleep(&left, NULL);
	}
}

enum mortise_code events_lock(const struct mortise_events *events, int fd, int operation,
			      uint64_t wait_ms, const char *name, struct mortise_error *err)
{
	const uint64_t begin = clock_now_ms();

	while (flock(fd, operation | LOCK_NB)) {
		if (errno == EINTR)
			continue;
		if (errno != EWOULDBLOCK)
			return error_set(err, MORTISE_E_SYSTEM, errno, "cannot lock %s", name);
		if (clock_now_ms() - begin >= wait_ms)
			return error_set(err, MORTISE_E_BUSY, 0,
					 "cannot lock %s: another process holds the lock", name);
		if (!events_sleep_ms(events, LOCK_POLL_MS))
			return events_cancel_error(err);
	}
	return MORTISE_OK;
}
