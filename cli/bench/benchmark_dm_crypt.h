/* SPDX-License-Identifier: MIT */
/* What benchmark dm-crypt says, for people and for programs. */
#ifndef CLI_BENCHMARK_DM_CRYPT_H
#define CLI_BENCHMARK_DM_CRYPT_H

#include "cli/bench/benchmark.h"

/* Measurements as they come: a heading for each mapping, a line for each. */
struct dm_crypt_table {
	struct benchmark *b;
	bool any;				/* last is set */
	struct mortise_dm_measurement last;
	char cipher[MORTISE_CIPHER_MAX + 1];	/* of last */
};

void dm_crypt_say(struct dm_crypt_table *table, const struct mortise_dm_measurement *measurement);

/* "no_read_workqueue": option i of flags as the configuration calls it, NULL when no more. */
const char *dm_crypt_option(uint32_t flags, size_t i);

/* Adds a row to the results. */
void dm_crypt_row(struct benchmark *b, const struct mortise_dm_measurement *measurement,
		  const char *engine);

/* Of a measurement's whole time. */
double dm_crypt_cpu_per_gib(const struct mortise_dm_measurement *measurement); /* seconds */
/* Joules; negative when the machine counts none. */
double dm_crypt_joules_per_gib(const struct mortise_dm_measurement *measurement);

#endif
