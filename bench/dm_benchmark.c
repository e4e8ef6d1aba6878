/* SPDX-License-Identifier: MIT */
/* A run: ground by ground, within its time. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/machine.h"
#include "base/sized.h"
#include "bench/dm_benchmark.h"

#define LIMIT_MS       120000u
#define LIMIT_QUICK_MS 10000u
#define MEMORY_MAX     (16u << 20) /* bytes of requests under way */
#define MEMORY_MIN     (1u << 20)

const char *mortise_dm_backing_name(enum mortise_dm_backing ground)
{
	static const char *const names[] = {
		[MORTISE_DM_ZERO] = "zero",
		[MORTISE_DM_RAM] = "ram",
		[MORTISE_DM_DEVICE] = "device",
	};

	return names[ground];
}

static struct bench_scope scope_of(const struct mortise_dm_benchmark *b, bool writes)
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

static enum mortise_code measure_ground(struct mortise_dm_benchmark *b,
					const struct bench_ground *ground,
					struct mortise_error *err)
{
	struct bench_scope scope = scope_of(b, ground->writable);
	struct bench_cipher cipher = scope.only;
	struct bench_plan plan = { 0 };
	uint32_t sector_size = 4096;
	enum mortise_code code;
	size_t first;

	bench_plan_ciphers(&plan, &scope);
	code = bench_measure(b, ground, &plan, 0, err);
	if (code || bench_over(b))
		goto out;
	if (!bench_choose_cipher(&b->results, ground->kind, &cipher, &sector_size) &&
	    !scope.only.name)
		goto out;
	if (scope.only.name)
		cipher = scope.only;
	/* What the first part has measured does not come again. */
	first = plan.count;
	bench_plan_options(&plan, &scope, &cipher, sector_size);
	code = bench_measure(b, ground, &plan, first, err);
out:
	bench_plan_clear(&plan);
	return code;
}

/* How many measurements a ground takes, whichever cipher will be chosen. */
static size_t count_cases(const struct mortise_dm_benchmark *b, bool writes)
{
	struct bench_scope scope = scope_of(b, writes);
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

static uint64_t limit_ns(const struct mortise_dm_benchmark *b)
{
	uint64_t limit_ms = LIMIT_MS;

	if (b->options.time_limit_ms)
		limit_ms = b->options.time_limit_ms;
	else if (b->options.quick)
		limit_ms = LIMIT_QUICK_MS;
	return limit_ms * 1000000;
}

/* What is measured on; the device that was named comes first, it matters most. */
struct grounds {
	struct bench_ground list[3];
	size_t count;
};

/* Grounds that this machine may lack become warnings; the device that was named must work. */
static enum mortise_code open_grounds(struct mortise_dm_benchmark *b, struct grounds *grounds,
				      struct mortise_error *err)
{
	const uint64_t memory = machine_available(&machine_files);
	struct mortise_error why = { 0 };
	enum mortise_code code;

	if (b->options.device) {
		code = bench_device_open(b->control, b->options.device, b->options.destroy_data,
					 &grounds->list[0], err);
		if (code)
			return code;
		grounds->count++;
	}
	if (!bench_zero_open(b->control, &grounds->list[grounds->count], &why))
		grounds->count++;
	else
		bench_warn(b, "%s", why.text);
	if (!bench_ram_open(b->control, memory, &grounds->list[grounds->count], &why))
		grounds->count++;
	else
		bench_warn(b, "%s", why.text);
	return grounds->count
		       ? MORTISE_OK
		       : error_set(err, MORTISE_E_KERNEL, 0,
				   "There is nothing to measure on: neither dm-zero nor a RAM "
				   "disk, and no --device was given.");
}

static void close_grounds(struct mortise_dm_benchmark *b, struct grounds *grounds)
{
	for (size_t i = 0; i < grounds->count; i++)
		if (grounds->list[i].kind != MORTISE_DM_RAM)
			bench_ground_close(&grounds->list[i]);
	/* A RAM disk cannot be wiped or unloaded while a mapping stands on it. */
	bench_settle(b->control);
	for (size_t i = 0; i < grounds->count; i++)
		if (grounds->list[i].kind == MORTISE_DM_RAM)
			bench_ground_close(&grounds->list[i]);
}

/* In turn, each with an equal part of the time that is left: none may cost another its turn. */
static enum mortise_code measure_all(struct mortise_dm_benchmark *b, struct mortise_error *err)
{
	struct grounds grounds = { .count = 0 };
	enum mortise_code code = open_grounds(b, &grounds, err);
	uint64_t end = bench_now() + limit_ns(b), now;

	for (size_t i = 0; !code && i < grounds.count; i++)
		b->total += count_cases(b, grounds.list[i].writable);
	for (size_t i = 0; !code && i < grounds.count && !b->stopped; i++) {
		now = bench_now();
		b->ground = grounds.list[i].kind;
		b->end_ns = now < end ? now + (end - now) / (grounds.count - i) : now;
		b->turn = b->done + count_cases(b, grounds.list[i].writable);
		b->late = false;
		code = measure_ground(b, &grounds.list[i], err);
		b->done = b->turn;
	}
	close_grounds(b, &grounds);
	return code;
}

/* What makes figures worth less. */
static void judge(struct mortise_dm_benchmark *b)
{
	struct mortise_machine machine = { .struct_size = sizeof(machine) };
	size_t unsteady = 0;

	(void)mortise_benchmark_machine(&machine, NULL);
	if (machine.governor[0] && strcmp(machine.governor, "performance") != 0)
		bench_warn(b,
			   "The clock frequency is governed by \"%s\": set \"performance\" "
			   "for figures that can be compared.",
			   machine.governor);
	for (size_t i = 0; i < b->results.count; i++)
		unsteady += mortise_spread_is_noisy(&b->results.list[i].rate) &&
			    b->results.list[i].rate.runs > 0;
	if (unsteady > b->results.count / 4)
		bench_warn(b,
			   "%zu of %zu measurements vary too much within themselves: the "
			   "machine is busy or the time too short, and small differences mean "
			   "nothing.",
			   unsteady, b->results.count);
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
		return error_set(err, MORTISE_E_MEMORY, ENOMEM, "Cannot measure dm-crypt");
	b->engine = bench_engine();
	code = options ? sized_input(SIZED(mortise_dm_benchmark_options), &b->options, options, err)
		       : MORTISE_OK;
	if (!code)
		code = dm_open(&b->control, err);
	if (!code)
		code = dm_target_version(b->control, "crypt", version, err);
	if (!code)
		code = measure_all(b, err);
	dm_close(b->control);
	b->control = NULL;
	if (code) {
		mortise_dm_benchmark_free(&b);
		return code;
	}
	judge(b);
	b->advised = bench_advise(&b->results, &b->advice, b->reason);
	*out = b;
	return MORTISE_OK;
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
