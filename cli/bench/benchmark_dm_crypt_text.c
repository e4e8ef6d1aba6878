/* SPDX-License-Identifier: MIT */
/* The measurements as a table. */
#include <stdio.h>
#include <string.h>

#include "cli/bench/benchmark_dm_crypt.h"

#define MIB 1048576.0
#define GIB 1073741824.0

static const struct {
	uint32_t flag;
	const char *name;
} option_names[] = {
	{ MORTISE_NO_READ_WORKQUEUE, "no_read_workqueue" },
	{ MORTISE_NO_WRITE_WORKQUEUE, "no_write_workqueue" },
	{ MORTISE_SAME_CPU_CRYPT, "same_cpu_crypt" },
	{ MORTISE_SUBMIT_FROM_CRYPT_CPUS, "submit_from_crypt_cpus" },
};

const char *dm_crypt_option_name(uint32_t flags, size_t i)
{
	for (size_t n = 0; n < sizeof(option_names) / sizeof(option_names[0]); n++) {
		if ((flags & option_names[n].flag) && i-- == 0)
			return option_names[n].name;
	}
	return NULL;
}

double dm_crypt_cpu_per_gib(const struct mortise_dm_measurement *m)
{
	return m->bytes > 0 ? (double)m->cpu_us / 1e6 / ((double)m->bytes / GIB) : 0;
}

double dm_crypt_joules_per_gib(const struct mortise_dm_measurement *m)
{
	if (m->energy_uj == UINT64_MAX || m->bytes == 0)
		return -1;
	return (double)m->energy_uj / 1e6 / ((double)m->bytes / GIB);
}

static bool has_same_heading(const struct dm_crypt_table *table,
			     const struct mortise_dm_measurement *m)
{
	return table->any && table->last.backing == m->backing &&
	       strcmp(table->cipher, m->cipher) == 0 && table->last.key_size == m->key_size &&
	       table->last.sector_size == m->sector_size && table->last.flags == m->flags &&
	       table->last.volumes == m->volumes;
}

static void print_heading(struct benchmark *b, const struct mortise_dm_measurement *m)
{
	const char *option;

	benchmark_print(b, "\n# %s: ", mortise_dm_backing_name(m->backing));
	if (m->cipher[0] == '\0') {
		benchmark_print(b, "without dm-crypt");
	} else {
		benchmark_print(b, "%s, %u bits, sectors of %u", m->cipher, m->key_size * 8,
				m->sector_size);
		for (size_t i = 0; (option = dm_crypt_option_name(m->flags, i)); i++)
			benchmark_print(b, ", %s", option);
		if (m->volumes > 1)
			benchmark_print(b, ", %u volumes", m->volumes);
		if (m->driver[0] != '\0')
			benchmark_print(b, " (%s)", m->driver);
	}
	benchmark_print(b, "\n#%5s %6s %5s %9s %9s %9s %8s %8s %9s %9s %7s %7s\n", "", "block",
			"depth", "MiB/s", "slowest", "fastest", "p50 us", "p99 us", "p99.9 us",
			"CPU s/GiB", "J/GiB", "of bare");
}

static void print_row(struct benchmark *b, const struct mortise_dm_measurement *m)
{
	double joules = dm_crypt_joules_per_gib(m);
	char energy[16] = "-", bare[16] = "-", slowest[16] = "-", fastest[16] = "-";

	if (joules >= 0)
		snprintf(energy, sizeof(energy), "%.2f", joules);
	if (m->bare_rate > 0)
		snprintf(bare, sizeof(bare), "%.0f %%", 100.0 * m->rate.median / m->bare_rate);
	if (m->rate.runs > 0) {
		snprintf(slowest, sizeof(slowest), "%.1f", m->rate.min / MIB);
		snprintf(fastest, sizeof(fastest), "%.1f", m->rate.p99 / MIB);
	}
	benchmark_print(b, "%6s %5uK %5u %9.1f %9s %9s %8.0f %8.0f %9.0f %9.3f %7s %7s\n",
			m->write ? "write" : "read", m->block_size / 1024, m->depth,
			m->rate.median / MIB, slowest, fastest, (double)m->latency_p50_ns / 1e3,
			(double)m->latency_p99_ns / 1e3, (double)m->latency_p999_ns / 1e3,
			dm_crypt_cpu_per_gib(m), energy, bare);
}

void dm_crypt_print(struct dm_crypt_table *table, const struct mortise_dm_measurement *m)
{
	if (!has_same_heading(table, m))
		print_heading(table->b, m);
	print_row(table->b, m);
	snprintf(table->cipher, sizeof(table->cipher), "%s", m->cipher);
	table->last = *m;
	table->any = true;
}
