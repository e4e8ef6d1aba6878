/* SPDX-License-Identifier: MIT */
/* Condition variables whose waits end when the run is canceled. */
#ifndef DECLARED_COND_H
#define DECLARED_COND_H

#include <mortise.h>

#include <pthread.h>

/* Uses the monotonic clock. */
void volume_cond_init(pthread_cond_t *cond);

/*
 * Waits for cond, at most EVENTS_POLL_MS; the caller tests its condition in a loop. Releases lock
 * while the callback of events runs, and holds it on return. False: canceled.
 */
MORTISE_MUST_CHECK bool volume_cond_wait(const struct mortise_events *events, pthread_cond_t *cond,
					 pthread_mutex_t *lock);

#endif
