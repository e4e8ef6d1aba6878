/* SPDX-License-Identifier: MIT */
/* Condition variables whose waits end when the run is canceled. */
#ifndef DECLARED_COND_H
#define DECLARED_COND_H

#include <mortise.h>

#include <pthread.h>

/* On the monotonic clock. */
void volume_cond_init(pthread_cond_t *cond);

/*
 * Waits for cond, at most EVENTS_POLL_MS: the caller tests its condition in a loop. False: events
 * cancel. lock is held on return in either case, and not while the callback runs.
 */
MORTISE_MUST_CHECK bool volume_cond_wait(const struct mortise_events *events, pthread_cond_t *cond,
					 pthread_mutex_t *lock);

#endif
