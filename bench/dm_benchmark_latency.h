/* SPDX-License-Identifier: MIT */
/* How long requests took: a histogram of fixed size, whose buckets are 1/32 wide. */
#ifndef BENCH_DM_BENCHMARK_LATENCY_H
#define BENCH_DM_BENCHMARK_LATENCY_H

#include <stdint.h>

/* 32 buckets an octave, from 1 ns to 2^41 ns, half an hour. */
#define BENCH_LATENCY_BUCKETS (37u * 32u)

struct bench_latency {
	uint64_t count;
	uint32_t buckets[BENCH_LATENCY_BUCKETS];
};

void bench_latency_add(struct bench_latency *latency, uint64_t ns);
/* Adds what from has counted. */
void bench_latency_join(struct bench_latency *latency, const struct bench_latency *from);

/* The time that permille of the requests did not exceed, rounded up to its bucket; 0: none. */
uint64_t bench_latency_at(const struct bench_latency *latency, uint32_t permille);

#endif
