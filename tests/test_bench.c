/* SPDX-License-Identifier: MIT */
/* Calculations of the benchmarks: statistics, loops, memory walks, and choosing a cost. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "bench/benchmark.h"

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

static struct mortise_spread spread_of(const double *values, size_t count)
{
	struct benchmark_samples samples = { 0 };
	struct mortise_spread spread;

	for (size_t i = 0; i < count; i++)
		benchmark_samples_add(&samples, values[i]);
	benchmark_samples_spread(&samples, &spread);
	return spread;
}

static void assert_about(double actual, double expected)
{
	assert_true(actual > expected * 0.999 && actual < expected * 1.001);
}

static void test_spread_odd_and_even(void **state)
{
	const double odd[] = { 5, 1, 3 }, even[] = { 4, 1, 3, 2 };
	struct mortise_spread spread = spread_of(odd, COUNT(odd));

	(void)state;
	assert_int_equal(spread.runs, 3);
	assert_about(spread.min, 1);
	assert_about(spread.median, 3);
	assert_about(spread.p99, 5);
	spread = spread_of(even, COUNT(even));
	assert_about(spread.median, 2.5);
	assert_int_equal(spread_of(even, 0).runs, 0);
}

/* Nearest rank: the 99th of 1..100, the 100th of 1..101, the 198th of 1..200. */
static void test_spread_p99(void **state)
{
	const struct {
		unsigned count;
		double p99;
	} cases[] = { { 1, 1 }, { 99, 99 }, { 100, 99 }, { 101, 100 }, { 200, 198 } };
	double values[200];

	(void)state;
	for (unsigned i = 0; i < 200; i++)
		values[i] = i + 1;
	for (size_t i = 0; i < COUNT(cases); i++)
		assert_about(spread_of(values, cases[i].count).p99, cases[i].p99);
}

static void test_samples_capacity(void **state)
{
	struct benchmark_samples samples = { 0 };

	(void)state;
	for (unsigned i = 0; i < MORTISE_BENCHMARK_RUNS_MAX + 5; i++)
		benchmark_samples_add(&samples, 1);
	assert_int_equal(samples.count, MORTISE_BENCHMARK_RUNS_MAX);
}

static void test_noisy(void **state)
{
	const struct mortise_spread few = { 2, 1, 1, 1 }, calm = { 7, 100, 105, 120 };
	const struct mortise_spread wide = { 7, 100, 130, 140 }, stray = { 7, 100, 105, 300 };
	const struct mortise_spread many = { 101, 100, 105, 300 };

	(void)state;
	assert_true(mortise_spread_is_noisy(&few));
	assert_false(mortise_spread_is_noisy(&calm));
	assert_true(mortise_spread_is_noisy(&wide));
	assert_true(mortise_spread_is_noisy(&stray));
	assert_false(mortise_spread_is_noisy(&many));
}

static void test_differs(void **state)
{
	const struct mortise_spread a = { 5, 10, 11, 12 }, apart = { 5, 13, 14, 15 };
	const struct mortise_spread wide = { 5, 9, 14, 15 }, none = { 0 };

	(void)state;
	assert_true(mortise_spread_differs(&a, &apart));
	assert_true(mortise_spread_differs(&apart, &a));
	assert_false(mortise_spread_differs(&a, &a));
	assert_false(mortise_spread_differs(&a, &wide));
	assert_false(mortise_spread_differs(&a, &none));
}

static bool count_and_stop(void *context, const struct mortise_event *event)
{
	unsigned *told = context;

	assert_int_equal(event->type, MORTISE_EVENT_PROGRESS);
	assert_string_equal(event->text, "x");
	assert_true(event->done < event->total);
	return ++*told < 3;
}

static void test_loop(void **state)
{
	struct mortise_benchmark how = { .struct_size = sizeof(how),
					 .runs = 5,
					 .time_limit_ms = 60000 };
	struct benchmark_loop loop;
	unsigned runs = 0, told = 0;
	const struct mortise_events stop = { count_and_stop, &told };

	(void)state;
	assert_int_equal(benchmark_loop_begin(&loop, &how, NULL), MORTISE_OK);
	for (; benchmark_loop_next(&loop, "x");)
		runs++;
	assert_int_equal(runs, 5);
	how.events = &stop;
	runs = 0;
	assert_int_equal(benchmark_loop_begin(&loop, &how, NULL), MORTISE_OK);
	for (; benchmark_loop_next(&loop, "x");)
		runs++;
	assert_int_equal(runs, 2);
}

/* One run is made even if no time is left. */
static void test_loop_runs_once(void **state)
{
	const struct mortise_benchmark how = { .struct_size = sizeof(how),
					       .runs = 5,
					       .time_limit_ms = 1 };
	struct benchmark_loop loop;
	unsigned runs = 0;

	(void)state;
	assert_int_equal(benchmark_loop_begin(&loop, &how, NULL), MORTISE_OK);
	for (; benchmark_loop_next(&loop, "x"); runs++)
		while (benchmark_ms_since(loop.start) < 2)
			;
	assert_int_equal(runs, 1);
}

static void test_walk(void **state)
{
	const struct benchmark_walk walks[] = {
		{ .blocks = 8, .passes = 1, .lanes = 1, .threads = 1 },
		{ .blocks = 37, .passes = 3, .lanes = 3, .threads = 2 },
		{ .blocks = 4096, .passes = 4, .lanes = 4, .threads = 4 },
		{ .blocks = 4096, .passes = 2, .lanes = 8, .threads = 2, .independent = true },
	};
	double ms, first;

	(void)state;
	for (size_t i = 0; i < COUNT(walks); i++) {
		ms = first = 0;
		assert_int_equal(benchmark_walk(&walks[i], &ms, &first, NULL), MORTISE_OK);
		assert_true(first > 0 && first <= ms);
	}
}

static void test_walk_refuses(void **state)
{
	const struct benchmark_walk walks[] = {
		{ .blocks = 8, .passes = 1, .lanes = 0, .threads = 1 },
		{ .blocks = 8, .passes = 1, .lanes = 2, .threads = 1 },
		{ .blocks = 64, .passes = 1, .lanes = 2, .threads = 3 },
		{ .blocks = 4096, .passes = 1, .lanes = 65, .threads = 1 },
	};
	double ms, first;

	(void)state;
	for (size_t i = 0; i < COUNT(walks); i++)
		assert_int_equal(benchmark_walk(&walks[i], &ms, &first, NULL), MORTISE_E_USAGE);
}

/* 1 ms per MiB in the first pass, half of that in later passes; with two lanes, half of each. */
static const struct mortise_argon2_sample made_up[] = {
	{ { .type = MORTISE_KDF_ARGON2ID, .time = 4, .memory_kib = 65536, .lanes = 1 }, 160, 64 },
	{ { .type = MORTISE_KDF_ARGON2ID, .time = 4, .memory_kib = 262144, .lanes = 1 }, 640, 256 },
	{ { .type = MORTISE_KDF_ARGON2ID, .time = 4, .memory_kib = 65536, .lanes = 2 }, 80, 32 },
};

#define SIZE .struct_size = sizeof(struct mortise_argon2_target)

static struct mortise_kdf choose(struct mortise_argon2_target target, double *expected_ms)
{
	struct mortise_error err;
	struct mortise_kdf kdf;

	assert_int_equal(
		mortise_argon2_choose(made_up, COUNT(made_up), &target, &kdf, expected_ms, &err),
		MORTISE_OK);
	return kdf;
}

static void test_choose_most_memory(void **state)
{
	struct mortise_kdf kdf;
	double ms;

	(void)state;
	kdf = choose((struct mortise_argon2_target){ SIZE, .time_ms = 320, .cpus = 1 }, &ms);
	assert_int_equal(kdf.lanes, 1);
	assert_int_equal(kdf.time, 4);
	assert_int_equal(kdf.memory_kib, 131072);
	assert_about(ms, 320);
	kdf = choose((struct mortise_argon2_target){ SIZE, .time_ms = 320 }, &ms);
	assert_int_equal(kdf.lanes, 2);
	assert_int_equal(kdf.memory_kib, 262144);
}

static void test_choose_then_passes(void **state)
{
	struct mortise_kdf kdf;
	double ms;

	(void)state;
	/* 64 ms for the first pass and 32 ms for each other: 352 ms for 10 passes. */
	kdf = choose((struct mortise_argon2_target){ SIZE, .time_ms = 352, .memory_kib = 65536,
						     .cpus = 1 },
		     &ms);
	assert_int_equal(kdf.memory_kib, 65536);
	assert_int_equal(kdf.time, 10);
	assert_about(ms, 352);
}

static void test_choose_refuses(void **state)
{
	struct mortise_argon2_target target = { SIZE, .type = MORTISE_KDF_ARGON2I };
	struct mortise_kdf kdf;
	double ms;

	(void)state;
	assert_int_equal(mortise_argon2_choose(made_up, COUNT(made_up), &target, &kdf, &ms, NULL),
			 MORTISE_E_USAGE);
	target = (struct mortise_argon2_target){ SIZE, .memory_kib = 16 };
	assert_int_equal(mortise_argon2_choose(made_up, COUNT(made_up), &target, &kdf, &ms, NULL),
			 MORTISE_E_USAGE);
}

/* The chosen cost is valid for a keyslot. */
static void test_choose_stays_in_bounds(void **state)
{
	struct mortise_argon2_target target = { SIZE, .time_ms = 1, .cpus = 4 };
	struct mortise_kdf kdf;
	double ms;

	(void)state;
	for (uint32_t kib = 32; kib < 4000000; kib = kib * 3 / 2 + 7) {
		target.memory_kib = kib;
		kdf = choose(target, &ms);
		assert_true(kdf.memory_kib >= 32 && kdf.memory_kib <= kib);
		assert_true(kdf.time >= 4 && kdf.lanes >= 1 && kdf.lanes <= 4);
		assert_true(ms <= 1.001);
	}
}

static void test_machine(void **state)
{
	struct mortise_machine machine = { .struct_size = sizeof(machine) };

	(void)state;
	assert_int_equal(mortise_benchmark_machine(&machine, NULL), MORTISE_OK);
	assert_true(machine.cpus >= 1);
	assert_true(machine.memory > 0);
	assert_memory_equal(machine.kernel, "Linux ", 6);
	assert_string_not_equal(machine.architecture, "");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_spread_odd_and_even),
		cmocka_unit_test(test_spread_p99),
		cmocka_unit_test(test_samples_capacity),
		cmocka_unit_test(test_noisy),
		cmocka_unit_test(test_differs),
		cmocka_unit_test(test_loop),
		cmocka_unit_test(test_loop_runs_once),
		cmocka_unit_test(test_walk),
		cmocka_unit_test(test_walk_refuses),
		cmocka_unit_test(test_choose_most_memory),
		cmocka_unit_test(test_choose_then_passes),
		cmocka_unit_test(test_choose_refuses),
		cmocka_unit_test(test_choose_stays_in_bounds),
		cmocka_unit_test(test_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
