/* SPDX-License-Identifier: MIT */
/* What is measured on: dm-zero, a RAM disk, a device; and mappings over it that never stay. */
#ifndef BENCH_DM_BENCHMARK_GROUND_H
#define BENCH_DM_BENCHMARK_GROUND_H

#include "dm/dm.h"
#include "bench/dm_benchmark_io.h"

struct bench_ground {
	enum mortise_dm_backing kind;
	struct dm_control *control; /* belongs to the caller */
	char path[64];		    /* of a node, or of our own descriptor */
	int fd;			    /* keeps dm-zero's mapping alive, -1 for the others */
	uint64_t size;		    /* bytes that may be used, multiple of 4096 */
	uint32_t logical;	    /* bytes of a logical block */
	bool writable;
	bool loaded; /* we have loaded the module of RAM disks */
};

/*
 * MORTISE_E_KERNEL, MORTISE_E_UNSUPPORTED: this machine has no such ground. For a device, path
 * and writable say which and how; memory bounds a RAM disk, in bytes.
 */
MORTISE_MUST_CHECK enum mortise_code
bench_zero_open(struct dm_control *control, struct bench_ground *ground, struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code bench_ram_open(struct dm_control *control, uint64_t memory,
						    struct bench_ground *ground,
						    struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code bench_device_open(struct dm_control *control, const char *path,
						       bool writable, struct bench_ground *ground,
						       struct mortise_error *err);
/* Leaves the RAM disk as it was found: full of zeros, or not loaded. */
void bench_ground_close(struct bench_ground *ground);

/* Opens it for nobody else; waits for up to a second while it is busy. -1 and errno. */
int bench_claim(const char *path, int flags);

/* How dm-crypt is to stand on it; cipher NULL: the ground alone. */
struct bench_setup {
	const char *cipher;
	uint32_t key_size;    /* bytes */
	uint32_t sector_size; /* bytes */
	uint32_t flags;	      /* enum dm_crypt_flags */
	uint32_t volumes;
};

/* One or several volumes, ready for requests. */
struct bench_stack {
	int fds[BENCH_VOLUMES_MAX];
	uint32_t volumes;
	uint64_t size; /* bytes of each */
	char driver[BENCH_DRIVER_MAX];
};

/*
 * The mappings have no names any more when this returns: the last descriptor takes them with
 * it. writable: the ground is claimed for writing. MORTISE_E_KERNEL: the kernel lacks the
 * cipher or one of the flags.
 */
MORTISE_MUST_CHECK enum mortise_code bench_stack_open(const struct bench_ground *ground,
						      const struct bench_setup *setup,
						      struct bench_stack *stack,
						      struct mortise_error *err);
void bench_stack_close(struct bench_stack *stack);

/*
 * Takes the node of a mapping away and has the kernel remove it after its last close: with
 * this process, however it ends.
 */
MORTISE_MUST_CHECK enum mortise_code bench_give_up(struct dm_control *control, const char *name,
						   struct mortise_error *err);
/* Waits for up to a second until what this process has given up is gone. */
void bench_settle(struct dm_control *control);

#endif
