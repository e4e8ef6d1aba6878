/* SPDX-License-Identifier: MIT */
/* A memory budget for key derivations that run at the same time. */
#include "declared/budget.h"

#include "declared/cond.h"
#include "base/machine.h"

void volume_budget_init(struct volume_budget *budget, const struct mortise_events *events)
{
	pthread_mutex_init(&budget->lock, NULL);
	volume_cond_init(&budget->returned);
	budget->events = events;
	budget->total = machine_available(&machine_files);
	budget->taken = 0;
	budget->holders = 0;
}

void volume_budget_clear(struct volume_budget *budget)
{
	pthread_cond_destroy(&budget->returned);
	pthread_mutex_destroy(&budget->lock);
}

static bool must_wait(const struct volume_budget *budget, uint64_t memory)
{
	return budget->holders &&
	       (memory > budget->total || budget->taken > budget->total - memory);
}

bool volume_budget_take(struct volume_budget *budget, uint64_t memory)
{
	bool go_on = true;

	pthread_mutex_lock(&budget->lock);
	while (go_on && must_wait(budget, memory))
		go_on = volume_cond_wait(budget->events, &budget->returned, &budget->lock);
	budget->holders++;
	budget->taken += memory;
	pthread_mutex_unlock(&budget->lock);
	return go_on;
}

void volume_budget_give_back(struct volume_budget *budget, uint64_t memory)
{
	pthread_mutex_lock(&budget->lock);
	budget->holders--;
	budget->taken -= memory;
	pthread_cond_broadcast(&budget->returned);
	pthread_mutex_unlock(&budget->lock);
}

/* After a cancellation, the derivation itself ends at its first poll. */
static void enter(void *context, uint64_t memory)
{
	(void)volume_budget_take(context, memory);
}

static void leave(void *context, uint64_t memory)
{
	volume_budget_give_back(context, memory);
}

struct memory_limiter volume_budget_limiter(struct volume_budget *budget)
{
	return (struct memory_limiter){ .enter = enter, .leave = leave, .context = budget };
}
