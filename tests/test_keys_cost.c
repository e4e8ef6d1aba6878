/* SPDX-License-Identifier: MIT */
/* Choosing a cost: bounds and their errors, and the search on machines of a known speed. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "keys/argon2_cost.h"
#include "keys/kdf.h"
#include "base/machine.h"

#define SIZE .struct_size = sizeof(struct mortise_kdf_choice)
#define ID   MORTISE_KDF_ARGON2ID
#define PB   MORTISE_KDF_PBKDF2

/* Messages of cryptsetup: lib/utils_pbkdf.c of 2.6.1 and, for the parallel cost, of 2.8.1. */
static const struct {
	struct mortise_kdf_choice choice;
	enum mortise_code code;
	const char *text;
} refused[] = {
	{ { SIZE, .type = ID, .forced_time = 3, .memory_kib = 32, .lanes = 1 },
	  MORTISE_E_USAGE,
	  "Forced iteration count is too low for argon2id (minimum is 4)." },
	{ { SIZE, .type = MORTISE_KDF_ARGON2I, .forced_time = 3 },
	  MORTISE_E_USAGE,
	  "Forced iteration count is too low for argon2i (minimum is 4)." },
	{ { SIZE, .type = ID, .forced_time = 4, .memory_kib = 31 },
	  MORTISE_E_USAGE,
	  "Forced memory cost is too low for argon2id (minimum is 32 kilobytes)." },
	{ { SIZE, .type = ID, .memory_kib = 31 },
	  MORTISE_E_USAGE,
	  "Requested maximum PBKDF memory cost is too low (minimum is 32 kilobytes)." },
	{ { SIZE, .type = ID, .forced_time = 4, .memory_kib = 4194305 },
	  MORTISE_E_USAGE,
	  "Requested maximum PBKDF memory cost is too high (maximum is 4194304 kilobytes)." },
	{ { SIZE, .type = ID, .memory_kib = 4194305 },
	  MORTISE_E_USAGE,
	  "Requested maximum PBKDF memory cost is too high (maximum is 4194304 kilobytes)." },
	{ { SIZE, .type = ID, .forced_time = 4, .lanes = 5 },
	  MORTISE_E_USAGE,
	  "Requested maximum PBKDF parallel cost is too high (maximum is 4)." },
	{ { SIZE, .type = PB, .forced_time = 999 },
	  MORTISE_E_USAGE,
	  "Forced iteration count is too low for pbkdf2 (minimum is 1000)." },
	{ { SIZE, .type = PB, .forced_time = 1000, .memory_kib = 32 },
	  MORTISE_E_USAGE,
	  "PBKDF max memory or parallel threads must not be set with pbkdf2." },
	{ { SIZE, .type = PB, .forced_time = 1000, .lanes = 1 },
	  MORTISE_E_USAGE,
	  "PBKDF max memory or parallel threads must not be set with pbkdf2." },
	{ { SIZE, .type = PB, .forced_time = 1000, .hash = "shake128" },
	  MORTISE_E_UNSUPPORTED,
	  "Requested hash shake128 is not supported." },
	{ { SIZE, .type = (enum mortise_kdf_type)9 }, MORTISE_E_USAGE, "Unknown PBKDF type 9." },
};

static void test_refused(void **state)
{
	struct mortise_error err;
	struct mortise_kdf kdf;

	(void)state;
	for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
		assert_int_equal(keys_kdf_choose(&refused[i].choice, 64, NULL, &kdf, &err),
				 refused[i].code);
		assert_string_equal(err.text, refused[i].text);
	}
}

/* Forced values are used unchanged, independent of this machine. */
static const struct {
	struct mortise_kdf_choice choice;
	struct mortise_kdf kdf;
} forced[] = {
	{ { SIZE, .type = ID, .forced_time = 4, .memory_kib = 32, .lanes = 1 },
	  { .type = ID, .time = 4, .memory_kib = 32, .lanes = 1 } },
	{ { SIZE, .type = ID, .forced_time = 5 },
	  { .type = ID, .time = 5, .memory_kib = 1048576, .lanes = 4 } },
	{ { SIZE, .type = ID, .forced_time = 4, .memory_kib = 4194304, .lanes = 4 },
	  { .type = ID, .time = 4, .memory_kib = 4194304, .lanes = 4 } },
	{ { SIZE, .type = PB, .forced_time = 1000 },
	  { .type = PB, .hash = "sha256", .time = 1000 } },
	{ { SIZE, .type = PB, .forced_time = 2000, .hash = "sha512" },
	  { .type = PB, .hash = "sha512", .time = 2000 } },
};

static void assert_kdf(const struct mortise_kdf *kdf, const struct mortise_kdf *expected)
{
	assert_int_equal(kdf->type, expected->type);
	assert_string_equal(kdf->hash, expected->hash);
	assert_int_equal(kdf->time, expected->time);
	assert_int_equal(kdf->memory_kib, expected->memory_kib);
	assert_int_equal(kdf->lanes, expected->lanes);
}

static void test_forced(void **state)
{
	struct mortise_kdf kdf;

	(void)state;
	for (size_t i = 0; i < sizeof(forced) / sizeof(forced[0]); i++) {
		assert_int_equal(keys_kdf_choose(&forced[i].choice, 64, NULL, &kdf, NULL),
				 MORTISE_OK);
		assert_kdf(&kdf, &forced[i].kdf);
	}
}

/*
 * The choice of cryptsetup 2.6.1 (lib/crypto_backend/pbkdf_check.c, run with a clock that adds ns
 * for each KiB of each pass, and percent of that from slow_from KiB on), and the number of its
 * measurements.
 */
static const struct {
	uint32_t memory_max, lanes, target_ms, ns, slow_from, percent;
	uint32_t time, memory_kib, runs;
} searches[] = {
	{ 1048576, 4, 2000, 500, 0, 100, 4, 1000544, 5 },
	{ 1048576, 4, 2000, 100, 0, 100, 19, 1048576, 5 },
	{ 1048576, 1, 2000, 1000, 0, 100, 4, 500274, 4 },
	{ 1048576, 4, 2000, 60000, 0, 100, 4, 65536, 3 },
	{ 1048576, 4, 50, 1000, 0, 100, 4, 65536, 3 },
	{ 131072, 2, 2000, 300, 0, 100, 51, 131072, 4 },
	{ 32, 1, 2000, 300, 0, 100, 208712, 32, 8 },
	{ 32, 4, 2000, 1, 0, 100, 62601552, 32, 10 },
	{ 1048576, 4, 2000, 10, 0, 100, 191, 1048576, 6 },
	{ 4194304, 4, 10000, 150, 0, 100, 15, 4194304, 5 },
	{ 1000, 3, 777, 4321, 0, 100, 180, 1000, 5 },
	{ 1048576, 4, 1000, 197, 0, 100, 4, 1048576, 4 },
	{ 4194304, 3, 10, 77, 0, 100, 4, 65536, 4 },
	{ 1048576, 4, 2000, 600, 400000, 109, 4, 834848, 5 },
	{ 1048576, 4, 2000, 600, 400000, 111, 4, 750762, 6 },
	{ 1048576, 4, 2000, 600, 400000, 96, 4, 834848, 5 },
	{ 1048576, 4, 2000, 600, 400000, 94, 4, 886721, 6 },
	{ 1048576, 4, 2000, 600, 400000, 140, 4, 595257, 6 },
};

struct clockwork {
	uint32_t ns, slow_from, percent, runs, fail_at;
};

static enum mortise_code tick(void *context, const struct mortise_kdf *kdf, uint32_t *ms,
			      struct mortise_error *err)
{
	struct clockwork *clockwork = context;
	uint64_t ns = (uint64_t)kdf->time * kdf->memory_kib * clockwork->ns;

	(void)err;
	clockwork->runs++;
	if (clockwork->percent && kdf->memory_kib >= clockwork->slow_from)
		ns = ns * clockwork->percent / 100;
	*ms = (uint32_t)(ns / 1000000);
	return clockwork->runs == clockwork->fail_at ? MORTISE_E_MEMORY : MORTISE_OK;
}

static void test_search(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(searches) / sizeof(searches[0]); i++) {
		struct clockwork clockwork = { .ns = searches[i].ns,
					       .slow_from = searches[i].slow_from,
					       .percent = searches[i].percent };
		const struct keys_stopwatch watch = { tick, &clockwork };
		struct mortise_kdf kdf = { .type = ID,
					   .memory_kib = searches[i].memory_max,
					   .lanes = searches[i].lanes };

		assert_int_equal(keys_argon2_cost(&kdf, searches[i].target_ms, &watch, NULL),
				 MORTISE_OK);
		if (kdf.time != searches[i].time || kdf.memory_kib != searches[i].memory_kib ||
		    clockwork.runs != searches[i].runs)
			fail_msg("row %zu: time %u, memory %u, %u runs", i, kdf.time,
				 kdf.memory_kib, clockwork.runs);
	}
}

static void test_search_fails(void **state)
{
	(void)state;
	for (uint32_t at = 1; at <= 5; at++) {
		struct clockwork clockwork = { .ns = 500, .fail_at = at };
		const struct keys_stopwatch watch = { tick, &clockwork };
		struct mortise_kdf kdf = { .type = ID, .memory_kib = 1048576, .lanes = 4 };

		assert_int_equal(keys_argon2_cost(&kdf, 2000, &watch, NULL), MORTISE_E_MEMORY);
		assert_int_equal(clockwork.runs, at);
	}
}

/* On a machine too fast for its clock, the search must still end. */
static void test_search_ends(void **state)
{
	struct clockwork clockwork = { .ns = 0 };
	const struct keys_stopwatch watch = { tick, &clockwork };
	struct mortise_kdf kdf = { .type = ID, .memory_kib = 65536, .lanes = 1 };

	(void)state;
	assert_int_equal(keys_argon2_cost(&kdf, 2000, &watch, NULL), MORTISE_OK);
	assert_true(kdf.memory_kib == 65536);
}

static void test_measured(void **state)
{
	const struct mortise_kdf_choice argon2 = {
		.struct_size = sizeof(argon2), .type = ID, .target_ms = 1, .memory_kib = 1024
	};
	const struct mortise_kdf_choice pbkdf2 = { .struct_size = sizeof(pbkdf2),
						   .type = PB,
						   .target_ms = 100 };
	struct mortise_kdf kdf;

	(void)state;
	assert_int_equal(keys_kdf_choose(&argon2, 32, NULL, &kdf, NULL), MORTISE_OK);
	assert_true(kdf.time >= 4);
	assert_in_range(kdf.memory_kib, 32, 1024);
	assert_in_range(kdf.lanes, 1, machine_cpus());
	assert_int_equal(keys_kdf_choose(&pbkdf2, 32, NULL, &kdf, NULL), MORTISE_OK);
	assert_true(kdf.time >= 1000);
	assert_string_equal(kdf.hash, "sha256");
}

static void test_rate(void **state)
{
	uint32_t narrow, wide;
	struct mortise_error err;

	(void)state;
	assert_int_equal(keys_pbkdf2_rate("sha256", 32, NULL, &narrow, NULL), MORTISE_OK);
	assert_int_equal(keys_pbkdf2_rate("sha256", 128, NULL, &wide, NULL), MORTISE_OK);
	/* Four blocks of output cost four times as much; a factor of 2 allows for other load. */
	assert_true(narrow > wide * 2ull);
	assert_int_equal(keys_pbkdf2_rate("no-such-hash", 32, NULL, &narrow, &err),
			 MORTISE_E_UNSUPPORTED);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_refused),	    cmocka_unit_test(test_forced),
		cmocka_unit_test(test_search),	    cmocka_unit_test(test_search_fails),
		cmocka_unit_test(test_search_ends), cmocka_unit_test(test_measured),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
