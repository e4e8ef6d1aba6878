/* SPDX-License-Identifier: MIT */
/* What the machine spends and which code it runs, as /proc and /sys tell. */
#ifndef BENCH_DM_BENCHMARK_METER_H
#define BENCH_DM_BENCHMARK_METER_H

#include <mortise-bench.h>

/* Where the answers are read; a test puts a tree of its own here. */
struct bench_files {
	const char *proc; /* "/proc" */
	const char *sys;  /* "/sys" */
};

extern const struct bench_files bench_files;

/* The file DIR/NAME as text of at most room - 1 bytes, "" when it cannot be read. */
void bench_read(const char *dir, const char *name, char *text, size_t room);

#define BENCH_PACKAGES_MAX 8u

/* A look at the meters. */
struct bench_meter {
	uint64_t cpu_us;   /* since boot, all processors, idle and waiting left out */
	uint32_t packages; /* that count energy */
	uint64_t energy_uj[BENCH_PACKAGES_MAX];
	uint64_t energy_range_uj[BENCH_PACKAGES_MAX]; /* at which a counter begins anew */
};

void bench_meter_read(const struct bench_files *files, struct bench_meter *meter);
uint64_t bench_meter_cpu(const struct bench_meter *before, const struct bench_meter *after);
/* UINT64_MAX when the machine counts no energy. */
uint64_t bench_meter_energy(const struct bench_meter *before, const struct bench_meter *after);

#define BENCH_DRIVER_MAX 128u

/*
 * The driver that the kernel takes for a dm-crypt cipher ("aes-xts-plain64", "capi:..."): of
 * the entries of that algorithm in the text of /proc/crypto, the one of highest priority. ""
 * when it is not there, which it is only once something uses it.
 */
void bench_driver(const char *crypto, const char *cipher, char driver[static BENCH_DRIVER_MAX]);
/* The same for this machine. */
void bench_driver_here(const struct bench_files *files, const char *cipher,
		       char driver[static BENCH_DRIVER_MAX]);

#endif
