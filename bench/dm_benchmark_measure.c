/* SPDX-License-Identifier: MIT */
/* Mapping by mapping, measurement by measurement, within the time that is left. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "bench/dm_benchmark.h"
#include "volume/flags.h"

#define SHARE	     70u /* % of the time that is measured; mappings take the rest */
#define CASE_MAX_NS  1000000000u
#define CASE_MIN_NS  20000000u
#define REQUESTS_MIN 20u /* in a slice, for it to tell anything */

void bench_warn(struct mortise_dm_benchmark *b, const char *format, ...)
{
	char text[BENCH_WARNING_ROOM];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	for (size_t i = 0; i < b->warning_count; i++)
		if (!strcmp(b->warnings[i], text))
			return;
	if (b->warning_count < BENCH_WARNINGS_MAX)
		memcpy(b->warnings[b->warning_count++], text, sizeof(text));
}

static bool stopped(struct mortise_dm_benchmark *b)
{
	if (!b->stopped && b->options.stop && b->options.stop(b->options.context)) {
		bench_warn(b, "Stopped early: what follows was not measured.");
		b->stopped = true;
	}
	return b->stopped;
}

bool bench_over(struct mortise_dm_benchmark *b)
{
	if (stopped(b) || b->late)
		return true;
	if (bench_now() < b->end_ns)
		return false;
	bench_warn(b,
		   "The time was over with %zu measurements on %s still to come: set a longer "
		   "limit.",
		   b->turn > b->done ? b->turn - b->done : 0, mortise_dm_backing_name(b->ground));
	b->late = true;
	return true;
}

static int by_size(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Of the slices but the first, in which caches and queues fill. */
static struct mortise_spread rate_of(const struct bench_tally *tally, uint64_t duration_ns,
				     uint32_t block_size)
{
	const size_t count = BENCH_SLICES - 1, middle = count / 2;
	double slice_s = (double)duration_ns / 1e9 / BENCH_SLICES, mean;
	uint64_t sorted[BENCH_SLICES - 1], sum = 0;

	memcpy(sorted, tally->slices + 1, sizeof(sorted));
	for (size_t i = 0; i < count; i++)
		sum += sorted[i];
	/* One request more or less must not look like unsteadiness. */
	if (sum < (uint64_t)block_size * count * REQUESTS_MIN) {
		mean = (double)sum / slice_s / (double)count;
		return (struct mortise_spread){ 0, mean, mean, mean };
	}
	qsort(sorted, count, sizeof(sorted[0]), by_size);
	return (struct mortise_spread){
		.runs = (unsigned)count,
		.min = (double)sorted[0] / slice_s,
		.median = (double)sorted[middle] / slice_s,
		.p99 = (double)sorted[count - 1] / slice_s,
	};
}

/* The same requests on the ground alone. */
static double bare_rate(const struct mortise_dm_benchmark *b,
			const struct mortise_dm_measurement *m)
{
	for (size_t i = 0; i < b->results.count; i++) {
		const struct mortise_dm_measurement *other = &b->results.list[i];

		if (!other->cipher[0] && other->ground == m->ground && other->write == m->write &&
		    other->block_size == m->block_size && other->depth == m->depth &&
		    other->volumes == m->volumes)
			return other->rate.median;
	}
	return 0;
}

static enum mortise_code keep(struct mortise_dm_benchmark *b,
			      const struct mortise_dm_measurement *m, const char *driver,
			      struct mortise_error *err)
{
	size_t count = b->results.count + 1;
	struct mortise_dm_measurement *list;
	struct bench_strings *strings;

	list = reallocarray(b->results.list, count, sizeof(*list));
	if (list)
		b->results.list = list;
	strings = reallocarray(b->strings, count, sizeof(*strings));
	if (strings)
		b->strings = strings;
	if (!list || !strings)
		return error_set(err, MORTISE_E_MEMORY, ENOMEM, "Cannot keep a measurement");
	snprintf(strings[count - 1].cipher, sizeof(strings->cipher), "%s", m->cipher);
	snprintf(strings[count - 1].driver, sizeof(strings->driver), "%s", driver);
	list[count - 1] = *m;
	b->results.count = count;
	/* The array may have moved. */
	for (size_t i = 0; i < count; i++) {
		list[i].cipher = strings[i].cipher;
		list[i].driver = strings[i].driver;
	}
	return MORTISE_OK;
}

/* An equal part of what is left of this turn. */
static uint64_t next_duration(const struct mortise_dm_benchmark *b)
{
	uint64_t now = bench_now(), left = b->end_ns > now ? b->end_ns - now : 0;
	uint64_t part = left / 100 * SHARE / (b->turn > b->done ? b->turn - b->done : 1);

	if (part > CASE_MAX_NS)
		return CASE_MAX_NS;
	return part > CASE_MIN_NS ? part : CASE_MIN_NS;
}

static enum mortise_code measure(struct mortise_dm_benchmark *b, const struct bench_ground *ground,
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
		.jobs = bench_jobs(b->engine, one->depth, stack->volumes),
		.duration_ns = next_duration(b),
		.stop = b->options.stop,
		.context = b->options.context,
	};
	struct mortise_dm_measurement m = {
		.ground = ground->kind,
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
		return error_set(err, MORTISE_E_MEMORY, ENOMEM, "Cannot measure");
	code = bench_io(&job, tally, err);
	/* Half a measurement is none. */
	if (code || stopped(b))
		goto out;
	m.bytes = tally->bytes;
	m.duration_ns = tally->duration_ns;
	m.rate = rate_of(tally, job.duration_ns, m.block_size);
	m.latency_p50_ns = bench_latency_at(&tally->latency, 500);
	m.latency_p99_ns = bench_latency_at(&tally->latency, 990);
	m.latency_p999_ns = bench_latency_at(&tally->latency, 999);
	m.cpu_us = bench_meter_cpu(&tally->before, &tally->after);
	m.energy_uj = bench_meter_energy(&tally->before, &tally->after);
	if (one->cipher)
		m.bare_rate = bare_rate(b, &m);
	code = keep(b, &m, stack->driver, err);
	if (!code && b->options.measured)
		b->options.measured(b->options.context, &b->results.list[b->results.count - 1],
				    b->done + 1, b->total);
out:
	free(tally);
	return code;
}

/* All cases of plan from *at on that stand on the same mapping. */
static enum mortise_code measure_setup(struct mortise_dm_benchmark *b,
				       const struct bench_ground *ground,
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

	code = bench_stack_open(ground, &setup, &stack, &why);
	/* The cipher that was asked for must work; of the others, some will be missing. */
	if (code == MORTISE_E_KERNEL && (!b->options.cipher || first->flags)) {
		if (bench_is_declared(first->cipher))
			bench_warn(b, "%s", why.text);
		for (; *at < plan->count && bench_same_setup(first, &plan->cases[*at]); (*at)++)
			b->done++;
		return MORTISE_OK;
	}
	if (code) {
		if (err)
			*err = why;
		return code;
	}
	for (; *at < plan->count && bench_same_setup(first, &plan->cases[*at]); (*at)++) {
		if (code || bench_over(b))
			continue;
		code = measure(b, ground, &stack, &plan->cases[*at], err);
		b->done++;
	}
	bench_stack_close(&stack);
	return code;
}

enum mortise_code bench_measure(struct mortise_dm_benchmark *b, const struct bench_ground *ground,
				const struct bench_plan *plan, size_t from,
				struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;
	size_t at = from;

	if (plan->no_memory)
		return error_set(err, MORTISE_E_MEMORY, ENOMEM, "Cannot plan the measurements");
	while (!code && at < plan->count && !bench_over(b))
		code = measure_setup(b, ground, plan, &at, err);
	return code;
}
