/* SPDX-License-Identifier: MIT */
/*
 * Memory for key derivations that run at the same time: together never more than the machine had
 * available when the run began. A volume waits for its turn instead of meeting the OOM killer.
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

/* Asks the machine how much memory is available. events cancel a wait; they stay the caller's. */
void volume_budget_init(struct volume_budget *budget, const struct mortise_events *events);
void volume_budget_clear(struct volume_budget *budget);

/*
 * Waits until memory bytes are free. A request for more than the total is granted when no other
 * holds any: the derivation itself then reports that it cannot be done. False: canceled; the memory
 * is taken all the same and must be given back.
 */
bool volume_budget_take(struct volume_budget *budget, uint64_t memory);
void volume_budget_give_back(struct volume_budget *budget, uint64_t memory);

/* The gate that luks2 passes each of its derivations through. */
struct memory_limiter volume_budget_limiter(struct volume_budget *budget);

#endif
