/* SPDX-License-Identifier: MIT */
/* Statistics: least, median and p99 of repeated runs, and what may be concluded from them. */
#include <stdlib.h>
#include <string.h>

#include "bench/benchmark.h"

#define RUNS_FEW   3u	/* less than these say nothing about their spread */
#define MEDIAN_FAR 1.25 /* times the least: machines at rest stay below 1.1 */
#define RUNS_MANY  20u	/* from here on a stray one is no reason to doubt the median */
#define P99_FAR	   2.0	/* times the median */

void benchmark_samples_add(struct benchmark_samples *samples, double value)
{
	if (samples->count < MORTISE_BENCHMARK_RUNS_MAX)
		samples->values[samples->count++] = value;
}

static int compare(const void *a, const void *b)
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
	qsort(samples->values, count, sizeof(samples->values[0]), compare);
	spread->min = values[0];
	spread->median = (values[(count - 1) / 2] + values[count / 2]) / 2;
	spread->p99 = values[(count * 99 + 99) / 100 - 1];
}

bool mortise_spread_is_noisy(const struct mortise_spread *spread)
{
	return spread->runs < RUNS_FEW || spread->median > MEDIAN_FAR * spread->min ||
	       (spread->runs < RUNS_MANY && spread->p99 > P99_FAR * spread->median);
}

static bool inside(double value, const struct mortise_spread *spread)
{
	return value >= spread->min && value <= spread->p99;
}

bool mortise_spread_differs(const struct mortise_spread *a, const struct mortise_spread *b)
{
	return a->runs && b->runs && !inside(a->median, b) && !inside(b->median, a);
}
