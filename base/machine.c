/* SPDX-License-Identifier: MIT */
/* The memory and CPUs of this machine, from /proc, the cgroups and the resource limits. */
#include "base/machine.h"

#include <inttypes.h>
#include <limits.h>
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/file.h"

/* meminfo has 1.5 KiB, memory.stat 1 to 4 KiB, /proc/self/cgroup a line for each controller. */
#define FILE_MAX 8192

const struct machine_files machine_files = { "/proc", "/sys/fs/cgroup" };

static bool read_text(const char *dir, const char *name, char text[static FILE_MAX])
{
	char path[PATH_MAX];

	return snprintf(path, sizeof(path), "%s/%s", dir, name) < (int)sizeof(path) &&
	       file_read_text(path, text, FILE_MAX) > 0;
}

/* Finds the number after label at the start of a line of text. */
static bool find_number(const char *text, const char *label, uint64_t *number)
{
	const size_t length = strlen(label);
	const char *line = text;

	while (line) {
		if (!strncmp(line, label, length))
			return sscanf(line + length, "%" SCNu64, number) == 1;
		line = strchr(line, '\n');
		if (line)
			line++;
	}
	return false;
}

static bool read_number(const char *dir, const char *name, uint64_t *number)
{
	char text[FILE_MAX];

	/* "max" means no limit; it is not a number, so this returns false. */
	return read_text(dir, name, text) && find_number(text, "", number);
}

static uint64_t add_saturating(uint64_t a, uint64_t b)
{
	return a > UINT64_MAX - b ? UINT64_MAX : a + b;
}

static uint64_t minimum(uint64_t a, uint64_t b)
{
	return a < b ? a : b;
}

/* The two interfaces of a controller. */
struct cgroup_version {
	/* Returns what the limit of one group leaves, UINT64_MAX if it has no limit. */
	uint64_t (*room)(const char *dir, const struct cgroup_version *version, uint64_t swap_free);
	const char *line;      /* start of its line in /proc/self/cgroup, after the number */
	const char *mounts[2]; /* below the root; hybrid systems mount version 2 at "unified" */
	const char *limit, *usage;
	const char *cache[2]; /* in memory.stat: file pages, reclaimed before the OOM killer runs */
	const char *swap_limit, *swap_usage;
};

static uint64_t group_room(const char *dir, const struct cgroup_version *version,
			   uint64_t swap_free);
static uint64_t group_cpus(const char *dir, const struct cgroup_version *version,
			   uint64_t swap_free);

static const struct cgroup_version memory_versions[] = {
	{
		.room = group_room,
		.line = "::",
		.mounts = { "", "/unified" },
		.limit = "memory.max",
		.usage = "memory.current",
		.cache = { "inactive_file ", "active_file " },
		.swap_limit = "memory.swap.max",
		.swap_usage = "memory.swap.current",
	},
	{
		.room = group_room,
		.line = ":memory:",
		.mounts = { "/memory" },
		.limit = "memory.limit_in_bytes",
		.usage = "memory.usage_in_bytes",
		.cache = { "total_inactive_file ", "total_active_file " },
	},
};

/* cpu.max contains "QUOTA PERIOD" in us; version 1 has a file for each. */
static const struct cgroup_version cpu_versions[] = {
	{ .room = group_cpus, .line = "::", .mounts = { "", "/unified" }, .limit = "cpu.max" },
	{
		.room = group_cpus,
		.line = ":cpu,cpuacct:",
		.mounts = { "/cpu,cpuacct" },
		.limit = "cpu.cfs_quota_us",
		.usage = "cpu.cfs_period_us",
	},
	{
		.room = group_cpus,
		.line = ":cpu:",
		.mounts = { "/cpu" },
		.limit = "cpu.cfs_quota_us",
		.usage = "cpu.cfs_period_us",
	},
};

static uint64_t group_room(const char *dir, const struct cgroup_version *version,
			   uint64_t swap_free)
{
	uint64_t limit, usage, cache, swap_limit = UINT64_MAX, swap_usage = 0;
	char stat[FILE_MAX];

	if (!read_number(dir, version->limit, &limit) || !read_number(dir, version->usage, &usage))
		return UINT64_MAX;
	limit -= minimum(limit, usage);
	if (read_text(dir, "memory.stat", stat))
		for (size_t i = 0; i < 2; i++)
			if (find_number(stat, version->cache[i], &cache))
				limit = add_saturating(limit, cache);
	if (!version->swap_limit)
		return limit;
	(void)read_number(dir, version->swap_limit, &swap_limit);
	(void)read_number(dir, version->swap_usage, &swap_usage);
	return add_saturating(limit,
			      minimum(swap_free, swap_limit - minimum(swap_limit, swap_usage)));
}

/* Returns the quota in CPUs, rounded up: half a CPU counts as one. */
static uint64_t group_cpus(const char *dir, const struct cgroup_version *version,
			   uint64_t swap_free)
{
	int64_t quota, period = 0;
	char text[FILE_MAX];
	uint64_t number;

	(void)swap_free;
	/* "max" and -1 mean no limit. */
	if (!read_text(dir, version->limit, text) ||
	    sscanf(text, "%" SCNd64 " %" SCNd64, &quota, &period) < 1 || quota <= 0)
		return UINT64_MAX;
	if (version->usage && read_number(dir, version->usage, &number) && number <= INT64_MAX)
		period = (int64_t)number;
	return period > 0 ? ((uint64_t)quota + (uint64_t)period - 1) / (uint64_t)period
			  : UINT64_MAX;
}

/* Checks the group and all groups above it, since each of them may have a limit. */
static uint64_t path_room(const char *mount, const char *path, const struct cgroup_version *version,
			  uint64_t swap_free)
{
	uint64_t room = UINT64_MAX;
	char dir[PATH_MAX];
	char *slash;
	int length;

	length = snprintf(dir, sizeof(dir), "%s%s", mount, path);
	if (length < 0 || (size_t)length >= sizeof(dir))
		return room;
	for (;;) {
		room = minimum(room, version->room(dir, version, swap_free));
		slash = strrchr(dir, '/');
		if (!slash || (size_t)(slash - dir) < strlen(mount))
			return room;
		*slash = '\0';
	}
}

static uint64_t cgroup_room(const struct machine_files *files, const struct cgroup_version *table,
			    size_t versions, uint64_t swap_free)
{
	uint64_t room = UINT64_MAX;
	char text[FILE_MAX], mount[PATH_MAX];
	char *line, *rest = text, *path;

	if (!read_text(files->proc, "self/cgroup", text))
		return room;
	while ((line = strsep(&rest, "\n"))) {
		for (size_t v = 0; v < versions; v++) {
			const struct cgroup_version *version = &table[v];

			path = strchr(line, ':');
			if (!path || strncmp(path, version->line, strlen(version->line)))
				continue;
			path += strlen(version->line);
			for (size_t m = 0; m < 2 && version->mounts[m]; m++) {
				snprintf(mount, sizeof(mount), "%s%s", files->cgroup,
					 version->mounts[m]);
				room = minimum(room, path_room(mount, path, version, swap_free));
			}
		}
	}
	return room;
}

static uint64_t address_room(const struct machine_files *files)
{
	struct rlimit limit;
	uint64_t pages, used;

	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY ||
	    !read_number(files->proc, "self/statm", &pages))
		return SIZE_MAX;
	used = pages * (uint64_t)sysconf(_SC_PAGESIZE);
	return limit.rlim_cur - minimum(limit.rlim_cur, used);
}

uint64_t machine_available(const struct machine_files *files)
{
	uint64_t available = UINT64_MAX, swap_kib = 0, kib;
	char meminfo[FILE_MAX];

	if (read_text(files->proc, "meminfo", meminfo)) {
		(void)find_number(meminfo, "SwapFree:", &swap_kib);
		if (find_number(meminfo, "MemAvailable:", &kib))
			available = add_saturating(kib, swap_kib) * 1024;
	}
	available = minimum(available, cgroup_room(files, memory_versions, 2, swap_kib * 1024));
	return minimum(available, address_room(files));
}

uint64_t machine_memory(const struct machine_files *files, bool *swap)
{
	uint64_t total = 0, swap_kib = 0;
	char meminfo[FILE_MAX];

	if (read_text(files->proc, "meminfo", meminfo)) {
		(void)find_number(meminfo, "MemTotal:", &total);
		(void)find_number(meminfo, "SwapTotal:", &swap_kib);
	}
	*swap = swap_kib > 0;
	return total * 1024;
}

static unsigned cpus_allowed(void)
{
	cpu_set_t allowed;
	long online;
	int count;

	/* Fails if the kernel supports more CPUs than the set has room for. */
	if (!sched_getaffinity(0, sizeof(allowed), &allowed)) {
		count = CPU_COUNT(&allowed);
		return count > 0 ? (unsigned)count : 1;
	}
	online = sysconf(_SC_NPROCESSORS_ONLN);
	return online > 0 ? (unsigned)online : 1;
}

unsigned machine_quota(const struct machine_files *files)
{
	const uint64_t cpus = cgroup_room(files, cpu_versions, 3, 0);

	return cpus < UINT_MAX ? (unsigned)cpus : UINT_MAX;
}

unsigned machine_cpus(void)
{
	return (unsigned)minimum(cpus_allowed(), machine_quota(&machine_files));
}
