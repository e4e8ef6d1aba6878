/* SPDX-License-Identifier: MIT */
/*
 * Power cuts during a reencryption: after a cut at any moment, with any subset of the unflushed
 * sectors on the disk, the reencryption continues to its end and all data is there.
 */
#include "tests/reencrypt_disk.h"

static const struct reencryption reencryptions[] = {
	{ "checksum", "aes-xts-plain64", 512, 512, false },
	{ "journal", "aes-xts-plain64", 4096, 4096, false },
	{ "journal", "aes-cbc-plain64", 512, 1024, false },
	{ "journal", "aes-xts-plain64", 512, 1024, true },
};

/* A clock that only sleeping moves. */
static struct {
	bool on;
	uint64_t now; /* ms */
	unsigned sleeps;
	unsigned cancel_at; /* number of the sleep that is canceled; 0: none */
} simulated;

uint64_t __real_clock_now_ms(void);
uint64_t __wrap_clock_now_ms(void);
bool __real_events_sleep_ms(const struct mortise_events *events, uint64_t ms);
bool __wrap_events_sleep_ms(const struct mortise_events *events, uint64_t ms);

uint64_t __wrap_clock_now_ms(void)
{
	return simulated.on ? simulated.now : __real_clock_now_ms();
}

bool __wrap_events_sleep_ms(const struct mortise_events *events, uint64_t ms)
{
	if (!simulated.on)
		return __real_events_sleep_ms(events, ms);
	simulated.now += ms;
	return ++simulated.sleeps != simulated.cancel_at;
}

static const char *find_loss_after_cut(const char *path)
{
	return find_loss(path, false);
}

static void try_cuts(struct disk *unused)
{
	(void)unused;
	disk_try_cuts(find_loss_after_cut);
}

static void test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(reencryptions) / sizeof(*reencryptions); i++) {
		struct mortise_error err = { 0 };
		const char *loss;

		now = &reencryptions[i];
		prepare();
		disk.before_flush = try_cuts;
		disk_record(0, false);
		if (reencrypt(&err))
			fail_msg("%s: %s", now->resilience, err.text);
		disk.recording = false;
		disk.before_flush = NULL;
		if (*disk.wrong)
			fail_msg("%zu: %s", i, disk.wrong);
		if (disk.calls < 40)
			fail_msg("%zu: %u calls were recorded", i, disk.calls);
		loss = find_loss(disk.path, true);
		if (loss)
			fail_msg("%zu: %s", i, loss);
	}
}

/* Each write and flush fails once: whole, or in the middle. A second run finishes. */
static void test_failures(void **state)
{
	unsigned calls = 1000;

	(void)state;
	now = &reencryptions[0];
	for (unsigned fail_at = 1; fail_at <= 2 * calls; fail_at++) {
		struct mortise_error err = { 0 };
		const char *loss;

		prepare();
		disk_record((fail_at + 1) / 2, fail_at % 2);
		if (!reencrypt(&err))
			calls = disk.calls;
		disk.recording = false;
		if (calls == 1000 && err.sys_errno != EIO)
			fail_msg("call %u: %s", (fail_at + 1) / 2, err.text);
		loss = find_loss(disk.path, false);
		if (loss)
			fail_msg("call %u failed: %s", (fail_at + 1) / 2, loss);
		if (calls < 1000)
			break;
	}
	assert_in_range(calls, 40, 999);
}

/* The data has three zones, the zone of a low rate a quarter second's bytes. */
static void test_rate(void **state)
{
	static const struct {
		uint64_t rate;
		uint64_t ms; /* of all zones but the last */
		unsigned sleeps;
	} rates[] = {
		{ 1u << 20, 62, 2 },
		{ 128u << 10, 500, 2 },
		{ 16u << 10, 5750, 23 },
		{ UINT64_C(1) << 60, 0, 0 },
	};

	(void)state;
	now = &reencryptions[0];
	simulated.on = true;
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		struct mortise_error err = { 0 };

		prepare();
		how.rate = rates[i].rate;
		simulated.now = 0;
		simulated.sleeps = 0;
		assert_int_equal(reencrypt(&err), MORTISE_OK);
		assert_int_equal(simulated.now, rates[i].ms);
		assert_int_equal(simulated.sleeps, rates[i].sleeps);
		assert_null(find_loss(disk.path, true));
	}
	prepare();
	how.rate = 128u << 10;
	simulated.sleeps = 0;
	simulated.cancel_at = 2;
	assert_int_equal(reencrypt(NULL), MORTISE_E_CANCELED);
	assert_null(find_loss(disk.path, false));
	memset(&simulated, 0, sizeof(simulated));
	how.rate = 0;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_rate),
	};
	const int result = cmocka_run_group_tests(tests, disk_new, disk_remove);

	disk_log("reencrypt", disk.states);
	return result;
}
