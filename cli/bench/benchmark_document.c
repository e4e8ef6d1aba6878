/* SPDX-License-Identifier: MIT */
/* The document of a benchmark: machine, rows and figures (bench/schema/result.json). */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cli/bench/benchmark.h"
#include "cli/declared/json.h"
#include "cli/print.h"
#include "cli/signals.h"

const struct benchmark_unit benchmark_unit_ms = { "ms", BETTER_LOWER };

static bool show_run(void *context, const struct mortise_event *event)
{
	if (event->type == MORTISE_EVENT_PROGRESS)
		return progress_tell(context, event->text, (unsigned)event->done,
				     (unsigned)event->total);
	return !signals_caught();
}

void benchmark_begin(struct benchmark *b, const struct command *c, const char *name)
{
	time_t now = time(NULL);
	struct tm utc;

	*b = (struct benchmark){
		.c = c,
		.name = name,
		.json = option_set(&c->options, OPTION_JSON),
		.words = c->words,
		.results = json_object_new_array(),
		.warnings = json_object_new_array(),
	};
	if (c->word_count > 1) {
		b->words = c->words + 1;
		b->word_count = c->word_count - 1;
	}
	if (gmtime_r(&now, &utc))
		strftime(b->started, sizeof(b->started), "%Y-%m-%dT%H:%M:%SZ", &utc);
	b->machine.struct_size = sizeof(b->machine);
	(void)mortise_benchmark_machine(&b->machine, NULL);
	progress_begin(&b->progress);
	b->events = (struct mortise_events){ .call = show_run, .context = &b->progress };
}

/* No figure is more precise than six digits. */
static struct json_object *new_double(double value)
{
	char text[32];

	snprintf(text, sizeof(text), "%.6g", value);
	return json_object_new_double_s(value, text);
}

static void add_number(struct json_object *object, const char *name, uint64_t number)
{
	json_object_object_add(object, name, json_object_new_uint64(number));
}

static struct json_object *machine_json(const struct mortise_machine *machine)
{
	struct json_object *object = json_object_new_object();

	json_add_text(object, "model", machine->model);
	json_add_text(object, "kernel", machine->kernel);
	json_add_text(object, "architecture", machine->architecture);
	json_add_text(object, "cpu", machine->cpu);
	json_add_text(object, "cpuFeatures", machine->cpu_features);
	add_number(object, "cpus", machine->cpus);
	add_number(object, "memory", machine->memory);
	add_number(object, "memoryAvailable", machine->memory_available);
	json_object_object_add(object, "swap", json_object_new_boolean(machine->swap));
	json_add_text(object, "governor", machine->governor);
	json_add_text(object, "hugePages", machine->huge_pages);
	json_object_object_add(object, "virtualMachine",
			       json_object_new_boolean(machine->virtual_machine));
	json_add_text(object, "emulator", machine->emulator);
	return object;
}

static enum status print_document(struct benchmark *b)
{
	struct json_object *document = json_object_new_object();

	json_add_text(document, "mortise", MORTISE_VERSION);
	json_add_text(document, "benchmark", b->name);
	json_object_object_add(document, "machine", machine_json(&b->machine));
	json_add_text(document, "started", b->started);
	json_object_object_add(document, "seconds",
			       new_double((double)progress_elapsed_ms(&b->progress) / 1000));
	json_object_object_add(document, "results", json_object_get(b->results));
	if (b->recommendation)
		json_object_object_add(document, "recommendation",
				       json_object_get(b->recommendation));
	json_object_object_add(document, "warnings", json_object_get(b->warnings));
	return json_print(document);
}

static void print_warnings(const struct benchmark *b)
{
	fflush(stdout);
	for (size_t i = 0; i < json_object_array_length(b->warnings); i++)
		print_to(stderr, "Warning: %s\n",
			 json_object_get_string(json_object_array_get_idx(b->warnings, i)));
}

enum status benchmark_finish(struct benchmark *b, enum status status)
{
	enum status printed = STATUS_OK;

	progress_clear(&b->progress);
	if (b->machine.emulator[0] && json_object_array_length(b->results) > 0 &&
	    !b->c->as_cryptsetup)
		benchmark_warn(b, "this machine is emulated by %s: times mean nothing",
			       b->machine.emulator);
	if (!b->json)
		print_warnings(b);
	else if (status == STATUS_OK || json_object_array_length(b->results) > 0)
		printed = print_document(b);
	json_object_put(b->results);
	json_object_put(b->warnings);
	json_object_put(b->recommendation);
	return status == STATUS_OK ? printed : status;
}

struct mortise_benchmark benchmark_limits(struct benchmark *b, unsigned left)
{
	uint64_t now = progress_elapsed_ms(&b->progress);
	struct mortise_benchmark how = {
		.struct_size = sizeof(how),
		/* 0 would be the default limit. With 1, only the first run is made. */
		.time_limit_ms = 1,
		.runs = option_number32(&b->c->options, OPTION_RUNS),
		.events = &b->events,
	};

	if (b->end_ms > now + left)
		how.time_limit_ms = (uint32_t)((b->end_ms - now) / left);
	return how;
}

bool benchmark_is_over(struct benchmark *b, const char *next)
{
	if (signals_caught())
		return true;
	if (progress_elapsed_ms(&b->progress) < b->end_ms)
		return false;
	benchmark_warn(b, "time limit reached: skipped %s and the measurements after it", next);
	return true;
}

void benchmark_print(struct benchmark *b, const char *format, ...)
{
	va_list arguments;

	if (b->json)
		return;
	progress_clear(&b->progress);
	va_start(arguments, format);
	vprint_to(stdout, format, arguments);
	va_end(arguments);
	fflush(stdout);
}

void benchmark_warn(struct benchmark *b, const char *format, ...)
{
	char text[512];
	va_list arguments;

	va_start(arguments, format);
	vsnprintf(text, sizeof(text), format, arguments);
	va_end(arguments);
	json_object_array_add(b->warnings, json_object_new_string(text));
}

void benchmark_check_noise(struct benchmark *b, const char *name,
			   const struct mortise_spread *spread)
{
	if (!mortise_spread_is_noisy(spread))
		return;
	if (spread->runs < 3)
		benchmark_warn(b, "%s: fewer than 3 runs (%u); the spread is unknown", name,
			       spread->runs);
	else
		benchmark_warn(b,
			       "%s: the runs are noisy (min %.3g, median %.3g, p99 %.3g); stop "
			       "other load and repeat the benchmark",
			       name, spread->min, spread->median, spread->p99);
}

struct json_object *benchmark_add_row(struct benchmark *b, const char *name)
{
	struct json_object *row = json_object_new_object();

	json_add_text(row, "name", name);
	json_object_object_add(row, "parameters", json_object_new_object());
	json_object_object_add(row, "metrics", json_object_new_object());
	json_object_array_add(b->results, row);
	return row;
}

void benchmark_add_text(struct json_object *row, const char *name, const char *text)
{
	json_add_text(json_object_object_get(row, "parameters"), name, text);
}

void benchmark_add_number(struct json_object *row, const char *name, uint64_t number)
{
	add_number(json_object_object_get(row, "parameters"), name, number);
}

void benchmark_add_cost(struct json_object *row, const struct mortise_kdf *kdf)
{
	benchmark_add_text(row, "type", mortise_kdf_name(kdf->type));
	if (kdf->type == MORTISE_KDF_PBKDF2) {
		benchmark_add_text(row, "hash", kdf->hash);
		benchmark_add_number(row, "iterations", kdf->time);
		return;
	}
	benchmark_add_number(row, "memoryKiB", kdf->memory_kib);
	benchmark_add_number(row, "passes", kdf->time);
	benchmark_add_number(row, "lanes", kdf->lanes);
}

static struct json_object *new_metric(struct json_object *row, const char *name,
				      struct benchmark_unit unit)
{
	static const char *const better[] = {
		[BETTER_LOWER] = "lower",
		[BETTER_HIGHER] = "higher",
		[BETTER_NEITHER] = "neither",
	};
	struct json_object *metric = json_object_new_object();

	json_add_text(metric, "unit", unit.unit);
	json_add_text(metric, "better", better[unit.better]);
	json_object_object_add(json_object_object_get(row, "metrics"), name, metric);
	return metric;
}

void benchmark_add_metric(struct json_object *row, const char *name, struct benchmark_unit unit,
			  const struct mortise_spread *spread)
{
	struct json_object *metric;

	if (spread->runs == 0)
		return;
	metric = new_metric(row, name, unit);
	add_number(metric, "runs", spread->runs);
	json_object_object_add(metric, "min", new_double(spread->min));
	json_object_object_add(metric, "median", new_double(spread->median));
	json_object_object_add(metric, "p99", new_double(spread->p99));
}

void benchmark_add_value(struct json_object *row, const char *name, struct benchmark_unit unit,
			 double value)
{
	json_object_object_add(new_metric(row, name, unit), "value", new_double(value));
}

void benchmark_recommend(struct benchmark *b, const char *purpose, const char *options,
			 const char *reason)
{
	struct json_object *entry = json_object_new_object();

	if (!b->recommendation)
		b->recommendation = json_object_new_array();
	json_add_text(entry, "purpose", purpose);
	json_add_text(entry, "options", options);
	json_add_text(entry, "reason", reason);
	json_object_array_add(b->recommendation, entry);
	benchmark_print(b, "# %s: %s\n", purpose, reason);
	if (!b->json)
		print_lines(stdout, options);
	benchmark_print(b, "\n");
}

void benchmark_format_options(const struct mortise_kdf *kdf, char *text, size_t room)
{
	snprintf(text, room,
		 "--pbkdf %s --pbkdf-force-iterations %u --pbkdf-memory %u --pbkdf-parallel %u",
		 mortise_kdf_name(kdf->type), kdf->time, kdf->memory_kib, kdf->lanes);
}
