/* SPDX-License-Identifier: MIT */
/*
 * A failing device: if any write or flush fails with EIO, half done or not at all, the error is
 * reported, and the device opens with the old key or the new one, in mortise and in cryptsetup.
 */
#include "tests/luks2_operations.h"

static bool take_none(size_t sector, size_t count, unsigned variant)
{
	(void)sector;
	(void)count;
	(void)variant;
	return false;
}

static bool take_some(size_t sector, size_t count, unsigned variant)
{
	(void)count;
	return ((sector * 7 + variant) >> 1) % 3 != 0;
}

/* The machine stops after the failure, and loses some or all of the disk's write cache. */
static void try_lost_cache(const struct operation *operation,
			   bool (*chosen)(size_t sector, size_t count, unsigned variant))
{
	uint8_t *image = malloc(DISK_SIZE);

	assert_non_null(image);
	memcpy(image, disk.stable, DISK_SIZE);
	for (size_t i = 0; i < disk.pending_count; i++)
		disk_apply(image, &disk.pending[i], chosen, disk.fail_at);
	disk_store(disk.cut, image);
	free(image);
	if (!operation->holds(disk.cut))
		fail_msg("%s: lost when call %u%s failed and the cache was lost", operation->name,
			 disk.fail_at, disk.fail_torn ? " (torn)" : "");
}

static void try_failure(const struct operation *operation, unsigned call, bool torn)
{
	struct mortise_error err = { 0 };
	enum mortise_code code;

	operation_prepare(operation);
	disk_record(call, torn);
	code = operation->act(&err);
	disk.recording = false;
	if (*disk.wrong)
		fail_msg("%s: %s", operation->name, disk.wrong);
	if (!code || !*err.text)
		fail_msg("%s: call %u failed, but no error was returned", operation->name, call);
	if (code != MORTISE_E_SYSTEM)
		fail_msg("%s: call %u failed with %s: %s", operation->name, call,
			 mortise_code_text(code), err.text);
	/* The image itself is checked last, because that repairs it. */
	try_lost_cache(operation, take_none);
	try_lost_cache(operation, take_some);
	if (!operation->holds(disk.path))
		fail_msg("%s: lost when call %u%s failed", operation->name, call,
			 torn ? " (torn)" : "");
}

static unsigned count_calls(const struct operation *operation)
{
	operation_prepare(operation);
	disk_record(0, false);
	assert_int_equal(operation->act(NULL), MORTISE_OK);
	disk.recording = false;
	if (*disk.wrong)
		fail_msg("%s: %s", operation->name, disk.wrong);
	return disk.calls;
}

static void test_every_call(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		unsigned calls = count_calls(&operations[i]);

		assert_true(calls >= 2);
		for (unsigned call = 1; call <= calls; call++) {
			try_failure(&operations[i], call, false);
			try_failure(&operations[i], call, true);
		}
	}
}

/* The object is used again after a failure: it may return errors, but must not lose keys. */
static void test_object_after_failure(void **state)
{
	(void)state;
	for (unsigned call = 1;; call++) {
		struct mortise_luks2 *header;
		struct mortise_error err = { 0 };
		bool failed;

		prepare_two();
		header = load(disk.path, false);
		assert_non_null(header);
		assert_true(unlock(header, 0, OLD));
		spare.formatting = spare.stale = false;
		disk_record(call, true);
		failed = change_zero(header, NULL) != MORTISE_OK;
		disk.fail_at = 0;
		(void)label_it(header, &err);
		(void)change_zero(header, &err);
		disk.recording = false;
		mortise_luks2_free(&header);
		if (*disk.wrong)
			fail_msg("use after a failure: %s", disk.wrong);
		if (!holds_either(disk.path))
			fail_msg("lost by use after call %u failed", call);
		if (!failed)
			break;
		assert_true(call < 100);
	}
}

static bool cryptsetup(const char *arguments)
{
	char command[384];

	snprintf(command, sizeof(command),
		 "PATH=$PATH:/usr/sbin:/sbin cryptsetup %s %s "
		 ">/dev/null 2>&1 </dev/null",
		 arguments, disk.path);
	/* Only fixed arguments and the path of this test. */
	return system(command) == 0; /* NOLINT(cert-env33-c) */
}

static bool cryptsetup_opens(const char *passphrase)
{
	char arguments[128];
	int fd = open(disk.cut, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(write(fd, passphrase, strlen(passphrase)), (ssize_t)strlen(passphrase));
	close(fd);
	snprintf(arguments, sizeof(arguments), "open --test-passphrase --key-file %s", disk.cut);
	return cryptsetup(arguments);
}

/* cryptsetup checks a sample: each failing call of a keyslot change. */
static void test_cryptsetup_agrees(void **state)
{
	unsigned call, refused = 0;

	(void)state;
	prepare_one();
	if (!cryptsetup("isLuks"))
		skip();
	assert_true(cryptsetup_opens(OLD));
	assert_false(cryptsetup_opens(NEW));
	for (call = 1; call < 100; call++) {
		bool failed;

		operation_prepare(&operations[3]);
		disk_record(call, true);
		failed = act_change(NULL) != MORTISE_OK;
		disk.recording = false;
		if (!cryptsetup_opens(OLD) && !cryptsetup_opens(NEW))
			fail_msg("cryptsetup opens nothing when call %u failed", call);
		refused += cryptsetup_opens(NEW);
		if (!failed)
			break;
	}
	/* The old key opens until the commit, the new one from there. */
	assert_true(refused > 0 && refused < call);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_every_call),
		cmocka_unit_test(test_object_after_failure),
		cmocka_unit_test(test_cryptsetup_agrees),
	};

	return cmocka_run_group_tests(tests, luks2_disk_new, disk_remove);
}
