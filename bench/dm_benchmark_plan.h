/* SPDX-License-Identifier: MIT */
/* Which measurements are made, as data, and what they say. */
#ifndef BENCH_DM_BENCHMARK_PLAN_H
#define BENCH_DM_BENCHMARK_PLAN_H

#include "bench/dm_benchmark_ground.h"

struct bench_cipher {
	const char *name;
	uint32_t key_size; /* bytes */
	bool declared;	   /* a configuration may name it */
};

/* Cipher i of those that are tried, false when there are no more. */
bool bench_cipher(size_t i, struct bench_cipher *cipher);
bool bench_is_declared(const char *cipher);

/* The flags that a configuration may name. */
#define BENCH_FLAGS_DECLARED                                                 \
	((uint32_t)(MORTISE_NO_READ_WORKQUEUE | MORTISE_NO_WRITE_WORKQUEUE | \
		    MORTISE_SAME_CPU_CRYPT))

/* One measurement to make. */
struct bench_case {
	const char *cipher; /* NULL: bare */
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

/* What plans are made for. */
struct bench_scope {
	bool quick;
	bool writes;		  /* the ground may be written to */
	struct bench_cipher only; /* name NULL: all */
	uint32_t bytes_max;	  /* of all requests under way together */
};

/* Both add what is not in the plan yet. Bare, then each cipher with each sector size. */
void bench_plan_ciphers(struct bench_plan *plan, const struct bench_scope *scope);
/* Options, depths and several volumes, with the cipher and sector size that were chosen. */
void bench_plan_options(struct bench_plan *plan, const struct bench_scope *scope,
			const struct bench_cipher *cipher, uint32_t sector_size);
void bench_plan_clear(struct bench_plan *plan);

/* Do both stand on the same mapping? */
bool bench_same_setup(const struct bench_case *a, const struct bench_case *b);

/* What was measured, in order. */
struct bench_results {
	struct mortise_dm_measurement *list;
	size_t count;
};

/*
 * Chooses cipher, key and sector size on one ground, among those a configuration may name.
 * False: none was measured there.
 */
bool bench_choose_cipher(const struct bench_results *results, enum mortise_dm_backing ground,
			 struct bench_cipher *cipher, uint32_t *sector_size);

#define BENCH_REASON_MAX 640u

/* Fills *advice from the ground that comes nearest to use; reason is where its text goes. */
bool bench_advise(const struct bench_results *results, struct mortise_dm_advice *advice,
		  char reason[static BENCH_REASON_MAX]);

#endif
