/* SPDX-License-Identifier: MIT */
/* Latency of requests: a histogram of fixed size, with a resolution of 1/32. */
#ifndef BENCH_DM_BENCHMARK_LATENCY_H
#define BENCH_DM_BENCHMARK_LATENCY_H

#include <stdint.h>

/* 32 buckets per octave, from 1 ns to 2^41 ns (half an hour). */
#define BENCH_LATENCY_BUCKETS (37u * 32u)

struct bench_latency {
	uint64_t count;
	uint32_t buckets[BENCH_LATENCY_BUCKETS];
};

void bench_latency_add(struct bench_latency *latency, uint64_t ns);
/* Adds the counts of from. */
void bench_latency_merge(struct bench_latency *latency, const struct bench_latency *from);

/*
 * The latency that permille of the requests did not exceed, rounded up to the end of its bucket; 0
 * without requests.
 */
uint64_t bench_latency_percentile(const struct bench_latency *latency, uint32_t permille);

#endif
