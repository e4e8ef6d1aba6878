/* SPDX-License-Identifier: MIT */
/* Result files of earlier runs. */
#include <errno.h>
#include <string.h>
#include <sys/stat.h>

#include "cli/bench/benchmark.h"
#include "cli/print.h"

#define FILE_MAX (64 << 20) /* bytes; a run of all benchmarks has a few hundred kilobytes */

struct json_object *benchmark_read_file(const char *path)
{
	struct json_object *document;
	struct stat st;

	if (stat(path, &st)) {
		fail_with(STATUS_USAGE, "cannot read %s: %s", path, strerror(errno));
		return NULL;
	}
	document =
		S_ISREG(st.st_mode) && st.st_size <= FILE_MAX ? json_object_from_file(path) : NULL;
	if (json_object_is_type(json_object_object_get(document, "benchmark"), json_type_string) &&
	    json_object_is_type(json_object_object_get(document, "results"), json_type_array))
		return document;
	json_object_put(document);
	fail_with(STATUS_USAGE, "%s is not a result of \"mortise benchmark --json\"", path);
	return NULL;
}

static bool read_figure(struct json_object *metric, const char *name, double *figure)
{
	struct json_object *value = json_object_object_get(metric, name);

	*figure = json_object_get_double(value);
	return json_object_is_type(value, json_type_double) ||
	       json_object_is_type(value, json_type_int);
}

bool benchmark_read_metric(struct json_object *metric, struct mortise_spread *spread)
{
	struct json_object *runs = json_object_object_get(metric, "runs");

	*spread = (struct mortise_spread){ 0 };
	if (!json_object_is_type(runs, json_type_int) ||
	    !read_figure(metric, "min", &spread->min) ||
	    !read_figure(metric, "median", &spread->median) ||
	    !read_figure(metric, "p99", &spread->p99))
		return false;
	spread->runs = (unsigned)json_object_get_int(runs);
	return spread->runs > 0;
}
