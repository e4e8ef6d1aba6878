/* SPDX-License-Identifier: MIT */
#include "declared/cond.h"

#include <time.h>

#include "base/events.h"

void volume_cond_init(pthread_cond_t *cond)
{
	pthread_condattr_t attributes;

	pthread_condattr_init(&attributes);
	pthread_condattr_setclock(&attributes, CLOCK_MONOTONIC);
	pthread_cond_init(cond, &attributes);
	pthread_condattr_destroy(&attributes);
}

bool volume_cond_wait(const struct mortise_events *events, pthread_cond_t *cond,
		      pthread_mutex_t *lock)
{
	struct timespec end;
	bool canceled;

	clock_gettime(CLOCK_MONOTONIC, &end);
	end.tv_nsec += (long)EVENTS_POLL_MS * 1000000;
	end.tv_sec += end.tv_nsec / 1000000000;
	end.tv_nsec %= 1000000000;
	(void)pthread_cond_timedwait(cond, lock, &end);
	pthread_mutex_unlock(lock);
	canceled = events_canceled(events);
	pthread_mutex_lock(lock);
	return !canceled;
}
