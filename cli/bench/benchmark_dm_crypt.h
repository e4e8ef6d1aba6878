/* SPDX-License-Identifier: MIT */
/* The output of benchmark dm-crypt: a table and JSON. */
#ifndef CLI_BENCHMARK_DM_CRYPT_H
#define CLI_BENCHMARK_DM_CRYPT_H

#include "cli/bench/benchmark.h"

/* The table of measurements. Each mapping has a heading, each measurement a line. */
struct dm_crypt_table {
	struct benchmark *b;
	bool any;				/* last is set */
	struct mortise_dm_measurement last;
	char cipher[MORTISE_CIPHER_MAX + 1];	/* of last */
};

void dm_crypt_print(struct dm_crypt_table *table, const struct mortise_dm_measurement *measurement);

/* The name of option i of flags in the configuration ("no_read_workqueue"); NULL after the last. */
const char *dm_crypt_option_name(uint32_t flags, size_t i);

/* Adds a row to the results. */
void dm_crypt_add_row(struct benchmark *b, const struct mortise_dm_measurement *measurement,
		      const char *engine);

/* Processor time in seconds. */
double dm_crypt_cpu_per_gib(const struct mortise_dm_measurement *measurement);
/* Energy in joules; negative if the machine does not count it. */
double dm_crypt_joules_per_gib(const struct mortise_dm_measurement *measurement);

#endif
