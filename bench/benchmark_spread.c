/* SPDX-License-Identifier: MIT */
/* Statistics of repeated runs: minimum, median and p99, and whether they are significant. */
#include <stdlib.h>
#include <string.h>

#include "bench/benchmark.h"

#define RUNS_MIN      3u   /* with fewer, the spread is unknown */
#define MEDIAN_TO_MIN 1.25 /* idle machines stay below 1.1 */
#define RUNS_MANY     20u  /* from here on, an outlier does not affect the median */
#define P99_TO_MEDIAN 2.0

void benchmark_samples_add(struct benchmark_samples *samples, double value)
{
	if (samples->count < MORTISE_BENCHMARK_RUNS_MAX)
		samples->values[samples->count++] = value;
}

static int compare_doubles(const void *a, const void *b)
{
	double first, second;

	memcpy(&first, a, sizeof(first));
	memcpy(&second, b, sizeof(second));
	return (first > second) - (first < second);
}

void benchmark_samples_spread(struct benchmark_samples *samples, struct mortise_spread *spread)
{
	const unsigned count = samples->count;
	const double *values = samples->values;

	*spread = (struct mortise_spread){ .runs = count };
	if (!count)
		return;
	qsort(samples->values, count, sizeof(samples->values[0]), compare_doubles);
	spread->min = values[0];
	spread->median = (values[(count - 1) / 2] + values[count / 2]) / 2;
	spread->p99 = values[(count * 99 + 99) / 100 - 1];
}

bool mortise_spread_is_noisy(const struct mortise_spread *spread)
{
	return spread->runs < RUNS_MIN || spread->median > MEDIAN_TO_MIN * spread->min ||
	       (spread->runs < RUNS_MANY && spread->p99 > P99_TO_MEDIAN * spread->median);
}

static bool is_inside(double value, const struct mortise_spread *spread)
{
	return value >= spread->min && value <= spread->p99;
}

bool mortise_spread_differs(const struct mortise_spread *a, const struct mortise_spread *b)
{
	return a->runs && b->runs && !is_inside(a->median, b) && !is_inside(b->median, a);
}
