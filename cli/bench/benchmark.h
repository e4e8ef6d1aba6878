/* SPDX-License-Identifier: MIT */
/* Shared by the benchmarks of the program: the time limit, and the document of results. */
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
	bool json;			/* print the document instead of text */
	char **words;			/* word_count arguments after the benchmark's name */
	size_t word_count;
	struct mortise_machine machine;
	char started[32];		/* ISO 8601, UTC */
	struct progress progress;
	struct mortise_events events;	/* show progress; do not move this struct */
	uint64_t end_ms;		/* of the time, as progress_elapsed_ms() counts it */
	struct json_object *results;
	struct json_object *recommendation;	/* NULL: none yet */
	struct json_object *warnings;
};

void benchmark_begin(struct benchmark *b, const struct command *c, const char *name);
/* Prints the document, or the warnings alone, and frees everything. */
enum status benchmark_finish(struct benchmark *b, enum status status);

/*
 * The limits of the next measurement: an equal share of the remaining time, if left measurements
 * follow, including this one.
 */
struct mortise_benchmark benchmark_limits(struct benchmark *b, unsigned left);
/* Is the time over, or the program interrupted? If the time is over, warns that next is skipped. */
bool benchmark_is_over(struct benchmark *b, const char *next);

/* Prints text, unless --json is given. */
__attribute__((format(printf, 2, 3))) void benchmark_print(struct benchmark *b, const char *format,
							   ...);
__attribute__((format(printf, 2, 3))) void benchmark_warn(struct benchmark *b, const char *format,
							  ...);
/* Warns if the measurement is noisy; name is the name of its row. */
void benchmark_check_noise(struct benchmark *b, const char *name,
			   const struct mortise_spread *spread);

/* Adds a row to the results. Names ("argon2/...") are unique in a document. */
struct json_object *benchmark_add_row(struct benchmark *b, const char *name);
void benchmark_add_text(struct json_object *row, const char *name, const char *text);
void benchmark_add_number(struct json_object *row, const char *name, uint64_t number);
/* Adds the cost of a KDF as parameters. */
void benchmark_add_cost(struct json_object *row, const struct mortise_kdf *kdf);

/* The direction in which a figure is better. */
enum benchmark_better { BETTER_LOWER, BETTER_HIGHER, BETTER_NEITHER };

struct benchmark_unit {
	const char *unit;
	enum benchmark_better better;
};

extern const struct benchmark_unit benchmark_unit_ms;	/* lower is better */

/* Adds nothing if there were no runs. */
void benchmark_add_metric(struct json_object *row, const char *name, struct benchmark_unit unit,
			  const struct mortise_spread *spread);
/* Adds a figure that is calculated from others, without a spread. */
void benchmark_add_value(struct json_object *row, const char *name, struct benchmark_unit unit,
			 double value);

/* Adds options for a purpose to the recommendation. */
void benchmark_recommend(struct benchmark *b, const char *purpose, const char *options,
			 const char *reason);
/* Formats a cost as options of luksFormat. */
void benchmark_format_options(const struct mortise_kdf *kdf, char *text, size_t room);

/* Reads the result file at path. Prints an error and returns NULL if it is not valid. */
struct json_object *benchmark_read_file(const char *path);
/* Reads the spread of a metric of a file; false if it has none. */
bool benchmark_read_metric(struct json_object *metric, struct mortise_spread *spread);

enum status benchmark_table(struct benchmark *b);
enum status benchmark_argon2(struct benchmark *b);
enum status benchmark_keyslot(struct benchmark *b);
enum status benchmark_unlock(struct benchmark *b);
enum status benchmark_dm_crypt(struct benchmark *b);
/* Returns an error message if the options of dm-crypt conflict, or NULL. */
const char *check_benchmark_dm_crypt(const struct command *c);
/* --compare: the two files are b->words. */
enum status benchmark_compare(struct benchmark *b);

/* Adds and prints the steps of an operation; cost NULL: the operation has no KDF. */
void benchmark_add_steps(struct benchmark *b, const char *name, const struct mortise_kdf *cost,
			 const struct mortise_benchmark_steps *steps);

#endif
