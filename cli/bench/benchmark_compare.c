/* SPDX-License-Identifier: MIT */
/* benchmark --compare: compares two result files, and finds significant differences. */
#include <stdio.h>
#include <string.h>

#include "cli/bench/benchmark.h"
#include "cli/print.h"

/* A figure of both files. Figures without a spread have only a ratio. */
struct pair {
	struct json_object *metric[2];
	struct mortise_spread spread[2];
	double figure[2];
	bool spreads;
};

static bool read_side(struct pair *pair, int side)
{
	struct json_object *value = json_object_object_get(pair->metric[side], "value");

	if (benchmark_read_metric(pair->metric[side], &pair->spread[side])) {
		pair->figure[side] = pair->spread[side].median;
		return true;
	}
	pair->spreads = false;
	pair->figure[side] = json_object_get_double(value);
	return value != NULL;
}

static bool read_pair(struct pair *pair, struct json_object *a, struct json_object *b)
{
	*pair = (struct pair){ .metric = { a, b }, .spreads = true };
	return read_side(pair, 0) && read_side(pair, 1);
}

/* The verdict on B. The file states the direction in which the figure is better. */
static const char *get_verdict(const struct pair *pair)
{
	const char *better =
		json_object_get_string(json_object_object_get(pair->metric[0], "better"));
	bool less = pair->figure[1] < pair->figure[0];

	if (!pair->spreads)
		return "";
	if (!mortise_spread_differs(&pair->spread[0], &pair->spread[1]))
		return "same";
	if (!better || strcmp(better, "neither") == 0)
		return "differs";
	return less == (strcmp(better, "lower") == 0) ? "better" : "worse";
}

static void add_pair(struct json_object *row, const char *name, const struct pair *pair)
{
	struct json_object *metrics = json_object_object_get(row, "metrics");
	struct json_object *entry = json_object_new_object();

	json_object_object_add(entry, "a", json_object_get(pair->metric[0]));
	json_object_object_add(entry, "b", json_object_get(pair->metric[1]));
	if (pair->figure[0] > 0)
		json_object_object_add(entry, "ratio",
				       json_object_new_double(pair->figure[1] / pair->figure[0]));
	if (pair->spreads)
		json_object_object_add(entry, "verdict", json_object_new_string(get_verdict(pair)));
	json_object_object_add(metrics, name, entry);
}

static void print_pair(struct benchmark *b, const char *name, const struct pair *pair)
{
	const char *unit = json_object_get_string(json_object_object_get(pair->metric[0], "unit"));

	benchmark_print(b, "  %-18s %12.5g %12.5g %-9s %8.3f  %s\n", name, pair->figure[0],
			pair->figure[1], unit ? unit : "",
			pair->figure[0] > 0 ? pair->figure[1] / pair->figure[0] : 0,
			get_verdict(pair));
}

static void compare_rows(struct benchmark *b, const char *name, struct json_object *a,
			 struct json_object *other)
{
	struct json_object *metrics = json_object_object_get(a, "metrics");
	struct json_object *others = json_object_object_get(other, "metrics");
	struct json_object *row = benchmark_add_row(b, name);
	struct pair pair;

	if (!json_object_is_type(metrics, json_type_object))
		return;
	benchmark_print(b, "%s\n", name);
	json_object_object_foreach(metrics, key, metric) {
		if (!read_pair(&pair, metric, json_object_object_get(others, key)))
			continue;
		print_pair(b, key, &pair);
		add_pair(row, key, &pair);
	}
}

static const char *row_name(struct json_object *row)
{
	struct json_object *name = json_object_object_get(row, "name");

	return json_object_is_type(name, json_type_string) ? json_object_get_string(name) : "";
}

static struct json_object *find_row(struct json_object *document, const char *name)
{
	struct json_object *rows = json_object_object_get(document, "results");

	for (size_t i = 0; i < json_object_array_length(rows); i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);

		if (strcmp(row_name(row), name) == 0)
			return row;
	}
	return NULL;
}

/* Another version of the program, or another program, may have written the file. */
static const char *get_text(struct json_object *object, const char *name)
{
	const char *text = json_object_get_string(json_object_object_get(object, name));

	return text ? text : "-";
}

/* Prints the name and start of both results, and the differences between their machines. */
static void print_machines(struct benchmark *b, struct json_object *const document[2])
{
	struct json_object *machine[2];

	for (int i = 0; i < 2; i++) {
		machine[i] = json_object_object_get(document[i], "machine");
		benchmark_print(b, "# %c: %s, %s\n", 'A' + i, b->words[i],
				get_text(document[i], "started"));
	}
	if (!json_object_is_type(machine[0], json_type_object))
		return;
	json_object_object_foreach(machine[0], key, value) {
		struct json_object *other = json_object_object_get(machine[1], key);

		if (strcmp(key, "memoryAvailable") != 0 && !json_object_equal(value, other))
			benchmark_print(b, "# %s: %s | %s\n", key, get_text(machine[0], key),
					get_text(machine[1], key));
	}
}

static void compare_documents(struct benchmark *b, struct json_object *const document[2])
{
	struct json_object *rows = json_object_object_get(document[0], "results");
	size_t count = json_object_array_length(rows), common = 0;

	print_machines(b, document);
	benchmark_print(b, "# %-18s %12s %12s %-9s %8s\n", "", "A", "B", "", "B/A");
	for (size_t i = 0; i < count; i++) {
		struct json_object *row = json_object_array_get_idx(rows, i);
		struct json_object *other = find_row(document[1], row_name(row));

		if (!other)
			continue;
		compare_rows(b, row_name(row), row, other);
		common++;
	}
	if (common < count)
		benchmark_warn(b, "%zu of the %zu rows of %s are not in %s", count - common, count,
			       b->words[0], b->words[1]);
}

enum status benchmark_compare(struct benchmark *b)
{
	struct json_object *document[2] = { NULL, NULL };
	enum status status = STATUS_USAGE;

	document[0] = benchmark_read_file(b->words[0]);
	if (document[0])
		document[1] = benchmark_read_file(b->words[1]);
	if (document[1]) {
		compare_documents(b, document);
		status = STATUS_OK;
	}
	json_object_put(document[0]);
	json_object_put(document[1]);
	return status;
}
