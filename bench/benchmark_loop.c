/* SPDX-License-Identifier: MIT */
/* How often a measurement is repeated. */
#include <time.h>

#include "base/clock.h"
#include "base/events.h"
#include "base/sized.h"
#include "bench/benchmark.h"

#define TIME_LIMIT_MS 10000u
#define RUNS	      7u
#define RUNS_SHORT    101u  /* enough for a p99 that is not the maximum */
#define SHORT_MS      250.0 /* of all runs of a short measurement */

uint64_t benchmark_cpu_now_ns(void)
{
	struct timespec now = { 0 };

	clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &now);
	return (uint64_t)now.tv_sec * 1000000000 + (uint64_t)now.tv_nsec;
}

double benchmark_ms_since(uint64_t start)
{
	return (double)(clock_now_ns() - start) / 1e6;
}

enum mortise_code benchmark_loop_begin(struct benchmark_loop *loop,
				       const struct mortise_benchmark *how,
				       struct mortise_error *err)
{
	*loop = (struct benchmark_loop){ .start = clock_now_ns() };
	return how ? sized_input(SIZED(mortise_benchmark), &loop->how, how, err) : MORTISE_OK;
}

static bool has_enough_runs(const struct benchmark_loop *loop)
{
	const struct mortise_benchmark *how = &loop->how;
	double limit = how->time_limit_ms ? how->time_limit_ms : TIME_LIMIT_MS;
	double elapsed = benchmark_ms_since(loop->start);

	/* Another run as long as the last one must fit into the limit. */
	if (elapsed + benchmark_ms_since(loop->last) > limit)
		return true;
	if (how->runs)
		return loop->runs >= how->runs;
	return loop->runs >= (elapsed < SHORT_MS ? RUNS_SHORT : RUNS);
}

bool benchmark_loop_next(struct benchmark_loop *loop, const char *step)
{
	const struct mortise_benchmark *how = &loop->how;
	unsigned runs = how->runs ? how->runs : RUNS;
	bool go_on;

	if (loop->runs >= MORTISE_BENCHMARK_RUNS_MAX || (loop->runs && has_enough_runs(loop)))
		return false;
	if (runs <= loop->runs)
		runs = loop->runs + 1;
	go_on = events_progress(how->events, NULL, step, loop->runs, runs);
	if (!go_on && loop->runs)
		return false;
	loop->last = clock_now_ns();
	loop->runs++;
	return true;
}

enum mortise_code benchmark_loop_end(const struct benchmark_loop *loop, enum mortise_code code)
{
	return code == MORTISE_E_CANCELED && loop->runs > 1 ? MORTISE_OK : code;
}

void benchmark_step_done(struct benchmark_recorder *recorder, unsigned step, uint64_t *mark)
{
	const uint64_t now = clock_now_ns();

	benchmark_samples_add(&recorder->steps[step], (double)(now - *mark) / 1e6);
	*mark = now;
}

void benchmark_recorder_finish(struct benchmark_recorder *recorder, const char *const *names,
			       unsigned count, struct mortise_benchmark_steps *steps)
{
	*steps = (struct mortise_benchmark_steps){ .count = count };
	benchmark_samples_spread(&recorder->total, &steps->total);
	for (unsigned i = 0; i < count; i++) {
		steps->steps[i].name = names[i];
		benchmark_samples_spread(&recorder->steps[i], &steps->steps[i].time);
	}
}
