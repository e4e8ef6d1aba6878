/* SPDX-License-Identifier: MIT */
/* Result files of earlier runs. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/bench/benchmark.h"
#include "cli/print.h"
#include "cli/read.h"

#define FILE_MAX ((size_t)64 << 20) /* bytes; a run of all benchmarks has a few hundred kilobytes */

struct json_object *benchmark_read_file(const char *path)
{
	struct json_object *document = NULL, *result = NULL;
	char *text = NULL;
	size_t size;
	int fd;

	fd = open(path, O_RDONLY | O_CLOEXEC | O_NOCTTY);
	if (fd >= 0)
		text = read_all(fd, FILE_MAX, &size);
	if (!text) {
		fail_with(STATUS_USAGE, "cannot read %s: %s", path, strerror(errno));
		goto out;
	}
	document = json_tokener_parse(text);
	if (!json_object_is_type(json_object_object_get(document, "benchmark"), json_type_string) ||
	    !json_object_is_type(json_object_object_get(document, "results"), json_type_array)) {
		fail_with(STATUS_USAGE, "%s is not a result of \"mortise benchmark --json\"", path);
		goto out;
	}
	result = document;
	document = NULL;
out:
	json_object_put(document);
	free(text);
	if (fd >= 0)
		close(fd);
	return result;
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
