/* SPDX-License-Identifier: MIT */
/* Cancellation: what every wait and every long computation asks. NULL events never cancel. */
#ifndef BASE_EVENTS_H
#define BASE_EVENTS_H

#include <mortise.h>

#include <stdatomic.h>

/* The longest time in milliseconds between two calls of events_canceled() in anything long. */
#define EVENTS_POLL_MS 100u

/* Sends MORTISE_EVENT_POLL. May be called from several threads at once. */
bool events_canceled(const struct mortise_events *events);

/* Sends MORTISE_EVENT_PROGRESS; volume may be NULL. False: canceled. */
bool events_progress(const struct mortise_events *events, const char *volume, const char *text,
		     uint64_t done, uint64_t total);

/*
 * For computations: asks at most every EVENTS_POLL_MS, however often events_watch_canceled() is
 * called, and from however many threads. Once canceled, it stays canceled.
 */
struct events_watch {
	const struct mortise_events *events;
	_Atomic uint32_t next_ms;	/* of clock_now_ms(), which may wrap around */
	atomic_bool begun, canceled;
};

bool events_watch_canceled(struct events_watch *watch);

/* Fills err with MORTISE_E_CANCELED: "canceled". */
enum mortise_code events_cancel_error(struct mortise_error *err);

/* Sleeps; false as soon as it is canceled. */
bool events_sleep_ms(const struct mortise_events *events, uint64_t ms);

/*
 * flock(2) with LOCK_SH or LOCK_EX, for at most wait_ms (UINT64_MAX: without limit). Returns
 * MORTISE_OK, MORTISE_E_CANCELED, MORTISE_E_BUSY when the time is up, or MORTISE_E_SYSTEM with
 * errno set; name is the path for the error.
 */
MORTISE_MUST_CHECK enum mortise_code events_lock(const struct mortise_events *events, int fd,
						 int operation, uint64_t wait_ms, const char *name,
						 struct mortise_error *err);

#endif
