/* SPDX-License-Identifier: MIT */
/* Temporary mappings: the kernel removes them when this process exits, even if it is killed. */
#ifndef BENCH_DM_BENCHMARK_TEMPORARY_H
#define BENCH_DM_BENCHMARK_TEMPORARY_H

#include "dm/dm.h"

#define BENCH_NAME_MAX 64u

/* One second in total: for deferred removals, and for udev to create or release a node. */
#define BENCH_TRIES    50u
#define BENCH_PAUSE_US 20000u

/*
 * A new name. The kernel may remove an earlier mapping only after a moment, so no name is used
 * twice.
 */
void bench_temporary_name(char name[static BENCH_NAME_MAX]);

/*
 * Opens the node of a mapping that was just created, removes the node, and lets the kernel remove
 * the mapping when the last descriptor is closed. The mapping is removed after a failure, too.
 */
MORTISE_MUST_CHECK enum mortise_code bench_temporary_open(struct dm_control *control,
							  const char *name, int flags, int *fd,
							  struct mortise_error *err);

/* Waits up to a second until the kernel has removed the temporary mappings of this process. */
void bench_temporary_wait(struct dm_control *control);

#endif
