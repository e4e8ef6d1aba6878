/* SPDX-License-Identifier: MIT */
/* Limits that the plan of the dm-crypt measurements and the code that makes them share. */
#ifndef BENCH_DM_BENCHMARK_LIMITS_H
#define BENCH_DM_BENCHMARK_LIMITS_H

#define BENCH_VOLUMES_MAX 4u  /* measured at once */
#define BENCH_DEPTH_MAX	  64u /* requests in flight on each volume */

#endif
