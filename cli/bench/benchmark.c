/* SPDX-License-Identifier: MIT */
/* The verb benchmark: the list of benchmarks, and running one or all of them. */
#include <string.h>

#include "cli/bench/benchmark.h"
#include "cli/print.h"
#include "cli/signals.h"
#include "cli/verbs.h"

#define TIME_LIMIT_MAX 86400u /* s */

static const struct subject {
	const char *name;
	enum status (*run)(struct benchmark *b);
	uint32_t seconds; /* default time limit */
	bool device;	  /* requires a device, and is skipped by "all" without one */
} subjects[] = {
	{ "table", benchmark_table, 60, false },	{ "argon2", benchmark_argon2, 90, false },
	{ "keyslot", benchmark_keyslot, 30, false },	{ "unlock", benchmark_unlock, 60, true },
	{ "dm-crypt", benchmark_dm_crypt, 120, false },
};

#define SUBJECTS (sizeof(subjects) / sizeof(subjects[0]))

static const struct subject *find_subject(const char *name)
{
	for (size_t i = 0; i < SUBJECTS; i++) {
		if (strcmp(subjects[i].name, name) == 0)
			return &subjects[i];
	}
	return NULL;
}

/* The benchmark verb of cryptsetup takes no arguments, and ignores any. */
static const char *subject_name(const struct command *c)
{
	return c->as_cryptsetup || c->word_count == 0 ? "table" : c->words[0];
}

static bool is_all(const struct command *c)
{
	return strcmp(subject_name(c), "all") == 0;
}

static const char *check_words(const struct command *c)
{
	const struct subject *subject = find_subject(subject_name(c));
	const char *message = check_benchmark_dm_crypt(c);

	if (message)
		return message;
	if (is_all(c))
		return c->word_count > 2 ? "benchmark all takes at most one device" : NULL;
	if (!subject)
		return "unknown benchmark; use argon2, keyslot, unlock, dm-crypt or all";
	if (subject->device && c->word_count != 2)
		return "benchmark unlock: requires <device> as arguments";
	if (!subject->device && c->word_count > 1)
		return "only benchmark unlock and benchmark all take a device";
	return NULL;
}

/* Options that cryptsetup's benchmark does not have. */
static const char *check_as_cryptsetup(const struct options *options)
{
	if (option_set(options, OPTION_PBKDF_FORCE_ITERATIONS))
		return "Option --pbkdf-force-iterations is not allowed with benchmark action.";
	if (option_set(options, OPTION_KEY_SLOT))
		return "Option --key-slot is not allowed with benchmark action.";
	return NULL;
}

const char *check_benchmark(const struct command *c)
{
	const struct options *options = &c->options;
	const uint64_t runs = option_number(options, OPTION_RUNS);
	const uint64_t seconds = option_number(options, OPTION_TIME_LIMIT);

	if (c->as_cryptsetup)
		return check_as_cryptsetup(options);
	if (option_set(options, OPTION_RUNS) && (runs == 0 || runs > MORTISE_BENCHMARK_RUNS_MAX))
		return "--runs must be 1 to 256";
	if (option_set(options, OPTION_TIME_LIMIT) && (seconds == 0 || seconds > TIME_LIMIT_MAX))
		return "--time-limit must be 1 to 86400 seconds";
	if (option_set(options, OPTION_COMPARE))
		return c->word_count == 2 ? NULL : "--compare requires two result files";
	return check_words(c);
}

static uint64_t get_limit_ms(const struct command *c, uint32_t default_seconds)
{
	uint32_t seconds = option_number32(&c->options, OPTION_TIME_LIMIT);

	return (uint64_t)(seconds > 0 ? seconds : default_seconds) * 1000;
}

static bool is_included(const struct benchmark *b, const struct subject *subject)
{
	return !subject->device || b->word_count > 0;
}

/* Each benchmark gets its share of the time. Time that one does not use is left to the others. */
static enum status run_all(struct benchmark *b)
{
	enum status status = STATUS_OK;
	uint32_t seconds = 0;
	uint64_t end, now;

	for (size_t i = 0; i < SUBJECTS; i++)
		seconds += is_included(b, &subjects[i]) ? subjects[i].seconds : 0;
	end = get_limit_ms(b->c, seconds);
	for (size_t i = 0; i < SUBJECTS && status == STATUS_OK; i++) {
		if (!is_included(b, &subjects[i]))
			continue;
		now = progress_elapsed_ms(&b->progress);
		b->end_ms = now;
		if (now < end)
			b->end_ms += (end - now) * subjects[i].seconds / seconds;
		seconds -= subjects[i].seconds;
		if (signals_caught() || benchmark_is_over(b, subjects[i].name))
			continue;
		if (i > 0)
			benchmark_print(b, "\n");
		status = subjects[i].run(b);
	}
	return status;
}

enum status run_benchmark(const struct command *c)
{
	const struct subject *subject = find_subject(subject_name(c));
	const bool compare = option_set(&c->options, OPTION_COMPARE);
	enum status status;
	struct benchmark b;

	benchmark_begin(&b, c, compare ? "compare" : subject_name(c));
	if (compare) {
		b.words = c->words;
		b.word_count = c->word_count;
		status = benchmark_compare(&b);
	} else if (subject) {
		b.end_ms = get_limit_ms(c, subject->seconds);
		status = subject->run(&b);
	} else {
		status = run_all(&b);
	}
	return benchmark_finish(&b, status);
}
