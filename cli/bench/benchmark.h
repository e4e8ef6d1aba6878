/* SPDX-License-Identifier: MIT */
/* What the benchmarks of the program share: the time there is, and the document of results. */
#ifndef CLI_BENCHMARK_H
#define CLI_BENCHMARK_H

#include <mortise-bench.h>

#include <json-c/json.h>

#include "cli/command.h"
#include "cli/progress.h"

/* One run of the verb. */
struct benchmark {
	const struct command *c;
	const char *name;		/* "argon2", of the document */
	bool json;			/* text is kept back, the document is printed */
	char **words;			/* after the name of the benchmark; count of them */
	size_t word_count;
	struct mortise_machine machine;
	char started[32];		/* ISO 8601, UTC */
	struct progress progress;
	struct mortise_events events;	/* show progress; do not move this struct */
	uint64_t end_ms;		/* by progress_elapsed_ms(): when the time is over */
	struct json_object *results;
	struct json_object *recommendation;	/* NULL until there is one */
	struct json_object *warnings;
};

void benchmark_begin(struct benchmark *b, const struct command *c, const char *name);
/* Prints the document, or the warnings alone, and frees everything. */
enum status benchmark_finish(struct benchmark *b, enum status status);

/*
 * How the library is to measure one of the measurements that are left (this one counted):
 * an equal share of the time that is.
 */
struct mortise_benchmark benchmark_how(struct benchmark *b, unsigned left);
/* Is the time over, or the program asked to end? What follows is left out with a warning then. */
bool benchmark_over(struct benchmark *b, const char *what_follows);

/* A line of text, unless JSON was asked for. */
__attribute__((format(printf, 2, 3))) void benchmark_say(struct benchmark *b, const char *format,
							 ...);
__attribute__((format(printf, 2, 3))) void benchmark_warn(struct benchmark *b, const char *format,
							  ...);
/* The warning that the spread of the measurement called name makes it worthless, if it does. */
void benchmark_judge(struct benchmark *b, const char *name, const struct mortise_spread *spread);

/* A new row of results; names are unique in a document: "argon2/...". */
struct json_object *benchmark_row(struct benchmark *b, const char *name);
void benchmark_parameter(struct json_object *row, const char *name, const char *text);
void benchmark_number(struct json_object *row, const char *name, uint64_t number);
/* A KDF's cost as parameters. */
void benchmark_cost(struct json_object *row, const struct mortise_kdf *kdf);

/* Which way a figure is better. */
enum benchmark_better { BETTER_LOWER, BETTER_HIGHER, BETTER_NEITHER };

struct benchmark_unit {
	const char *unit;
	enum benchmark_better better;
};

extern const struct benchmark_unit benchmark_ms;	/* lower is better */

/* Nothing is added when it was not measured. */
void benchmark_metric(struct json_object *row, const char *name, struct benchmark_unit unit,
		      const struct mortise_spread *spread);
/* One that is calculated from others, without a spread of its own. */
void benchmark_value(struct json_object *row, const char *name, struct benchmark_unit unit,
		     double value);

/* Adds options to paste to the recommendation, with what they are for. */
void benchmark_recommend(struct benchmark *b, const char *purpose, const char *options,
			 const char *reason);
/* The options for a cost, as luksFormat takes them. */
void benchmark_kdf_options(const struct mortise_kdf *kdf, char *text, size_t room);

/* The result file at path. Prints what is wrong with it; NULL then. */
struct json_object *benchmark_read(const char *path);
/* The spread of a metric as it stands in a file; false when it is none. */
bool benchmark_read_metric(struct json_object *metric, struct mortise_spread *spread);

/* The benchmarks. */
enum status benchmark_table(struct benchmark *b);
enum status benchmark_argon2(struct benchmark *b);
enum status benchmark_keyslot(struct benchmark *b);
enum status benchmark_unlock(struct benchmark *b);
enum status benchmark_dm_crypt(struct benchmark *b);
/* A sentence when the options of dm-crypt clash, else NULL. */
const char *check_benchmark_dm_crypt(const struct command *c);
/* --compare: the two files are b->words. */
enum status benchmark_compare(struct benchmark *b);

/* Steps of an operation as a row and as a table; cost NULL: none is told. */
void benchmark_steps(struct benchmark *b, const char *name, const struct mortise_kdf *cost,
		     const struct mortise_benchmark_steps *steps);

#endif
