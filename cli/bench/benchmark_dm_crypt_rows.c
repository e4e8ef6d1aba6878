/* SPDX-License-Identifier: MIT */
/* The measurements as rows of results, as described by bench/schema/dm-crypt.json. */
#include <stdio.h>

#include "cli/bench/benchmark_dm_crypt.h"

#define MIB 1048576.0

static const struct benchmark_unit mib_per_second = { "MiB/s", BETTER_HIGHER };
static const struct benchmark_unit microseconds = { "us", BETTER_LOWER };
static const struct benchmark_unit cpu_seconds = { "s/GiB", BETTER_LOWER };
static const struct benchmark_unit joules_per_gib = { "J/GiB", BETTER_LOWER };
static const struct benchmark_unit share = { "of bare", BETTER_HIGHER };

static void join_options(uint32_t flags, char *text, size_t room)
{
	const char *option;
	size_t used = 0;

	text[0] = '\0';
	for (size_t i = 0; (option = dm_crypt_option_name(flags, i)) && used < room; i++)
		used += (size_t)snprintf(text + used, room - used, "%s%s", i > 0 ? "," : "",
					 option);
}

static void format_name(const struct mortise_dm_measurement *m, const char *options, char *name,
			size_t room)
{
	char setup[MORTISE_CIPHER_MAX + 128] = "bare";

	if (m->cipher[0] != '\0')
		snprintf(setup, sizeof(setup), "%s %u/%u%s%s", m->cipher, m->key_size * 8,
			 m->sector_size, options[0] != '\0' ? "/" : "", options);
	snprintf(name, room, "dm-crypt/%s/%s/%s %uK depth %u volumes %u",
		 mortise_dm_backing_name(m->backing), setup, m->write ? "write" : "read",
		 m->block_size / 1024, m->depth, m->volumes);
}

static void add_parameters(struct json_object *row, const struct mortise_dm_measurement *m,
			   const char *options, const char *engine)
{
	benchmark_add_text(row, "backing", mortise_dm_backing_name(m->backing));
	benchmark_add_text(row, "cipher", m->cipher);
	benchmark_add_number(row, "keySize", m->key_size * 8);
	benchmark_add_number(row, "sectorSize", m->sector_size);
	benchmark_add_text(row, "options", options);
	benchmark_add_text(row, "driver", m->driver);
	benchmark_add_text(row, "operation", m->write ? "write" : "read");
	benchmark_add_number(row, "blockSize", m->block_size);
	benchmark_add_number(row, "depth", m->depth);
	benchmark_add_number(row, "jobs", m->jobs);
	benchmark_add_number(row, "volumes", m->volumes);
	benchmark_add_text(row, "engine", engine);
}

static void add_rate(struct json_object *row, const struct mortise_dm_measurement *m)
{
	const struct mortise_spread rate = {
		.runs = m->rate.runs,
		.min = m->rate.min / MIB,
		.median = m->rate.median / MIB,
		.p99 = m->rate.p99 / MIB,
	};

	if (rate.runs > 0)
		benchmark_add_metric(row, "throughput", mib_per_second, &rate);
	else
		benchmark_add_value(row, "throughput", mib_per_second, rate.median);
}

void dm_crypt_add_row(struct benchmark *b, const struct mortise_dm_measurement *m,
		      const char *engine)
{
	double joules = dm_crypt_joules_per_gib(m);
	char options[128], name[384];
	struct json_object *row;

	join_options(m->flags, options, sizeof(options));
	format_name(m, options, name, sizeof(name));
	row = benchmark_add_row(b, name);
	add_parameters(row, m, options, engine);
	add_rate(row, m);
	benchmark_add_value(row, "latencyP50", microseconds, (double)m->latency_p50_ns / 1e3);
	benchmark_add_value(row, "latencyP99", microseconds, (double)m->latency_p99_ns / 1e3);
	benchmark_add_value(row, "latencyP999", microseconds, (double)m->latency_p999_ns / 1e3);
	benchmark_add_value(row, "cpu", cpu_seconds, dm_crypt_cpu_per_gib(m));
	if (joules >= 0)
		benchmark_add_value(row, "energy", joules_per_gib, joules);
	if (m->bare_rate > 0)
		benchmark_add_value(row, "ofBare", share, m->rate.median / m->bare_rate);
}
