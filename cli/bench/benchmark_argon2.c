/* SPDX-License-Identifier: MIT */
/* benchmark argon2: the time of each cost, compared with memory's limit; a recommendation. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cli/bench/benchmark.h"
#include "cli/keyslot.h"
#include "cli/print.h"

#define SAMPLES_MAX 64u
#define PASSES	    4u /* the minimum when formatting */

static const uint32_t memories[] = { 32, 65536, 262144, 1048576 }; /* KiB */
static const uint32_t all_lanes[] = { 1, 2, 4 };

#define COUNT(array) (sizeof(array) / sizeof((array)[0]))

/* Measurements of this machine or another. */
struct samples {
	struct mortise_argon2_sample list[SAMPLES_MAX];
	size_t count;
	unsigned cpus;	 /* of that machine; 0: unknown */
	uint64_t memory; /* bytes; 0: unknown */
};

static double get_later_pass(const struct mortise_spread *time, const struct mortise_spread *first,
			     uint32_t passes)
{
	if (passes < 2 || first->runs == 0 || time->median <= first->median)
		return 0;
	return (time->median - first->median) / (passes - 1);
}

/* Adds the name of the Argon2 implementation, from the output of --version. */
static void add_implementation(struct json_object *row)
{
	static const char key[] = "argon2 ";
	const char *line = mortise_features();
	char text[64];

	while (line && strncmp(line, key, sizeof(key) - 1) != 0) {
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	if (!line)
		return;
	line += sizeof(key) - 1;
	snprintf(text, sizeof(text), "%.*s", (int)strcspn(line, "\n"), line);
	benchmark_add_text(row, "implementation", text);
}

static void add_row(struct benchmark *b, const char *name, const struct mortise_kdf *kdf,
		    const struct mortise_argon2_benchmark *result)
{
	const struct benchmark_unit share = { "1", BETTER_HIGHER }, factor = { "1", BETTER_LOWER };
	const struct benchmark_unit flow = { "B/s", BETTER_HIGHER };
	const struct benchmark_unit rate = { "1/s", BETTER_NEITHER };
	struct json_object *row = benchmark_add_row(b, name);
	double later = get_later_pass(&result->time, &result->first_pass, kdf->time);
	double limit = get_later_pass(&result->limit, &result->limit_first_pass, kdf->time);

	benchmark_add_cost(row, kdf);
	add_implementation(row);
	benchmark_add_metric(row, "time", benchmark_unit_ms, &result->time);
	benchmark_add_metric(row, "firstPass", benchmark_unit_ms, &result->first_pass);
	benchmark_add_metric(row, "limit", benchmark_unit_ms, &result->limit);
	benchmark_add_metric(row, "limitFirstPass", benchmark_unit_ms, &result->limit_first_pass);
	benchmark_add_value(row, "shareOfLimit", share, result->limit.median / result->time.median);
	if (later > 0 && limit > 0) {
		benchmark_add_value(row, "laterPass", benchmark_unit_ms, later);
		benchmark_add_value(row, "laterPassToLimit", factor, later / limit);
	}
	benchmark_add_value(row, "cpu", benchmark_unit_ms, result->cpu_ms);
	benchmark_add_value(row, "bandwidth", flow, result->bandwidth);
	benchmark_add_value(row, "guesses", rate, result->guesses);
}

static void print_line(struct benchmark *b, const struct mortise_kdf *kdf,
		       const struct mortise_argon2_benchmark *result)
{
	benchmark_print(b, "%9u %6u %5u %10.2f %10.2f %10.2f %4u %7.2f %7.0f%% %11.4g\n",
			kdf->memory_kib, kdf->time, kdf->lanes, result->time.median,
			result->time.min, result->time.p99, result->time.runs,
			result->bandwidth / 1e9, 100 * result->limit.median / result->time.median,
			result->guesses);
}

/* Skips a cost that does not fit into memory, with the library's error as a warning. */
static enum mortise_code measure_cost(struct benchmark *b, const struct mortise_kdf *kdf,
				      unsigned left, struct samples *samples)
{
	const struct mortise_benchmark how = benchmark_limits(b, left);
	struct mortise_argon2_benchmark result = { .struct_size = sizeof(result) };
	struct mortise_error err;
	enum mortise_code code;
	char name[80];

	snprintf(name, sizeof(name), "argon2/%s m=%u t=%u p=%u", mortise_kdf_name(kdf->type),
		 kdf->memory_kib, kdf->time, kdf->lanes);
	code = mortise_benchmark_argon2(kdf, &how, &result, &err);
	if (code) {
		benchmark_warn(b, "%s", err.text);
		return code == MORTISE_E_MEMORY ? MORTISE_OK : code;
	}
	print_line(b, kdf, &result);
	add_row(b, name, kdf, &result);
	benchmark_check_noise(b, name, &result.time);
	if (samples->count < SAMPLES_MAX)
		samples->list[samples->count++] = (struct mortise_argon2_sample){
			.kdf = *kdf,
			.time_ms = result.time.median,
			.first_pass_ms = result.first_pass.median,
		};
	return MORTISE_OK;
}

/* Lists the costs to measure: the values of the options, or else the default ones. */
static unsigned list_costs(const struct benchmark *b, const struct mortise_kdf_choice *asked,
			   struct mortise_kdf *costs)
{
	const uint32_t cap = mortise_argon2_memory_cap();
	unsigned count = 0;

	for (size_t m = 0; m < COUNT(memories); m++) {
		uint32_t memory = asked->memory_kib > 0 ? asked->memory_kib : memories[m];

		if (memory > cap && asked->memory_kib == 0)
			memory = m > 0 && memories[m - 1] < cap ? cap : 0;
		for (size_t l = 0; l < COUNT(all_lanes); l++) {
			uint32_t lanes = asked->lanes > 0 ? asked->lanes : all_lanes[l];

			if (memory / 8 >= lanes)
				costs[count++] = (struct mortise_kdf){
					.type = asked->type,
					.time = option_set(&b->c->options,
							   OPTION_PBKDF_FORCE_ITERATIONS)
							? asked->forced_time
							: PASSES,
					.memory_kib = memory,
					.lanes = lanes,
				};
			if (asked->lanes > 0)
				break;
		}
		if (asked->memory_kib > 0)
			break;
	}
	return count;
}

static enum status measure_all(struct benchmark *b, const struct mortise_kdf_choice *asked,
			       struct samples *samples)
{
	struct mortise_kdf costs[COUNT(memories) * COUNT(all_lanes)];
	unsigned count = list_costs(b, asked, costs);

	benchmark_print(b, "# %s on %s, %u CPUs\n", mortise_kdf_name(asked->type),
			b->machine.cpu[0] ? b->machine.cpu : b->machine.architecture,
			b->machine.cpus);
	benchmark_print(b, "#     KiB passes lanes  median ms     min ms     p99 ms runs    GB/s "
			   "of limit guesses/s\n");
	for (unsigned i = 0; i < count; i++) {
		if (i > 0 && benchmark_is_over(b, "a larger argon2 cost"))
			break;
		if (measure_cost(b, &costs[i], count - i, samples))
			return STATUS_USAGE;
	}
	samples->cpus = b->machine.cpus;
	samples->memory = b->machine.memory;
	return STATUS_OK;
}

static uint64_t read_number(struct json_object *object, const char *name)
{
	struct json_object *number = json_object_object_get(object, name);

	return json_object_is_type(number, json_type_int) ? json_object_get_uint64(number) : 0;
}

static double read_median(struct json_object *metrics, const char *name)
{
	struct mortise_spread spread;

	return benchmark_read_metric(json_object_object_get(metrics, name), &spread) ? spread.median
										     : 0;
}

/* Adds a row of a result file to the samples. Skips rows of other benchmarks. */
static void add_sample(struct samples *samples, struct json_object *row)
{
	struct json_object *parameters = json_object_object_get(row, "parameters");
	struct json_object *metrics = json_object_object_get(row, "metrics");
	const char *name = json_object_get_string(json_object_object_get(row, "name"));
	const char *type = json_object_get_string(json_object_object_get(parameters, "type"));
	struct mortise_argon2_sample sample = { 0 };

	if (!name || !type || strncmp(name, "argon2/", 7) != 0 || samples->count == SAMPLES_MAX)
		return;
	if (strcmp(type, mortise_kdf_name(MORTISE_KDF_ARGON2I)) == 0)
		sample.kdf.type = MORTISE_KDF_ARGON2I;
	sample.kdf.time = (uint32_t)read_number(parameters, "passes");
	sample.kdf.memory_kib = (uint32_t)read_number(parameters, "memoryKiB");
	sample.kdf.lanes = (uint32_t)read_number(parameters, "lanes");
	sample.time_ms = read_median(metrics, "time");
	sample.first_pass_ms = read_median(metrics, "firstPass");
	samples->list[samples->count++] = sample;
}

static enum status read_samples(const char *path, struct samples *samples)
{
	struct json_object *document = benchmark_read_file(path);
	struct json_object *rows, *machine;

	if (!document)
		return STATUS_USAGE;
	rows = json_object_object_get(document, "results");
	machine = json_object_object_get(document, "machine");
	for (size_t i = 0; i < json_object_array_length(rows); i++)
		add_sample(samples, json_object_array_get_idx(rows, i));
	samples->cpus = (unsigned)read_number(machine, "cpus");
	samples->memory = read_number(machine, "memory");
	json_object_put(document);
	return STATUS_OK;
}

/* At most half of the memory, as in luksFormat. */
static uint32_t get_memory_limit(const struct benchmark *b, const struct samples *samples)
{
	uint64_t bytes = option_number(&b->c->options, OPTION_TARGET_MEMORY);
	uint64_t kib = bytes > 0 ? bytes / 1024 : 1048576;

	if (samples->memory > 0 && kib > samples->memory / 2048)
		kib = samples->memory / 2048;
	return kib < UINT32_MAX ? (uint32_t)kib : UINT32_MAX;
}

static enum status recommend_cost(struct benchmark *b, enum mortise_kdf_type type,
				  const struct samples *samples)
{
	const struct mortise_argon2_target target = {
		.struct_size = sizeof(target),
		.type = type,
		.time_ms = option_number32(&b->c->options, OPTION_TARGET_MS),
		.memory_kib = get_memory_limit(b, samples),
		.cpus = samples->cpus,
	};
	struct mortise_error err;
	struct mortise_kdf kdf;
	char options[160], reason[160];
	double ms = 0;

	if (mortise_argon2_choose(samples->list, samples->count, &target, &kdf, &ms, &err)) {
		/* This is an error only if a target was given. */
		if (target.time_ms > 0 || option_set(&b->c->options, OPTION_SCALE))
			return fail(b->c, &err);
		benchmark_warn(b, "%s", err.text);
		return STATUS_OK;
	}
	benchmark_format_options(&kdf, options, sizeof(options));
	snprintf(reason, sizeof(reason),
		 "an unlock takes about %.0f ms (target: %u) and %u MiB (limit: %u)", ms,
		 target.time_ms > 0 ? target.time_ms : 2000, (kdf.memory_kib + 1023) / 1024,
		 target.memory_kib / 1024);
	benchmark_recommend(b, "passphrase keyslots", options, reason);
	return STATUS_OK;
}

enum status benchmark_argon2(struct benchmark *b)
{
	const char *scale = option_text(&b->c->options, OPTION_SCALE);
	struct mortise_keyslot_new keyslot;
	struct mortise_kdf_choice asked;
	struct samples samples = { 0 };
	enum status status;

	status = keyslot_describe(b->c, &keyslot, &asked);
	if (status != STATUS_OK)
		return status;
	if (asked.type == MORTISE_KDF_PBKDF2)
		return fail_with(STATUS_USAGE, "benchmark argon2 does not measure PBKDF2; use "
					       "\"benchmark --pbkdf pbkdf2\"");
	if (scale)
		status = read_samples(scale, &samples);
	else
		status = measure_all(b, &asked, &samples);
	if (status == STATUS_OK && samples.count > 0)
		status = recommend_cost(b, asked.type, &samples);
	else if (status == STATUS_OK && scale)
		status = fail_with(STATUS_USAGE, "%s has no results of benchmark argon2", scale);
	return status;
}
