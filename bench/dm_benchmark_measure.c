/* SPDX-License-Identifier: MIT */
#include "bench/dm_benchmark_measure.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "bench/dm_benchmark_io.h"
#include "bench/dm_benchmark_stack.h"
#include "volume/flags.h"

#define SHARE	     70u /* % of the time for requests; creating mappings takes the rest */
#define CASE_MAX_NS  1000000000u
#define CASE_MIN_NS  20000000u
#define REQUESTS_MIN 20u /* in a slice; with fewer, its rate means nothing */

static int compare_sizes(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* The first slice, in which caches and queues fill, is not counted. */
static struct mortise_spread compute_rate(const struct bench_tally *tally, uint64_t duration_ns,
					  uint32_t block_size)
{
	const size_t count = BENCH_SLICES - 1, middle = count / 2;
	double slice_s = (double)duration_ns / 1e9 / BENCH_SLICES, mean;
	uint64_t sorted[BENCH_SLICES - 1], sum = 0;

	memcpy(sorted, tally->slices + 1, sizeof(sorted));
	for (size_t i = 0; i < count; i++)
		sum += sorted[i];
	/* With few requests, one request more or less would look like noise. */
	if (sum < (uint64_t)block_size * count * REQUESTS_MIN) {
		mean = (double)sum / slice_s / (double)count;
		return (struct mortise_spread){ 0, mean, mean, mean };
	}
	qsort(sorted, count, sizeof(sorted[0]), compare_sizes);
	return (struct mortise_spread){
		.runs = (unsigned)count,
		.min = (double)sorted[0] / slice_s,
		.median = (double)sorted[middle] / slice_s,
		.p99 = (double)sorted[count - 1] / slice_s,
	};
}

/* The rate of the same requests without dm-crypt, 0 if it was not measured. */
static double find_bare_rate(const struct mortise_dm_benchmark *b,
			     const struct mortise_dm_measurement *m)
{
	for (size_t i = 0; i < b->results.count; i++) {
		const struct mortise_dm_measurement *other = &b->results.list[i];

		if (!other->cipher[0] && other->backing == m->backing && other->write == m->write &&
		    other->block_size == m->block_size && other->depth == m->depth &&
		    other->volumes == m->volumes)
			return other->rate.median;
	}
	return 0;
}

/* Divides the remaining time of the backing device equally among its measurements. */
static uint64_t compute_duration(const struct mortise_dm_benchmark *b)
{
	uint64_t now = clock_now_ns(), left = b->end_ns > now ? b->end_ns - now : 0;
	uint64_t part =
		left / 100 * SHARE / (b->backing_done > b->done ? b->backing_done - b->done : 1);

	if (part > CASE_MAX_NS)
		return CASE_MAX_NS;
	return part > CASE_MIN_NS ? part : CASE_MIN_NS;
}

static enum mortise_code measure_case(struct mortise_dm_benchmark *b,
				      const struct bench_backing *backing,
				      const struct bench_stack *stack, const struct bench_case *one,
				      struct mortise_error *err)
{
	const struct bench_job job = {
		.engine = b->engine,
		.fds = stack->fds,
		.volumes = stack->volumes,
		.size = stack->size,
		.write = one->write,
		.block_size = one->block_size,
		.depth = one->depth,
		.jobs = bench_count_jobs(b->engine, one->depth, stack->volumes),
		.duration_ns = compute_duration(b),
		.events = b->options.events,
	};
	struct mortise_dm_measurement m = {
		.backing = backing->kind,
		.cipher = one->cipher ? one->cipher : "",
		.key_size = one->key_size,
		.sector_size = one->sector_size,
		.flags = one->flags,
		.write = one->write,
		.block_size = one->block_size,
		.depth = one->depth,
		.jobs = job.jobs,
		.volumes = one->volumes,
	};
	struct bench_tally *tally = malloc(sizeof(*tally));
	enum mortise_code code;

	if (!tally)
		return error_memory(err);
	code = bench_job_run(&job, tally, err);
	/* A measurement that was stopped is dropped. */
	if (code || bench_is_stopped(b))
		goto out;
	m.bytes = tally->bytes;
	m.duration_ns = tally->duration_ns;
	m.rate = compute_rate(tally, job.duration_ns, m.block_size);
	m.latency_p50_ns = bench_latency_percentile(&tally->latency, 500);
	m.latency_p99_ns = bench_latency_percentile(&tally->latency, 990);
	m.latency_p999_ns = bench_latency_percentile(&tally->latency, 999);
	m.cpu_us = bench_meter_cpu(&tally->before, &tally->after);
	m.energy_uj = bench_meter_energy(&tally->before, &tally->after);
	if (one->cipher)
		m.bare_rate = find_bare_rate(b, &m);
	code = bench_add_result(b, &m, stack->driver, err);
	if (!code && b->options.measured)
		b->options.measured(b->options.context, &b->results.list[b->results.count - 1],
				    b->done + 1, b->total);
out:
	free(tally);
	return code;
}

/* Skips the cases of plan from *at on that use the same volumes. */
static void skip_setup(struct mortise_dm_benchmark *b, const struct bench_plan *plan, size_t *at)
{
	const struct bench_case *first = &plan->cases[*at];

	for (; *at < plan->count && bench_same_setup(first, &plan->cases[*at]); (*at)++)
		b->done++;
}

/* Measures the cases of plan from *at on that use the same volumes. */
static enum mortise_code measure_setup(struct mortise_dm_benchmark *b,
				       const struct bench_backing *backing,
				       const struct bench_plan *plan, size_t *at,
				       struct mortise_error *err)
{
	const struct bench_case *first = &plan->cases[*at];
	const struct bench_setup setup = {
		.cipher = first->cipher,
		.key_size = first->key_size,
		.sector_size = first->sector_size,
		.flags = volume_flags_to_dm(first->flags),
		.volumes = first->volumes,
	};
	struct mortise_error why = { 0 };
	struct bench_stack stack;
	enum mortise_code code;

	code = bench_stack_open(backing, &setup, &stack, &why);
	/* The cipher given by the caller must work; kernels lack some of the others. */
	if (code == MORTISE_E_KERNEL && (!b->options.cipher || first->flags)) {
		if (bench_is_declared(first->cipher))
			bench_warn(b, "%s", why.text);
		skip_setup(b, plan, at);
		return MORTISE_OK;
	}
	if (code) {
		if (err)
			*err = why;
		return code;
	}
	for (; *at < plan->count && bench_same_setup(first, &plan->cases[*at]); (*at)++) {
		if (code || bench_is_over(b))
			continue;
		code = measure_case(b, backing, &stack, &plan->cases[*at], err);
		b->done++;
	}
	bench_stack_close(&stack);
	return code;
}

enum mortise_code bench_measure_plan(struct mortise_dm_benchmark *b,
				     const struct bench_backing *backing,
				     const struct bench_plan *plan, size_t from,
				     struct mortise_error *err)
{
	enum mortise_code code;
	size_t at = from;

	if (plan->no_memory)
		return error_memory(err);
	while (at < plan->count && !bench_is_over(b)) {
		code = measure_setup(b, backing, plan, &at, err);
		if (code)
			return code;
	}
	return MORTISE_OK;
}
