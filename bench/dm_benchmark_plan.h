/* SPDX-License-Identifier: MIT */
/* The plan of the dm-crypt measurements, as data. */
#ifndef BENCH_DM_BENCHMARK_PLAN_H
#define BENCH_DM_BENCHMARK_PLAN_H

#include <mortise-bench.h>

#include "bench/dm_benchmark_limits.h"

struct bench_cipher {
	const char *name;
	uint32_t key_size; /* bytes */
	bool declared;	   /* a configuration can name it */
};

/* Returns the cipher number i that is tried; false after the last one. */
bool bench_cipher(size_t i, struct bench_cipher *cipher);
bool bench_is_declared(const char *cipher);

/* The flags that a configuration can name. */
#define BENCH_FLAGS_DECLARED                                                 \
	((uint32_t)(MORTISE_NO_READ_WORKQUEUE | MORTISE_NO_WRITE_WORKQUEUE | \
		    MORTISE_SAME_CPU_CRYPT))

/* One measurement to make. */
struct bench_case {
	const char *cipher; /* NULL: without dm-crypt */
	uint32_t key_size;
	uint32_t sector_size;
	uint32_t flags; /* enum mortise_activation_flags */
	bool write;
	uint32_t block_size;
	uint32_t depth;
	uint32_t volumes;
};

struct bench_plan {
	struct bench_case *cases;
	size_t count, room;
	bool no_memory;
};

/* Limits of a plan. */
struct bench_scope {
	bool quick;
	bool writes;		  /* the backing device may be written to */
	struct bench_cipher only; /* name NULL: all */
	uint32_t bytes_max;	  /* of all requests in flight */
};

/*
 * Adds the backing device without dm-crypt, then each cipher with each sector size. This and the
 * next function skip cases that the plan already has.
 */
void bench_plan_ciphers(struct bench_plan *plan, const struct bench_scope *scope);
/* Adds options, depths and several volumes, with the chosen cipher and sector size. */
void bench_plan_options(struct bench_plan *plan, const struct bench_scope *scope,
			const struct bench_cipher *cipher, uint32_t sector_size);
void bench_plan_clear(struct bench_plan *plan);

/* Do both use the same volumes? */
bool bench_same_setup(const struct bench_case *a, const struct bench_case *b);

#endif
