/* SPDX-License-Identifier: MIT */
/* Progress and cancellation of waits and long computations. NULL events never cancel. */
#ifndef BASE_EVENTS_H
#define BASE_EVENTS_H

#include <mortise.h>

#include <stdatomic.h>

/* The longest time in milliseconds between two calls of events_canceled() in anything long. */
#define EVENTS_POLL_MS 100u

/* Sends MORTISE_EVENT_POLL, and returns true if canceled. Several threads may call it at once. */
bool events_canceled(const struct mortise_events *events);

/* Sends MORTISE_EVENT_PROGRESS; volume may be NULL. Returns false if canceled. */
bool events_progress(const struct mortise_events *events, const char *volume, const char *text,
		     uint64_t done, uint64_t total);

/* Sends MORTISE_EVENT_NOTICE. If this cancels, the next poll says so, too. */
void events_notify(const struct mortise_events *events, const char *volume, const char *text);

/*
 * Cancellation of computations. events_watch_canceled() polls at most once every EVENTS_POLL_MS,
 * regardless of how often, and in how many threads, it is called. Once canceled, it remains
 * canceled.
 */
struct events_watch {
	const struct mortise_events *events;
	_Atomic uint32_t next_ms;	/* low bits of clock_now_ms(), which wrap around */
	atomic_uint begun; /* not a bool: exchanging 1 byte needs libatomic on RISC-V */
	atomic_bool canceled;
};

bool events_watch_canceled(struct events_watch *watch);

/* Sets MORTISE_E_CANCELED: "canceled". */
enum mortise_code events_cancel_error(struct mortise_error *err);

/* Sleeps. Returns false as soon as canceled. */
bool events_sleep_ms(const struct mortise_events *events, uint64_t ms);

/*
 * Calls flock(2) with LOCK_SH or LOCK_EX, and waits for at most wait_ms (UINT64_MAX: no limit).
 * name is the path for the error. MORTISE_E_BUSY: not locked in time. MORTISE_E_CANCELED.
 * MORTISE_E_SYSTEM: flock(2) failed.
 */
MORTISE_MUST_CHECK enum mortise_code events_lock(const struct mortise_events *events, int fd,
						 int operation, uint64_t wait_ms, const char *name,
						 struct mortise_error *err);

#endif
