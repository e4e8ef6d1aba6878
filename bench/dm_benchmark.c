/* SPDX-License-Identifier: MIT */
/* A run: one backing device after the other, within the time limit. */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/error.h"
#include "base/machine.h"
#include "base/sized.h"
#include "bench/dm_benchmark_advice.h"
#include "bench/dm_benchmark_io.h"
#include "bench/dm_benchmark_measure.h"
#include "bench/dm_benchmark_temporary.h"

#define LIMIT_MS       120000u
#define LIMIT_QUICK_MS 10000u
#define MEMORY_MAX     (16u << 20) /* bytes of requests in flight */
#define MEMORY_MIN     (1u << 20)

static struct bench_scope make_scope(const struct mortise_dm_benchmark *b, bool writes)
{
	uint64_t memory = machine_available(&machine_files) / 16;
	const char *cipher = b->options.cipher;
	struct bench_scope scope = {
		.quick = b->options.quick,
		.writes = writes,
		.bytes_max = memory > MEMORY_MAX   ? MEMORY_MAX
			     : memory < MEMORY_MIN ? MEMORY_MIN
						   : (uint32_t)memory,
	};

	if (cipher)
		scope.only = (struct bench_cipher){
			.name = cipher,
			.key_size = b->options.key_size	    ? b->options.key_size
				    : strstr(cipher, "xts") ? 64
							    : 32,
		};
	return scope;
}

static enum mortise_code measure_backing(struct mortise_dm_benchmark *b,
					 const struct bench_backing *backing,
					 struct mortise_error *err)
{
	struct bench_scope scope = make_scope(b, backing->writable);
	struct bench_cipher cipher = scope.only;
	struct bench_plan plan = { 0 };
	uint32_t sector_size = 4096;
	enum mortise_code code;
	size_t first;

	bench_plan_ciphers(&plan, &scope);
	code = bench_measure_plan(b, backing, &plan, 0, err);
	if (code || bench_is_over(b))
		goto out;
	if (!bench_choose_cipher(&b->results, backing->kind, &cipher, &sector_size) &&
	    !scope.only.name)
		goto out;
	if (scope.only.name)
		cipher = scope.only;
	/* The second part of the plan does not repeat measurements of the first. */
	first = plan.count;
	bench_plan_options(&plan, &scope, &cipher, sector_size);
	code = bench_measure_plan(b, backing, &plan, first, err);
out:
	bench_plan_clear(&plan);
	return code;
}

/* The number of measurements on a backing device; it does not depend on the chosen cipher. */
static size_t count_cases(const struct mortise_dm_benchmark *b, bool writes)
{
	struct bench_scope scope = make_scope(b, writes);
	struct bench_cipher any = scope.only;
	struct bench_plan plan = { 0 };
	size_t count;

	if (!any.name)
		(void)bench_cipher(0, &any);
	bench_plan_ciphers(&plan, &scope);
	bench_plan_options(&plan, &scope, &any, 4096);
	count = plan.count;
	bench_plan_clear(&plan);
	return count;
}

static uint64_t get_limit_ns(const struct mortise_dm_benchmark *b)
{
	uint64_t limit_ms = LIMIT_MS;

	if (b->options.time_limit_ms)
		limit_ms = b->options.time_limit_ms;
	else if (b->options.quick)
		limit_ms = LIMIT_QUICK_MS;
	return limit_ms * 1000000;
}

/* The given device comes first, because it matters most. */
struct backings {
	struct bench_backing list[3];
	size_t count;
};

/* The given device must work. Other backing devices that this machine lacks become warnings. */
static enum mortise_code open_backings(struct mortise_dm_benchmark *b, struct backings *backings,
				       struct mortise_error *err)
{
	const uint64_t memory = machine_available(&machine_files);
	struct mortise_error why = { 0 };
	enum mortise_code code;

	if (b->options.device) {
		code = bench_device_open(b->control, b->options.device, b->options.destroy_data,
					 &backings->list[0], err);
		if (code)
			return code;
		backings->count++;
	}
	if (!bench_zero_open(b->control, &backings->list[backings->count], &why))
		backings->count++;
	else
		bench_warn(b, "%s", why.text);
	if (!bench_ram_open(b->control, memory, &backings->list[backings->count], &why))
		backings->count++;
	else
		bench_warn(b, "%s", why.text);
	return backings->count ? MORTISE_OK
			       : error_set(err, MORTISE_E_KERNEL, 0,
					   "neither dm-zero nor a RAM disk is available; use "
					   "--device to measure a block device");
}

static void close_backings(struct mortise_dm_benchmark *b, struct backings *backings)
{
	for (size_t i = 0; i < backings->count; i++)
		if (backings->list[i].kind != MORTISE_DM_RAM)
			bench_backing_close(&backings->list[i]);
	/* A RAM disk can be wiped or unloaded only after its last mapping was removed. */
	bench_temporary_wait(b->control);
	for (size_t i = 0; i < backings->count; i++)
		if (backings->list[i].kind == MORTISE_DM_RAM)
			bench_backing_close(&backings->list[i]);
}

/* Gives each backing device an equal part of the remaining time. */
static enum mortise_code measure_backings(struct mortise_dm_benchmark *b, struct mortise_error *err)
{
	struct backings backings = { .count = 0 };
	enum mortise_code code = open_backings(b, &backings, err);
	uint64_t end = clock_now_ns() + get_limit_ns(b), now;

	if (code)
		goto out;
	for (size_t i = 0; i < backings.count; i++)
		b->total += count_cases(b, backings.list[i].writable);
	for (size_t i = 0; i < backings.count && !b->stopped; i++) {
		now = clock_now_ns();
		b->backing = backings.list[i].kind;
		b->end_ns = now < end ? now + (end - now) / (backings.count - i) : now;
		b->backing_done = b->done + count_cases(b, backings.list[i].writable);
		b->late = false;
		code = measure_backing(b, &backings.list[i], err);
		if (code)
			goto out;
		b->done = b->backing_done;
	}
out:
	close_backings(b, &backings);
	return code;
}

/* Adds the warnings that concern all results. */
static void warn_about_noise(struct mortise_dm_benchmark *b)
{
	struct mortise_machine machine = { .struct_size = sizeof(machine) };
	size_t noisy = 0;

	(void)mortise_benchmark_machine(&machine, NULL);
	if (machine.governor[0] && strcmp(machine.governor, "performance") != 0)
		bench_warn(b,
			   "the CPU frequency governor is \"%s\"; set \"performance\" for "
			   "comparable results",
			   machine.governor);
	for (size_t i = 0; i < b->results.count; i++)
		noisy += mortise_spread_is_noisy(&b->results.list[i].rate) &&
			 b->results.list[i].rate.runs > 0;
	if (noisy > b->results.count / 4)
		bench_warn(b,
			   "%zu of %zu measurements are noisy, so small differences mean nothing; "
			   "stop other load, or set a longer limit",
			   noisy, b->results.count);
}

enum mortise_code mortise_dm_benchmark_run(const struct mortise_dm_benchmark_options *options,
					   struct mortise_dm_benchmark **out,
					   struct mortise_error *err)
{
	struct mortise_dm_benchmark *b = calloc(1, sizeof(*b));
	uint32_t version[3];
	enum mortise_code code;

	*out = NULL;
	if (!b)
		return error_memory(err);
	b->engine = bench_engine_choose();
	if (options) {
		code = sized_input(SIZED(mortise_dm_benchmark_options), &b->options, options, err);
		if (code)
			goto out;
	}
	code = dm_open(&b->control, err);
	if (code)
		goto out;
	code = dm_target_version(b->control, "crypt", version, err);
	if (code)
		goto out;
	code = measure_backings(b, err);
	if (code)
		goto out;
	warn_about_noise(b);
	b->advised = bench_advise(&b->results, &b->advice, b->reason);
	*out = b;
out:
	dm_close(b->control);
	b->control = NULL;
	if (code)
		mortise_dm_benchmark_free(&b);
	return code;
}

void mortise_dm_benchmark_free(struct mortise_dm_benchmark **address)
{
	struct mortise_dm_benchmark *benchmark = address ? *address : NULL;

	if (!benchmark)
		return;
	*address = NULL;
	free(benchmark->results.list);
	free(benchmark->strings);
	free(benchmark);
}

const struct mortise_dm_measurement *
mortise_dm_benchmark_measurement(const struct mortise_dm_benchmark *benchmark, size_t i)
{
	return i < benchmark->results.count ? &benchmark->results.list[i] : NULL;
}

const char *mortise_dm_benchmark_warning(const struct mortise_dm_benchmark *benchmark, size_t i)
{
	return i < benchmark->warning_count ? benchmark->warnings[i] : NULL;
}

const char *mortise_dm_benchmark_engine(const struct mortise_dm_benchmark *benchmark)
{
	return benchmark->engine == BENCH_URING ? "io_uring" : "threads";
}

const struct mortise_dm_advice *
mortise_dm_benchmark_advice(const struct mortise_dm_benchmark *benchmark)
{
	return benchmark->advised ? &benchmark->advice : NULL;
}
