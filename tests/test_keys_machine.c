/* SPDX-License-Identifier: MIT */
/* How much memory a KDF may use: meminfo, cgroups, limits; and the error if it needs more. */
#include <ftw.h>
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "keys/argon2_cost.h"
#include "keys/kdf.h"
#include "base/machine.h"

#define MIB (UINT64_C(1) << 20)

/* A machine is a list of files; a path that ends with '/' is a directory. */
struct file {
	const char *path, *text;
};

#define FILES_MAX 12

static const struct {
	const char *what;
	struct file files[FILES_MAX];
	uint64_t available, memory;
	bool swap;
	uint32_t cap_mib;
} machines[] = {
	{
		.what = "no files",
		.available = UINT64_MAX,
		.cap_mib = UINT32_MAX / 1024,
	},
	{
		.what = "8 GiB, no cgroups",
		.files = { { "proc/meminfo", "MemTotal:        8388608 kB\nMemFree: 1 kB\n"
					     "MemAvailable:    6291456 kB\nSwapTotal: 0 kB\n"
					     "SwapFree:       0 kB\n" } },
		.available = 6144 * MIB,
		.memory = 8192 * MIB,
		.cap_mib = 4096,
	},
	{
		.what = "swap is available memory",
		.files = { { "proc/meminfo", "MemTotal: 2097152 kB\nMemAvailable: 524288 kB\n"
					     "SwapTotal: 2097152 kB\nSwapFree: 1048576 kB\n" } },
		.available = 1536 * MIB,
		.memory = 2048 * MIB,
		.swap = true,
		.cap_mib = 1024,
	},
	{
		.what = "2 GiB without swap: half of what is available",
		.files = { { "proc/meminfo", "MemTotal: 2097152 kB\nMemAvailable: 524288 kB\n"
					     "SwapTotal: 0 kB\nSwapFree: 0 kB\n" } },
		.available = 512 * MIB,
		.memory = 2048 * MIB,
		.cap_mib = 256,
	},
	{
		.what = "64 MiB: the same cap",
		.files = { { "proc/meminfo", "MemTotal: 65536 kB\nMemAvailable: 32768 kB\n"
					     "SwapTotal: 0 kB\nSwapFree: 0 kB\n" } },
		.available = 32 * MIB,
		.memory = 64 * MIB,
		.cap_mib = 16,
	},
	{
		.what = "version 2: the parent's limit applies, its cache is available",
		.files = {
			{ "proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 6291456 kB\n" },
			{ "proc/self/cgroup", "0::/system.slice/mortise.service\n" },
			{ "cgroup/system.slice/mortise.service/memory.max", "max\n" },
			{ "cgroup/system.slice/mortise.service/memory.current", "1048576\n" },
			{ "cgroup/system.slice/memory.max", "536870912\n" },
			{ "cgroup/system.slice/memory.current", "268435456\n" },
			{ "cgroup/system.slice/memory.stat", "anon 5\nfile 7\nactive_file 1048576\n"
							     "inactive_file 2097152\n" },
		},
		.available = (256 + 3) * MIB,
		.memory = 8192 * MIB,
		.cap_mib = 259,
	},
	{
		.what = "version 2: swap up to the cgroup's limit",
		.files = {
			{ "proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 6291456 kB\n"
					  "SwapTotal: 4194304 kB\nSwapFree: 4194304 kB\n" },
			{ "proc/self/cgroup", "0::/a\n" },
			{ "cgroup/a/memory.max", "104857600\n" },
			{ "cgroup/a/memory.current", "209715200\n" },
			{ "cgroup/a/memory.swap.max", "20971520\n" },
			{ "cgroup/a/memory.swap.current", "10485760\n" },
		},
		.available = 10 * MIB,
		.memory = 8192 * MIB,
		.swap = true,
		.cap_mib = 10,
	},
	{
		.what = "hybrid: version 2 without controllers, version 1 limits",
		.files = {
			{ "proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 6291456 kB\n" },
			{ "proc/self/cgroup", "9:name=systemd:/\n4:memory:/box/one\n0::/\n" },
			{ "cgroup/unified/", NULL },
			{ "cgroup/memory/memory.limit_in_bytes", "9223372036854771712\n" },
			{ "cgroup/memory/memory.usage_in_bytes", "734003200\n" },
			{ "cgroup/memory/box/memory.limit_in_bytes", "134217728\n" },
			{ "cgroup/memory/box/memory.usage_in_bytes", "67108864\n" },
			{ "cgroup/memory/box/memory.stat", "inactive_file 1\n"
							   "total_inactive_file 1048576\n"
							   "total_active_file 0\n" },
		},
		.available = 65 * MIB,
		.memory = 8192 * MIB,
		.cap_mib = 65,
	},
	{
		.what = "a namespace hides the path: its root is used",
		.files = {
			{ "proc/meminfo", "MemTotal: 8388608 kB\nMemAvailable: 6291456 kB\n" },
			{ "proc/self/cgroup", "4:memory:/docker/0123\n" },
			{ "cgroup/memory/memory.limit_in_bytes", "104857600\n" },
			{ "cgroup/memory/memory.usage_in_bytes", "52428800\n" },
		},
		.available = 50 * MIB,
		.memory = 8192 * MIB,
		.cap_mib = 50,
	},
};

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *ftw)
{
	(void)st;
	(void)type;
	(void)ftw;
	return remove(path);
}

static void put_file(const char *root, const struct file *file)
{
	char path[512];
	FILE *out;

	snprintf(path, sizeof(path), "%s/%s", root, file->path);
	for (char *slash = path + strlen(root) + 1; (slash = strchr(slash, '/')); slash++) {
		*slash = '\0';
		mkdir(path, 0700);
		*slash = '/';
	}
	if (!file->text)
		return;
	out = fopen(path, "w");
	assert_non_null(out);
	assert_true(fputs(file->text, out) >= 0);
	assert_int_equal(fclose(out), 0);
}

static void test_machines(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(machines) / sizeof(machines[0]); i++) {
		char root[] = "/tmp/mortise-test-XXXXXX", proc[64], cgroup[64];
		const struct machine_files files = { proc, cgroup };
		uint64_t available, memory;
		uint32_t cap;
		bool swap;

		/* More than the address space of a 32-bit process. */
		if (machines[i].available > SIZE_MAX)
			continue;
		assert_non_null(mkdtemp(root));
		snprintf(proc, sizeof(proc), "%s/proc", root);
		snprintf(cgroup, sizeof(cgroup), "%s/cgroup", root);
		for (size_t f = 0; f < FILES_MAX && machines[i].files[f].path; f++)
			put_file(root, &machines[i].files[f]);
		available = machine_available(&files);
		memory = machine_memory(&files, &swap);
		cap = keys_argon2_memory_cap(&files);
		assert_int_equal(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
		if (available != machines[i].available || memory != machines[i].memory ||
		    swap != machines[i].swap || cap / 1024 != machines[i].cap_mib)
			fail_msg("%s: available %ju, memory %ju, swap %d, cap %u KiB",
				 machines[i].what, (uintmax_t)available, (uintmax_t)memory, swap,
				 cap);
	}
}

/* CPU quotas from the kernel documentation of both controller versions. */
static const struct {
	const char *what;
	struct file files[FILES_MAX];
	unsigned cpus;
} quotas[] = {
	{ .what = "no cgroups", .cpus = UINT_MAX },
	{
		.what = "version 2 without a limit",
		.files = { { "proc/self/cgroup", "0::/a\n" },
			   { "cgroup/a/cpu.max", "max 100000\n" } },
		.cpus = UINT_MAX,
	},
	{
		.what = "version 2: 1.5 processors, 3 in the parent",
		.files = { { "proc/self/cgroup", "0::/a/b\n" },
			   { "cgroup/a/cpu.max", "300000 100000\n" },
			   { "cgroup/a/b/cpu.max", "75000 50000\n" } },
		.cpus = 2,
	},
	{
		.what = "version 2: the parent's limit applies",
		.files = { { "proc/self/cgroup", "0::/a/b\n" },
			   { "cgroup/a/cpu.max", "20000 100000\n" },
			   { "cgroup/a/b/cpu.max", "max 100000\n" } },
		.cpus = 1,
	},
	{
		.what = "version 1",
		.files = { { "proc/self/cgroup", "3:cpu,cpuacct:/a\n0::/\n" },
			   { "cgroup/cpu,cpuacct/cpu.cfs_quota_us", "-1\n" },
			   { "cgroup/cpu,cpuacct/cpu.cfs_period_us", "100000\n" },
			   { "cgroup/cpu,cpuacct/a/cpu.cfs_quota_us", "400000\n" },
			   { "cgroup/cpu,cpuacct/a/cpu.cfs_period_us", "100000\n" } },
		.cpus = 4,
	},
	{
		.what = "an invalid limit is ignored",
		.files = { { "proc/self/cgroup", "0::/a\n" },
			   { "cgroup/a/cpu.max", "100000 0\n" } },
		.cpus = UINT_MAX,
	},
};

static void test_quotas(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(quotas) / sizeof(quotas[0]); i++) {
		char root[] = "/tmp/mortise-test-XXXXXX", proc[64], cgroup[64];
		const struct machine_files files = { proc, cgroup };
		unsigned cpus;

		assert_non_null(mkdtemp(root));
		snprintf(proc, sizeof(proc), "%s/proc", root);
		snprintf(cgroup, sizeof(cgroup), "%s/cgroup", root);
		for (size_t f = 0; f < FILES_MAX && quotas[i].files[f].path; f++)
			put_file(root, &quotas[i].files[f]);
		cpus = machine_quota(&files);
		assert_int_equal(nftw(root, remove_one, 8, FTW_DEPTH | FTW_PHYS), 0);
		if (cpus != quotas[i].cpus)
			fail_msg("%s: %u processors", quotas[i].what, cpus);
	}
}

static uint64_t address_space(void)
{
	FILE *statm = fopen("/proc/self/statm", "r");
	unsigned long pages = 0;

	assert_non_null(statm);
	assert_int_equal(fscanf(statm, "%lu", &pages), 1);
	fclose(statm);
	return (uint64_t)pages * (uint64_t)sysconf(_SC_PAGESIZE);
}

static void test_fits_address_limit(void **state)
{
	const struct mortise_kdf large = {
		.type = MORTISE_KDF_ARGON2ID, .time = 4, .memory_kib = 1048576, .lanes = 4
	};
	const struct mortise_kdf small = {
		.type = MORTISE_KDF_ARGON2ID, .time = 4, .memory_kib = 4096, .lanes = 4
	};
	const struct mortise_kdf pbkdf2 = { .type = MORTISE_KDF_PBKDF2, .memory_kib = 1048576 };
	enum mortise_code code_large, code_small, code_pbkdf2;
	struct rlimit before, lowered, limit;
	struct mortise_error err;
	unsigned available = 0;
	int end = 0;

	(void)state;
	assert_int_equal(getrlimit(RLIMIT_AS, &before), 0);
	lowered = before;
	lowered.rlim_cur = address_space() + 64 * MIB;
	assert_int_equal(setrlimit(RLIMIT_AS, &lowered), 0);
	/* QEMU's user emulation ignores it. */
	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur != lowered.rlim_cur)
		skip();
	code_large = keys_kdf_fits(&large, "keyslot 0", &err);
	code_small = keys_kdf_fits(&small, "keyslot 0", NULL);
	code_pbkdf2 = keys_kdf_fits(&pbkdf2, "keyslot 0", NULL);
	assert_int_equal(setrlimit(RLIMIT_AS, &before), 0);
	assert_int_equal(code_large, MORTISE_E_MEMORY);
	assert_int_equal(code_small, MORTISE_OK);
	assert_int_equal(code_pbkdf2, MORTISE_OK);
	assert_int_equal(sscanf(err.text, "keyslot 0 needs 1024 MiB, %u MiB is available%n",
				&available, &end),
			 1);
	assert_true(end > 0);
	assert_in_range(available, 32, 64);
}

static void test_this_machine(void **state)
{
	bool swap;

	(void)state;
	assert_true(machine_cpus() >= 1);
	assert_true(machine_cpus() <= (unsigned)sysconf(_SC_NPROCESSORS_CONF));
	assert_true(machine_memory(&machine_files, &swap) > MIB);
	assert_true(machine_available(&machine_files) > MIB);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_machines),
		cmocka_unit_test(test_quotas),
		cmocka_unit_test(test_fits_address_limit),
		cmocka_unit_test(test_this_machine),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
