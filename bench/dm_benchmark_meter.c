/* SPDX-License-Identifier: MIT */
#include "bench/dm_benchmark_meter.h"

#include <inttypes.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/file.h"

/* /proc/crypto has 100 KiB on a machine that has loaded every cipher. */
#define CRYPTO_ROOM (256u << 10)

const struct bench_files bench_files = { "/proc", "/sys" };

static void read_file(const char *dir, const char *name, char *text, size_t room)
{
	char path[PATH_MAX];

	text[0] = '\0';
	if (snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path))
		(void)file_read_text(path, text, room);
}

/*
 * Reads packages only: they include their subzones (intel-rapl:0:0), and intel-rapl-mmio counts the
 * same energy again.
 */
static void read_energy(const struct bench_files *files, struct bench_meter *meter)
{
	char name[80], text[32];

	for (unsigned i = 0; i < BENCH_PACKAGES_MAX; i++) {
		uint64_t energy, range;

		snprintf(name, sizeof(name), "class/powercap/intel-rapl:%u/energy_uj", i);
		read_file(files->sys, name, text, sizeof(text));
		if (sscanf(text, "%" SCNu64, &energy) != 1)
			break;
		snprintf(name, sizeof(name), "class/powercap/intel-rapl:%u/max_energy_range_uj", i);
		read_file(files->sys, name, text, sizeof(text));
		if (sscanf(text, "%" SCNu64, &range) != 1)
			break;
		meter->energy_uj[i] = energy;
		meter->energy_range_uj[i] = range;
		meter->packages = i + 1;
	}
}

void bench_meter_read(const struct bench_files *files, struct bench_meter *meter)
{
	uint64_t user, nice, system, idle, wait, irq, softirq;
	uint64_t tick = (uint64_t)sysconf(_SC_CLK_TCK);
	char text[512];

	memset(meter, 0, sizeof(*meter));
	read_file(files->proc, "stat", text, sizeof(text));
	/* proc(5). The next field is stolen time, which this machine did not use. */
	if (sscanf(text,
		   "cpu %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64 " %" SCNu64
		   " %" SCNu64,
		   &user, &nice, &system, &idle, &wait, &irq, &softirq) == 7)
		meter->cpu_us = (user + nice + system + irq + softirq) * 1000000 / tick;
	read_energy(files, meter);
}

uint64_t bench_meter_cpu(const struct bench_meter *before, const struct bench_meter *after)
{
	return after->cpu_us > before->cpu_us ? after->cpu_us - before->cpu_us : 0;
}

uint64_t bench_meter_energy(const struct bench_meter *before, const struct bench_meter *after)
{
	uint64_t sum = 0;

	if (!before->packages || before->packages != after->packages)
		return UINT64_MAX;
	for (uint32_t i = 0; i < after->packages; i++) {
		if (after->energy_uj[i] < before->energy_uj[i])
			sum += after->energy_range_uj[i];
		sum += after->energy_uj[i] - before->energy_uj[i];
	}
	return sum;
}

/* Both "aes-xts-plain64" and "capi:xts(aes)-plain64" give "xts(aes)"; dm-crypt computes the IV. */
static bool get_algorithm(const char *cipher, char *name, size_t room)
{
	const char *dash, *second;
	int used;

	if (!strncmp(cipher, "capi:", 5)) {
		cipher += 5;
		dash = strrchr(cipher, '-');
		used = snprintf(name, room, "%.*s",
				(int)(dash ? (size_t)(dash - cipher) : strlen(cipher)), cipher);
		return used > 0 && (size_t)used < room;
	}
	dash = strchr(cipher, '-');
	if (!dash)
		return false;
	second = strchr(dash + 1, '-');
	used = snprintf(name, room, "%.*s(%.*s)",
			(int)(second ? (size_t)(second - dash - 1) : strlen(dash + 1)), dash + 1,
			(int)(dash - cipher), cipher);
	return used > 0 && (size_t)used < room;
}

/* Reads the value of "key      : value" in a paragraph of /proc/crypto; false without the key. */
static bool read_field(const char *paragraph, const char *end, const char *key, char *value,
		       size_t room)
{
	const size_t length = strlen(key);
	const char *line = paragraph;

	while (line && line < end) {
		const char *next = strchr(line, '\n');
		const char *colon = strchr(line, ':');

		if (!strncmp(line, key, length) && line[length] == ' ' && colon && next &&
		    colon < next) {
			snprintf(value, room, "%.*s", (int)(next - colon - 2), colon + 2);
			return true;
		}
		line = next ? next + 1 : NULL;
	}
	return false;
}

void bench_driver(const char *crypto, const char *cipher, char driver[static BENCH_DRIVER_MAX])
{
	char wanted[BENCH_DRIVER_MAX], value[BENCH_DRIVER_MAX];
	const char *at = crypto, *end;
	long best = -1;

	driver[0] = '\0';
	if (!get_algorithm(cipher, wanted, sizeof(wanted)))
		return;
	for (; *at; at = *end ? end + 2 : end) {
		long priority;

		end = strstr(at, "\n\n");
		if (!end)
			end = at + strlen(at);
		/* end is the newline at the end of the paragraph's last line. */
		if (!read_field(at, end, "name", value, sizeof(value)) || strcmp(value, wanted) ||
		    !read_field(at, end, "internal", value, sizeof(value)) || strcmp(value, "no") ||
		    !read_field(at, end, "priority", value, sizeof(value)))
			continue;
		priority = strtol(value, NULL, 10);
		if (priority > best && read_field(at, end, "driver", driver, BENCH_DRIVER_MAX))
			best = priority;
	}
}

void bench_driver_here(const struct bench_files *files, const char *cipher,
		       char driver[static BENCH_DRIVER_MAX])
{
	char *text = malloc(CRYPTO_ROOM);

	driver[0] = '\0';
	if (!text)
		return;
	read_file(files->proc, "crypto", text, CRYPTO_ROOM);
	bench_driver(text, cipher, driver);
	free(text);
}
