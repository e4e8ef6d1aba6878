/* SPDX-License-Identifier: MIT */
/* Measurements, plans and advice of "benchmark dm-crypt", without device-mapper. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bench/dm_benchmark_advice.h"
#include "bench/dm_benchmark_io.h"

static int by_size(const void *a, const void *b)
{
	const uint64_t *left = a, *right = b;

	return (*left > *right) - (*left < *right);
}

/* Compared with sorting: at least the true value, and at most 1/32 above it. */
static void latency_percentiles(void **state)
{
	enum { COUNT = 20000 };
	static const uint32_t permilles[] = { 1, 500, 900, 990, 999, 1000 };
	static uint64_t values[COUNT];
	static struct bench_latency latency, half;
	uint64_t x = 88172645463325252u;

	(void)state;
	assert_int_equal(bench_latency_percentile(&latency, 500), 0);
	for (size_t i = 0; i < COUNT; i++) {
		x ^= x << 13;
		x ^= x >> 7;
		x ^= x << 17;
		/* From 0 ns to 17 s, the same number in each octave. */
		values[i] = x >> (30 + x % 34);
		bench_latency_add(i % 2 ? &latency : &half, values[i]);
	}
	bench_latency_merge(&latency, &half);
	qsort(values, COUNT, sizeof(values[0]), by_size);
	for (size_t p = 0; p < sizeof(permilles) / sizeof(permilles[0]); p++) {
		uint64_t exact = values[(COUNT * permilles[p] + 999) / 1000 - 1];
		uint64_t got = bench_latency_percentile(&latency, permilles[p]);

		assert_true(got >= exact && got <= exact + exact / 32);
	}
}

static void latency_beyond_its_end(void **state)
{
	static struct bench_latency latency;

	(void)state;
	bench_latency_add(&latency, UINT64_MAX);
	assert_true(bench_latency_percentile(&latency, 999) > UINT64_C(1) << 40);
}

/* Parts of /proc/crypto of Debian's Linux 6.1 on a machine with AES-NI, with dm-crypt in use. */
static const char crypto[] = "name         : xts(aes)\n"
			     "driver       : xts(ecb(aes-generic))\n"
			     "module       : xts\n"
			     "priority     : 100\n"
			     "refcnt       : 1\n"
			     "selftest     : passed\n"
			     "internal     : no\n"
			     "type         : skcipher\n"
			     "\n"
			     "name         : xts(aes)\n"
			     "driver       : xts-aes-aesni\n"
			     "module       : kernel\n"
			     "priority     : 401\n"
			     "refcnt       : 3\n"
			     "selftest     : passed\n"
			     "internal     : no\n"
			     "type         : skcipher\n"
			     "\n"
			     "name         : __xts(aes)\n"
			     "driver       : __xts-aes-aesni\n"
			     "module       : aesni_intel\n"
			     "priority     : 401\n"
			     "internal     : yes\n"
			     "\n"
			     "name         : cbc(aes)\n"
			     "driver       : cbc-aes-hidden\n"
			     "priority     : 900\n"
			     "internal     : yes\n"
			     "\n"
			     "name         : cbc(aes)\n"
			     "driver       : cbc-aes-aesni\n"
			     "priority     : 400\n"
			     "internal     : no\n"
			     "\n"
			     "name         : adiantum(xchacha12,aes)\n"
			     "driver       : adiantum(xchacha12-simd,aes-aesni,nhpoly1305-avx2)\n"
			     "module       : adiantum\n"
			     "priority     : 350\n"
			     "refcnt       : 2\n"
			     "selftest     : passed\n"
			     "internal     : no\n"
			     "type         : skcipher\n"
			     "\n";

static void expect_driver(const char *text, const char *cipher, const char *expected)
{
	char driver[BENCH_DRIVER_MAX];

	bench_driver(text, cipher, driver);
	assert_string_equal(driver, expected);
}

static void drivers(void **state)
{
	(void)state;
	expect_driver(crypto, "aes-xts-plain64", "xts-aes-aesni");
	expect_driver(crypto, "capi:xts(aes)-plain64", "xts-aes-aesni");
	expect_driver(crypto, "aes-cbc-essiv:sha256", "cbc-aes-aesni");
	expect_driver(crypto, "xchacha12,aes-adiantum-plain64",
		      "adiantum(xchacha12-simd,aes-aesni,nhpoly1305-avx2)");
	expect_driver(crypto, "xchacha20,aes-adiantum-plain64", "");
	expect_driver(crypto, "serpent-xts-plain64", "");
	expect_driver(crypto, "aes", "");
	expect_driver("", "aes-xts-plain64", "");
	/* Truncated, like a file larger than the buffer. */
	expect_driver("name         : xts(aes)\ndriver       : x", "aes-xts-plain64", "");
}

static void put(const char *dir, const char *name, const char *text)
{
	char path[512];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", dir, name);
	for (char *slash = strchr(path + strlen(dir) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(path, 0755);
		*slash = '/';
	}
	file = fopen(path, "w");
	assert_non_null(file);
	assert_true(fputs(text, file) >= 0);
	assert_int_equal(fclose(file), 0);
}

static void meters(void **state)
{
	char dir[] = "/tmp/mortise-meter.XXXXXX", command[64];
	struct bench_meter before, after;
	struct bench_files files;

	(void)state;
	assert_non_null(mkdtemp(dir));
	files = (struct bench_files){ dir, dir };
	/* user nice system idle iowait irq softirq steal: in ticks of 10 ms */
	put(dir, "stat", "cpu  100 10 50 9000 70 3 7 800 0 0\ncpu0 1 1 1 1 1 1 1 1 0 0\n");
	bench_meter_read(&files, &before);
	assert_int_equal(bench_meter_energy(&before, &before), UINT64_MAX);
	put(dir, "class/powercap/intel-rapl:0/energy_uj", "262143000000\n");
	put(dir, "class/powercap/intel-rapl:0/max_energy_range_uj", "262143328850\n");
	put(dir, "class/powercap/intel-rapl:1/energy_uj", "5000000\n");
	put(dir, "class/powercap/intel-rapl:1/max_energy_range_uj", "262143328850\n");
	/* A subzone of package 0, which already includes its energy. */
	put(dir, "class/powercap/intel-rapl:0:0/energy_uj", "999\n");
	bench_meter_read(&files, &before);
	put(dir, "stat", "cpu  110 10 90 9900 99 3 7 900 0 0\n");
	put(dir, "class/powercap/intel-rapl:0/energy_uj", "1000000\n");
	put(dir, "class/powercap/intel-rapl:1/energy_uj", "7500000\n");
	bench_meter_read(&files, &after);
	assert_int_equal(bench_meter_cpu(&before, &after), 50 * 1000000 / sysconf(_SC_CLK_TCK));
	/* The counter of package 0 has wrapped: 328850 uJ to its end, and 1000000 uJ more. */
	assert_int_equal(bench_meter_energy(&before, &after), 328850 + 1000000 + 2500000);
	snprintf(command, sizeof(command), "rm -r %s", dir);
	assert_int_equal(system(command), 0);
}

/* A plan has no duplicates, fits the memory, and has no writes unless they are allowed. */
static void check_plan(const struct bench_plan *plan, const struct bench_scope *scope)
{
	assert_false(plan->no_memory);
	assert_true(plan->count > 0);
	for (size_t i = 0; i < plan->count; i++) {
		const struct bench_case *one = &plan->cases[i];

		assert_true(scope->writes || !one->write);
		assert_true(one->depth >= 1 && one->depth <= BENCH_DEPTH_MAX);
		assert_true(one->volumes >= 1 && one->volumes <= BENCH_VOLUMES_MAX);
		assert_true((uint64_t)one->depth * one->block_size * one->volumes <=
				    scope->bytes_max ||
			    one->depth == 1);
		for (size_t j = 0; j < i; j++) {
			const struct bench_case *other = &plan->cases[j];

			assert_false(bench_same_setup(one, other) && one->write == other->write &&
				     one->depth == other->depth &&
				     one->block_size == other->block_size);
		}
	}
}

static void plans(void **state)
{
	const struct bench_cipher aes = { "aes-xts-plain64", 64, true };
	struct bench_plan plan = { 0 };
	size_t whole;

	(void)state;
	for (unsigned kind = 0; kind < 8; kind++) {
		struct bench_scope scope = {
			.quick = kind & 1,
			.writes = kind & 2,
			.bytes_max = kind & 4 ? 1u << 20 : 16u << 20,
		};

		bench_plan_ciphers(&plan, &scope);
		check_plan(&plan, &scope);
		assert_null(plan.cases[0].cipher);
		whole = plan.count;
		/* The second part repeats no case of the first. */
		bench_plan_options(&plan, &scope, &aes, 4096);
		assert_true(plan.count > whole);
		check_plan(&plan, &scope);
		bench_plan_clear(&plan);
		scope.only = aes;
		bench_plan_ciphers(&plan, &scope);
		check_plan(&plan, &scope);
		assert_true(plan.count < whole);
		bench_plan_clear(&plan);
	}
}

#define NONE	  0
#define BOTH	  (MORTISE_NO_READ_WORKQUEUE | MORTISE_NO_WRITE_WORKQUEUE)
#define SUBMIT	  MORTISE_SUBMIT_FROM_CRYPT_CPUS
#define AES	  "aes-xts-plain64", 64
#define AES_SHORT "aes-xts-plain64", 32
#define ADIANTUM  "xchacha12,aes-adiantum-plain64", 32

/* A set of dm-crypt options, its rate in MiB/s, and p99 in microseconds. */
struct row {
	const char *cipher;
	uint32_t key_size, sector_size, flags;
	unsigned rate, p99;
};

static struct mortise_dm_measurement measurement(const struct row *row)
{
	return (struct mortise_dm_measurement){
		.backing = MORTISE_DM_RAM,
		.cipher = row->cipher,
		.key_size = row->key_size,
		.sector_size = row->sector_size,
		.flags = row->flags,
		.driver = "",
		.block_size = 4096,
		.depth = 16,
		.volumes = 1,
		.rate = { 7, row->rate, row->rate, row->rate },
		.latency_p99_ns = row->p99 * 1000u,
	};
}

struct expected {
	const char *cipher;
	uint32_t key_size, sector_size, flags;
};

static void advise(const struct row *rows, size_t count, const struct expected *expected)
{
	struct mortise_dm_measurement list[16];
	const struct bench_results results = { list, count };
	struct mortise_dm_advice advice;
	char reason[BENCH_REASON_MAX];

	for (size_t i = 0; i < count; i++)
		list[i] = measurement(&rows[i]);
	assert_true(bench_advise(&results, &advice, reason));
	assert_string_equal(advice.cipher, expected->cipher);
	assert_int_equal(advice.key_size, expected->key_size);
	assert_int_equal(advice.sector_size, expected->sector_size);
	assert_int_equal(advice.flags, expected->flags);
	assert_true(strlen(advice.reason) > 40);
}

#define ADVISE(rows, ...) \
	advise(rows, sizeof(rows) / sizeof((rows)[0]), &(struct expected){ __VA_ARGS__ })

static void advice_with_aes(void **state)
{
	static const struct row rows[] = {
		{ AES, 4096, NONE, 1000, 100 },
		{ AES, 512, NONE, 600, 150 },
		{ AES_SHORT, 4096, NONE, 1400, 90 },
		{ ADIANTUM, 4096, NONE, 1050, 90 },
		{ AES, 4096, BOTH, 1200, 60 },
		/* Faster, but the configuration has no such option. */
		{ AES, 4096, SUBMIT, 2000, 60 },
	};

	(void)state;
	ADVISE(rows, AES, 4096, BOTH);
}

static void advice_without_aes_instructions(void **state)
{
	static const struct row rows[] = {
		{ AES, 4096, NONE, 60, 900 },	    { AES, 512, NONE, 55, 950 },
		{ ADIANTUM, 4096, NONE, 180, 300 }, { ADIANTUM, 512, NONE, 80, 700 },
		{ ADIANTUM, 4096, BOTH, 183, 290 },
	};

	(void)state;
	ADVISE(rows, ADIANTUM, 4096, NONE);
}

static void advice_considers_the_slowest(void **state)
{
	static const struct row rows[] = {
		{ AES, 4096, NONE, 1000, 100 },
		{ AES, 4096, BOTH, 1200, 900 },
	};

	(void)state;
	ADVISE(rows, AES, 4096, NONE);
}

static void advice_small_sectors(void **state)
{
	static const struct row rows[] = {
		{ AES, 4096, NONE, 1000, 100 },
		{ AES, 512, NONE, 1300, 100 },
	};

	(void)state;
	ADVISE(rows, AES, 512, NONE);
}

static void no_advice(void **state)
{
	static const struct row bare = { "", 0, 0, 0, 5000, 10 };
	struct mortise_dm_measurement list[1];
	struct bench_results results = { list, 0 };
	struct mortise_dm_advice advice;
	char reason[BENCH_REASON_MAX];

	(void)state;
	list[0] = measurement(&bare);
	assert_false(bench_advise(&results, &advice, reason));
	results.count = 1;
	assert_false(bench_advise(&results, &advice, reason));
}

/* Both I/O engines on a file: every request is completed, and a short device gives an error. */
static void requests(void **state)
{
	char path[] = "/tmp/mortise-requests.XXXXXX";
	int fd = mkstemp(path);
	static struct bench_tally tally;
	struct mortise_error err;
	struct bench_job job = {
		.fds = &fd,
		.volumes = 1,
		.size = 1u << 20,
		.write = true,
		.block_size = 4096,
		.depth = 4,
		.jobs = 2,
		.duration_ns = 40000000,
	};

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(ftruncate(fd, 1 << 20), 0);
	for (int engine = BENCH_URING; engine <= BENCH_THREADS; engine++) {
		uint64_t sum = 0;

		job.engine = engine == BENCH_URING ? bench_engine_choose() : BENCH_THREADS;
		job.jobs = job.engine == BENCH_URING ? 2 : 4;
		job.size = 1u << 20;
		assert_int_equal(bench_job_run(&job, &tally, &err), MORTISE_OK);
		for (size_t i = 0; i < BENCH_SLICES; i++)
			sum += tally.slices[i];
		assert_true(tally.bytes > 0 && tally.bytes % job.block_size == 0);
		assert_true(sum <= tally.bytes);
		/* The first slice is warm-up; the last requests may end after the duration. */
		assert_int_equal(tally.latency.count,
				 (tally.bytes - tally.slices[0]) / job.block_size);
		assert_true(tally.duration_ns >= job.duration_ns);
		job.write = false;
		job.size = UINT64_C(1) << 40;
		assert_int_equal(bench_job_run(&job, &tally, &err), MORTISE_E_SYSTEM);
		job.write = true;
	}
	close(fd);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(latency_percentiles),
		cmocka_unit_test(latency_beyond_its_end),
		cmocka_unit_test(drivers),
		cmocka_unit_test(meters),
		cmocka_unit_test(plans),
		cmocka_unit_test(advice_with_aes),
		cmocka_unit_test(advice_without_aes_instructions),
		cmocka_unit_test(advice_considers_the_slowest),
		cmocka_unit_test(advice_small_sectors),
		cmocka_unit_test(no_advice),
		cmocka_unit_test(requests),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
