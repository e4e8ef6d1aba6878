/* SPDX-License-Identifier: MIT */
/* The memory budget: parallel tasks never take more than the total. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "declared/budget.h"

#define THREADS 8
#define ROUNDS	500
#define TOTAL	100u

struct seen {
	struct volume_budget budget;
	pthread_mutex_t lock;
	uint64_t now;
	uint64_t most;
	bool large;
	bool broken;
};

static void hold(struct seen *seen, uint64_t memory)
{
	assert_true(volume_budget_take(&seen->budget, memory));
	pthread_mutex_lock(&seen->lock);
	seen->now += memory;
	seen->most = memory <= TOTAL && seen->now > seen->most ? seen->now : seen->most;
	seen->broken |= seen->large || (memory > TOTAL && seen->now != memory);
	seen->large = memory > TOTAL;
	pthread_mutex_unlock(&seen->lock);
	for (volatile unsigned i = 0; i < 2000; i++)
		;
	pthread_mutex_lock(&seen->lock);
	seen->now -= memory;
	seen->large = false;
	pthread_mutex_unlock(&seen->lock);
	volume_budget_give_back(&seen->budget, memory);
}

static void *work(void *context)
{
	struct seen *seen = context;

	for (unsigned i = 0; i < ROUNDS; i++)
		hold(seen, i % 7 ? 10 + i % 50 : TOTAL + 1);
	return NULL;
}

static void test_total_is_bounded(void **state)
{
	struct seen seen = { .lock = PTHREAD_MUTEX_INITIALIZER };
	pthread_t thread[THREADS];

	(void)state;
	volume_budget_init(&seen.budget, NULL);
	assert_true(seen.budget.total > 0);
	seen.budget.total = TOTAL;
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&thread[i], NULL, work, &seen), 0);
	for (unsigned i = 0; i < THREADS; i++)
		assert_int_equal(pthread_join(thread[i], NULL), 0);
	assert_true(seen.most <= TOTAL);
	assert_true(seen.most > TOTAL / 2);
	assert_false(seen.broken);
	assert_int_equal(seen.budget.taken, 0);
	assert_int_equal(seen.budget.holders, 0);
	volume_budget_clear(&seen.budget);
}

/* Cancels from the third poll on. */
static bool cancel_late(void *context, const struct mortise_event *event)
{
	unsigned *polls = context;

	assert_int_equal(event->type, MORTISE_EVENT_POLL);
	return ++*polls < 3;
}

/* A canceled wait ends although no memory was returned; what it took is given back. */
static void test_canceled(void **state)
{
	unsigned polls = 0;
	const struct mortise_events events = { .call = cancel_late, .context = &polls };
	struct volume_budget budget;

	(void)state;
	volume_budget_init(&budget, &events);
	budget.total = TOTAL;
	assert_true(volume_budget_take(&budget, TOTAL));
	assert_int_equal(polls, 0);
	assert_false(volume_budget_take(&budget, 1));
	assert_int_equal(polls, 3);
	assert_int_equal(budget.holders, 2);
	volume_budget_give_back(&budget, 1);
	volume_budget_give_back(&budget, TOTAL);
	assert_int_equal(budget.holders, 0);
	volume_budget_clear(&budget);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_total_is_bounded),
		cmocka_unit_test(test_canceled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
