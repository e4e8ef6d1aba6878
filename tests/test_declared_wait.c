/* SPDX-License-Identifier: MIT */
/* Waiting for devices that appear late or never. The devices are regular files. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>
#include <cmocka.h>

#include "declared/wait.h"

/* Long enough for any machine to make a file in the meantime. */
#define LONG_MS 300000u

static char directory[64], first[96], second[96];

static uint64_t now_ms(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void make(const char *path)
{
	FILE *file = fopen(path, "we");

	assert_non_null(file);
	assert_int_equal(fclose(file), 0);
}

static void *make_late(void *path)
{
	const struct timespec pause = { .tv_nsec = 300000000 };

	(void)nanosleep(&pause, NULL);
	make(path);
	return NULL;
}

static int set_up(void **state)
{
	(void)state;
	strcpy(directory, "/tmp/mortise-wait.XXXXXX");
	if (!mkdtemp(directory))
		return -1;
	snprintf(first, sizeof(first), "%s/first", directory);
	snprintf(second, sizeof(second), "%s/second", directory);
	return 0;
}

static int tear_down(void **state)
{
	(void)state;
	(void)unlink(first);
	(void)unlink(second);
	return rmdir(directory);
}

/* Returns the time of waiting for the volumes "one" and "two", or only for those in names. */
static uint64_t took(uint32_t device_wait_ms, const char *const *names, size_t name_count)
{
	char one[] = "one", two[] = "two", one_id[] = "u-one", two_id[] = "u-two";
	struct config_volume volumes[] = { { .name = one, .id = one_id },
					   { .name = two, .id = two_id } };
	const struct config config = { .volumes = volumes, .volume_count = 2 };
	const struct mortise_volume_device devices[] = { { "one", first }, { "u-two", second } };
	const struct mortise_up_options options = {
		.names = names,
		.name_count = name_count,
		.devices = devices,
		.device_count = 2,
		.device_wait_ms = device_wait_ms,
	};
	const uint64_t begin = now_ms();

	assert_int_equal(volume_wait_for_devices(&config, &options, NULL), MORTISE_OK);
	return now_ms() - begin;
}

/* A busy machine may take as long as a pause without one, but not each time. */
static bool waits(uint32_t device_wait_ms, const char *const *names, size_t name_count)
{
	for (unsigned try = 0; try < 100; try++)
		if (took(device_wait_ms, names, name_count) <= 40)
			return false;
	return true;
}

static void test_late(void **state)
{
	const uint64_t begin = now_ms();
	pthread_t thread;

	(void)state;
	make(first);
	assert_int_equal(pthread_create(&thread, NULL, make_late, second), 0);
	assert_in_range(took(LONG_MS, NULL, 0), 0, LONG_MS - 1);
	assert_int_equal(access(second, F_OK), 0);
	assert_true(now_ms() - begin >= 300);
	assert_int_equal(pthread_join(thread, NULL), 0);
	/* Both exist: no wait. */
	assert_false(waits(LONG_MS, NULL, 0));
}

static void test_never(void **state)
{
	const char *const names[] = { "one" };

	(void)state;
	make(first);
	assert_in_range(took(200, NULL, 0), 200, LONG_MS);
	assert_false(waits(0, NULL, 0));
	/* The missing device belongs to another volume. */
	assert_false(waits(LONG_MS, names, 1));
}

/* STATE is waited for, even if only other volumes were requested. */
static void test_state(void **state)
{
	const struct mortise_volume_device devices[] = { { "STATE", second } };
	const char *const names[] = { "one" };
	struct mortise_up_options options = {
		.names = names,
		.name_count = 1,
		.devices = devices,
		.device_count = 1,
		.device_wait_ms = LONG_MS,
	};
	pthread_t thread;
	uint64_t begin = now_ms();

	(void)state;
	assert_int_equal(pthread_create(&thread, NULL, make_late, second), 0);
	assert_int_equal(volume_wait_for_state(&options, NULL), MORTISE_OK);
	assert_int_equal(access(second, F_OK), 0);
	assert_in_range(now_ms() - begin, 300, LONG_MS - 1);
	assert_int_equal(pthread_join(thread, NULL), 0);
}

/* A clock that only the waits of this test advance, a TPM that comes at a time, and one that ACPI announces. */
static struct {
	bool on;
	uint64_t now, comes;
	bool announced;
} simulated;

uint64_t __real_clock_now_ms(void);
uint64_t __wrap_clock_now_ms(void);
bool __real_events_sleep_ms(const struct mortise_events *events, uint64_t ms);
bool __wrap_events_sleep_ms(const struct mortise_events *events, uint64_t ms);
bool __wrap_keys_tpm_exists(const char *tcti);
bool __wrap_keys_tpm_is_announced(void);

uint64_t __wrap_clock_now_ms(void)
{
	return simulated.on ? simulated.now : __real_clock_now_ms();
}

bool __wrap_events_sleep_ms(const struct mortise_events *events, uint64_t ms)
{
	if (!simulated.on)
		return __real_events_sleep_ms(events, ms);
	simulated.now += ms;
	return true;
}

bool __wrap_keys_tpm_exists(const char *tcti)
{
	return tcti || simulated.now >= simulated.comes;
}

bool __wrap_keys_tpm_is_announced(void)
{
	return simulated.announced;
}

/* How long a volume that exists waits for a TPM that comes after tpm_ms, in simulated time. */
static uint64_t took_tpm(enum config_key_kind other, uint64_t tpm_ms, const char *tcti)
{
	char one[] = "one", one_id[] = "u-one";
	struct config_key keys[] = { { .kind = other }, { .slot = 1, .kind = CONFIG_KEY_TPM } };
	struct config_volume volume = {
		.name = one, .id = one_id, .encrypted = true, .keys = keys, .key_count = 2
	};
	const struct config config = { .volumes = &volume, .volume_count = 1 };
	const struct mortise_volume_device devices[] = { { "one", first } };
	const struct mortise_key_sources sources = { .struct_size = sizeof(sources),
						     .node_uuid = "x",
						     .tcti = tcti };
	const struct mortise_up_options options = {
		.devices = devices,
		.device_count = 1,
		.device_wait_ms = 30000,
		.sources = &sources,
	};

	simulated.on = true;
	simulated.now = 1000000;
	simulated.comes = simulated.now + tpm_ms;
	assert_int_equal(volume_wait_for_devices(&config, &options, NULL), MORTISE_OK);
	simulated.on = false;
	return simulated.now - 1000000;
}

/* A TPM that comes late is waited for; one that does not come delays a boot only if it must. */
static void test_tpm(void **state)
{
	(void)state;
	if (!MORTISE_TPM)
		skip();
	make(first);
	for (unsigned kind = CONFIG_KEY_STATIC; kind <= CONFIG_KEY_TPM; kind++) {
		assert_int_equal(took_tpm(kind, 0, NULL), 0);
		assert_int_equal(took_tpm(kind, 3000, NULL), 3000);
	}
	/* A TCTI names a TPM that is not a device. */
	assert_int_equal(took_tpm(CONFIG_KEY_TPM, 3000, "swtpm"), 0);
	/* Another key may open the volume, and nothing announces a TPM. */
	assert_int_equal(took_tpm(CONFIG_KEY_NODE_ID, 20000, NULL), 5000);
	assert_int_equal(took_tpm(CONFIG_KEY_TPM, 20000, NULL), 20000);
	assert_int_equal(took_tpm(CONFIG_KEY_TPM, 60000, NULL), 30000);
	simulated.announced = true;
	assert_int_equal(took_tpm(CONFIG_KEY_STATIC, 20000, NULL), 20000);
	simulated.announced = false;
}

static bool cancel(void *context, const struct mortise_event *event)
{
	(void)context;
	return event->type != MORTISE_EVENT_POLL;
}

/* Each wait ends at its first poll, long before the minute that it may last. */
static void test_canceled(void **state)
{
	const struct mortise_events events = { .call = cancel };
	const struct mortise_up_options options = { .device_wait_ms = 60000, .events = &events };
	char name[] = "one", id[] = "u-one";
	struct config_volume volume = { .name = name, .id = id };
	const struct config config = { .volumes = &volume, .volume_count = 1 };
	struct mortise_error err;
	uint64_t begin = now_ms();

	(void)state;
	assert_int_equal(volume_wait_for_devices(&config, &options, &err), MORTISE_E_CANCELED);
	assert_int_equal(volume_wait_for_state(&options, &err), MORTISE_E_CANCELED);
	assert_in_range(now_ms() - begin, 0, 30000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_late, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_never, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_state, set_up, tear_down),
		cmocka_unit_test_setup_teardown(test_tpm, set_up, tear_down),
		cmocka_unit_test(test_canceled),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
