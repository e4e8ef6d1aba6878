/* SPDX-License-Identifier: MIT */
/*
 * Memory for key derivations that run side by side: never more in all than the machine had
 * to give when the run began. A volume waits for its turn rather than meet the OOM killer.
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
};

/* Asks the machine what there is. */
void volume_budget_init(struct volume_budget *budget);
void volume_budget_clear(struct volume_budget *budget);

/*
 * Waits until memory bytes are free. Who wants more than there is gets it when nobody else
 * has any: then it is for the derivation itself to say that it cannot be.
 */
void volume_budget_take(struct volume_budget *budget, uint64_t memory);
void volume_budget_give_back(struct volume_budget *budget, uint64_t memory);

/* The gate that luks2 passes each of its derivations through. */
struct memory_limiter volume_budget_limiter(struct volume_budget *budget);

#endif
