/* SPDX-License-Identifier: MIT */
/*
 * A memory budget for key derivations that run at the same time: the memory that was available when
 * the run began. A derivation waits for memory, so that the OOM killer does not end the run.
 */
#ifndef VOLUME_BUDGET_H
#define VOLUME_BUDGET_H

#include <pthread.h>

#include "luks2/header.h"

struct volume_budget {
	pthread_mutex_t lock;
	pthread_cond_t returned;
	uint64_t total;		/* bytes */
	uint64_t taken;		/* bytes */
	unsigned holders;
	const struct mortise_events *events;
};

/* Reads how much memory is available. events, which must outlive the budget, cancel a wait. */
void volume_budget_init(struct volume_budget *budget, const struct mortise_events *events);
void volume_budget_clear(struct volume_budget *budget);

/*
 * Waits until memory bytes are free. A request for more than the total is granted when all memory
 * has been given back; the derivation then reports that memory is short. False: canceled. In either
 * case the memory is taken and must be given back.
 */
bool volume_budget_take(struct volume_budget *budget, uint64_t memory);
void volume_budget_give_back(struct volume_budget *budget, uint64_t memory);

/* A limiter that makes each derivation of luks2/ use the budget. */
struct memory_limiter volume_budget_limiter(struct volume_budget *budget);

#endif
