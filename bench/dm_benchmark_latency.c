/* SPDX-License-Identifier: MIT */
#include "bench/dm_benchmark_latency.h"

#define OCTAVE	    32u /* buckets per octave */
#define OCTAVE_BITS 5u

static uint32_t find_bucket(uint64_t ns)
{
	uint32_t octave, bucket;

	if (ns < OCTAVE)
		return (uint32_t)ns;
	octave = 63u - (uint32_t)__builtin_clzll(ns);
	bucket = (octave - OCTAVE_BITS + 1) * OCTAVE +
		 ((uint32_t)(ns >> (octave - OCTAVE_BITS)) & (OCTAVE - 1));
	return bucket < BENCH_LATENCY_BUCKETS ? bucket : BENCH_LATENCY_BUCKETS - 1;
}

/* The longest latency that falls into the bucket. */
static uint64_t bucket_end(uint32_t bucket)
{
	uint32_t octave = bucket / OCTAVE;

	if (octave == 0)
		return bucket;
	return ((uint64_t)(OCTAVE + bucket % OCTAVE + 1) << (octave - 1)) - 1;
}

void bench_latency_add(struct bench_latency *latency, uint64_t ns)
{
	latency->count++;
	latency->buckets[find_bucket(ns)]++;
}

void bench_latency_merge(struct bench_latency *latency, const struct bench_latency *from)
{
	latency->count += from->count;
	for (uint32_t i = 0; i < BENCH_LATENCY_BUCKETS; i++)
		latency->buckets[i] += from->buckets[i];
}

uint64_t bench_latency_percentile(const struct bench_latency *latency, uint32_t permille)
{
	uint64_t wanted = (latency->count * permille + 999) / 1000, seen = 0;
	uint32_t i;

	if (latency->count == 0)
		return 0;
	for (i = 0; i < BENCH_LATENCY_BUCKETS - 1; i++) {
		seen += latency->buckets[i];
		if (seen >= wanted && seen > 0)
			break;
	}
	return bucket_end(i);
}
