/* SPDX-License-Identifier: MIT */
/* The volumes of one measurement: dm-crypt mappings on a backing device, or the device itself. */
#ifndef BENCH_DM_BENCHMARK_STACK_H
#define BENCH_DM_BENCHMARK_STACK_H

#include "bench/dm_benchmark_backing.h"
#include "bench/dm_benchmark_limits.h"
#include "bench/dm_benchmark_meter.h"

/* Parameters of dm-crypt; cipher NULL: the backing device without dm-crypt. */
struct bench_setup {
	const char *cipher;
	uint32_t key_size;    /* bytes */
	uint32_t sector_size; /* bytes */
	uint32_t flags;	      /* enum dm_crypt_flags */
	uint32_t volumes;
};

struct bench_stack {
	int fds[BENCH_VOLUMES_MAX];
	uint32_t volumes;
	uint64_t size; /* bytes of each */
	char driver[BENCH_DRIVER_MAX];
};

/*
 * Opens the volumes for requests with O_DIRECT. The mappings are temporary: closing the
 * descriptors removes them. A writable backing device is opened exclusively. MORTISE_E_KERNEL: the
 * kernel does not know the cipher or one of the flags.
 */
MORTISE_MUST_CHECK enum mortise_code bench_stack_open(const struct bench_backing *backing,
						      const struct bench_setup *setup,
						      struct bench_stack *stack,
						      struct mortise_error *err);
void bench_stack_close(struct bench_stack *stack);

#endif
