/* SPDX-License-Identifier: MIT */
/* Processor time, energy, and the driver of a cipher, from /proc and /sys. */
#ifndef BENCH_DM_BENCHMARK_METER_H
#define BENCH_DM_BENCHMARK_METER_H

#include <mortise-bench.h>

/* Where the files are read; a test replaces them by a tree of its own. */
struct bench_files {
	const char *proc; /* "/proc" */
	const char *sys;  /* "/sys" */
};

extern const struct bench_files bench_files;

#define BENCH_PACKAGES_MAX 8u

/* One reading of all counters. */
struct bench_meter {
	uint64_t cpu_us;   /* since boot, of all processors, without idle and iowait */
	uint32_t packages; /* with an energy counter */
	uint64_t energy_uj[BENCH_PACKAGES_MAX];
	uint64_t energy_range_uj[BENCH_PACKAGES_MAX]; /* at which a counter wraps */
};

void bench_meter_read(const struct bench_files *files, struct bench_meter *meter);
uint64_t bench_meter_cpu(const struct bench_meter *before, const struct bench_meter *after);
/* UINT64_MAX if the machine does not count energy. */
uint64_t bench_meter_energy(const struct bench_meter *before, const struct bench_meter *after);

#define BENCH_DRIVER_MAX 128u

/*
 * Finds the driver that the kernel uses for a dm-crypt cipher ("aes-xts-plain64", "capi:..."): the
 * entry of this algorithm with the highest priority in the text of /proc/crypto. "" without an
 * entry; the kernel adds one when the algorithm is first used.
 */
void bench_driver(const char *crypto, const char *cipher, char driver[static BENCH_DRIVER_MAX]);
/* The same, from /proc/crypto of this machine. */
void bench_driver_here(const struct bench_files *files, const char *cipher,
		       char driver[static BENCH_DRIVER_MAX]);

#endif
