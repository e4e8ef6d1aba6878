/* SPDX-License-Identifier: MIT */
/* The block devices that dm-crypt is measured on: dm-zero, a RAM disk, a given device. */
#ifndef BENCH_DM_BENCHMARK_BACKING_H
#define BENCH_DM_BENCHMARK_BACKING_H

#include <mortise-bench.h>

#include "dm/dm.h"

struct bench_backing {
	enum mortise_dm_backing kind;
	struct dm_control *control; /* belongs to the caller */
	char path[64];		    /* of a node, or of this process's descriptor */
	int fd;			    /* keeps the mapping of dm-zero alive; -1 for the others */
	uint64_t size;		    /* usable bytes, a multiple of 4096 */
	uint32_t logical;	    /* size of a logical block in bytes */
	bool writable;
	bool loaded; /* this process has loaded the module brd */
};

/*
 * MORTISE_E_KERNEL, MORTISE_E_UNSUPPORTED: this machine does not have this kind of device. memory
 * limits the size of the RAM disk, in bytes.
 */
MORTISE_MUST_CHECK enum mortise_code bench_zero_open(struct dm_control *control,
						     struct bench_backing *backing,
						     struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code bench_ram_open(struct dm_control *control, uint64_t memory,
						    struct bench_backing *backing,
						    struct mortise_error *err);
MORTISE_MUST_CHECK enum mortise_code bench_device_open(struct dm_control *control, const char *path,
						       bool writable, struct bench_backing *backing,
						       struct mortise_error *err);
/* Restores the earlier state of the RAM disk: filled with zeros, or its module not loaded. */
void bench_backing_close(struct bench_backing *backing);

/* Opens path with O_EXCL. Waits up to a second while it is busy. Returns -1 and sets errno. */
int bench_open_exclusive(const char *path, int flags);

#endif
