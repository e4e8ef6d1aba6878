/* SPDX-License-Identifier: MIT */
/* Secrets, random bytes, and error messages. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/error.h"
#include "base/secret.h"

/* State of the munmap(2) and getrandom(2) of this program, which replace those of libc. */
static struct {
	const void *watched;
	bool unmapped, was_wiped;
	bool random_faulty, random_broken;
	unsigned random_calls;
} seam;

int munmap(void *at, size_t size)
{
	const uint8_t *bytes = at;

	if (at && at == seam.watched) {
		seam.unmapped = true;
		seam.was_wiped = true;
		for (size_t i = 0; i < size; i++)
			seam.was_wiped = seam.was_wiped && !bytes[i];
	}
	return (int)syscall(SYS_munmap, at, size);
}

ssize_t getrandom(void *bytes, size_t size, unsigned flags)
{
	seam.random_calls++;
	if (seam.random_broken) {
		errno = ENOSYS;
		return -1;
	}
	if (seam.random_faulty && seam.random_calls % 2) {
		errno = EINTR;
		return -1;
	}
	if (seam.random_faulty && size > 256)
		size = 256;
	return (ssize_t)syscall(SYS_getrandom, bytes, size, flags);
}

static int reset(void **state)
{
	(void)state;
	memset(&seam, 0, sizeof(seam));
	return 0;
}

static struct mortise_secret *secret_of(const char *text)
{
	struct mortise_secret *secret;

	assert_int_equal(mortise_secret_from(text, strlen(text), &secret, NULL), MORTISE_OK);
	return secret;
}

static void test_new_is_zero(void **state)
{
	struct mortise_secret *secret;

	(void)state;
	assert_int_equal(mortise_secret_new(5000, &secret, NULL), MORTISE_OK);
	assert_int_equal(mortise_secret_size(secret), 5000);
	for (size_t i = 0; i < 5000; i++)
		assert_int_equal(mortise_secret_data(secret)[i], 0);
	mortise_secret_free(&secret);
	assert_int_equal(mortise_secret_new(0, &secret, NULL), MORTISE_OK);
	assert_non_null(mortise_secret_data(secret));
	assert_int_equal(mortise_secret_size(secret), 0);
	mortise_secret_free(&secret);
	mortise_secret_free(NULL);
}

static void test_size_limit(void **state)
{
	struct mortise_secret *secret;
	struct mortise_error err;

	(void)state;
	assert_int_equal(mortise_secret_new(MORTISE_PASSPHRASE_MAX, &secret, &err), MORTISE_OK);
	mortise_secret_free(&secret);
	assert_int_equal(mortise_secret_new(MORTISE_PASSPHRASE_MAX + 1u, &secret, &err),
			 MORTISE_E_USAGE);
	assert_null(secret);
	assert_string_equal(err.text, "a passphrase or key of 8388609 bytes is longer than the "
				      "8388608 allowed");
}

static void test_equal(void **state)
{
	struct mortise_secret *a = secret_of("correct horse"), *b = secret_of("correct horse");
	struct mortise_secret *c = secret_of("correct horsf"), *d = secret_of("correct hors");

	(void)state;
	assert_true(mortise_secret_equal(a, b));
	assert_false(mortise_secret_equal(a, c));
	assert_false(mortise_secret_equal(a, d));
	assert_true(secret_equal("ab", "ac", 1));
	assert_false(secret_equal("\x80", "", 1));
	assert_false(secret_equal("xb", "ab", 2));
	assert_true(secret_equal("a", "b", 0));
	mortise_secret_free(&a);
	mortise_secret_free(&b);
	mortise_secret_free(&c);
	mortise_secret_free(&d);
}

static void test_truncate_wipes(void **state)
{
	struct mortise_secret *secret = secret_of("0123456789");

	(void)state;
	mortise_secret_truncate(secret, 4);
	assert_int_equal(mortise_secret_size(secret), 4);
	assert_memory_equal(mortise_secret_data(secret), "0123\0\0\0\0\0\0", 10);
	mortise_secret_truncate(secret, 9);
	assert_int_equal(mortise_secret_size(secret), 4);
	mortise_secret_free(&secret);
}

static void test_free_wipes(void **state)
{
	struct mortise_secret *secret = secret_of("0123456789");

	(void)state;
	seam.watched = secret;
	mortise_secret_free(&secret);
	assert_true(seam.unmapped);
	assert_true(seam.was_wiped);
}

/* Gets the line "VmFlags:" of the mapping that contains at. */
static void mapping_flags(const void *at, char flags[static 256])
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	unsigned long start, end;
	char line[512];
	bool inside = false;

	flags[0] = '\0';
	assert_non_null(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			inside = (uintptr_t)at >= start && (uintptr_t)at < end;
		else if (inside && !strncmp(line, "VmFlags:", 8))
			snprintf(flags, 256, "%.255s", line);
	}
	fclose(smaps);
}

static void test_memory_is_guarded(void **state)
{
	struct mortise_secret *secret = secret_of("guarded");
	char flags[256];
	void *probe;

	(void)state;
	mapping_flags(mortise_secret_data(secret), flags);
	assert_non_null(strstr(flags, " dd")); /* not dumped */
	assert_non_null(strstr(flags, " dc")); /* not copied by fork */
	/* Locked, if this process may lock memory: limits and sanitizers can prevent it. */
	probe = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	assert_true(probe != MAP_FAILED);
	if (!mlock(probe, 4096)) {
		char allowed[256];

		mapping_flags(probe, allowed);
		assert_int_equal(!strstr(flags, " lo"), !strstr(allowed, " lo"));
	}
	munmap(probe, 4096);
	mortise_secret_free(&secret);
}

static void test_child_has_no_secret(void **state)
{
	struct mortise_secret *secret = secret_of("parent only");
	const volatile uint8_t *bytes = mortise_secret_data(secret);
	int status = 0;
	pid_t child;

	(void)state;
	child = fork();
	if (!child) {
		const struct rlimit no_core = { 0, 0 };

		setrlimit(RLIMIT_CORE, &no_core);
		signal(SIGSEGV, SIG_DFL);
		_exit(bytes[0]);
	}
	assert_true(child > 0);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_true(WIFSIGNALED(status));
	assert_int_equal(WTERMSIG(status), SIGSEGV);
	mortise_secret_free(&secret);
}

static void test_random_goes_on(void **state)
{
	uint8_t bytes[1000] = { 0 };
	size_t zeros = 0;

	(void)state;
	seam.random_faulty = true;
	assert_int_equal(random_bytes(bytes, sizeof(bytes), NULL), MORTISE_OK);
	assert_int_equal(seam.random_calls, 8);
	for (size_t i = 744; i < sizeof(bytes); i++)
		zeros += !bytes[i];
	assert_true(zeros < 32);
}

static void test_random_fails(void **state)
{
	struct mortise_error err;
	uint8_t byte;

	(void)state;
	seam.random_broken = true;
	assert_int_equal(random_bytes(&byte, 1, &err), MORTISE_E_SYSTEM);
	assert_int_equal(err.sys_errno, ENOSYS);
	assert_string_equal(err.text,
			    "cannot get random bytes from the kernel: Function not implemented");
}

static void test_error_sentence(void **state)
{
	struct mortise_error err;
	char text[2 * MORTISE_ERROR_TEXT];

	(void)state;
	assert_int_equal(error_set(NULL, MORTISE_E_KEY, 0, "unread"), MORTISE_E_KEY);
	error_prefix(NULL, "unread");
	assert_int_equal(error_set(&err, MORTISE_E_DEVICE, ENOENT, "cannot open %s", "/dev/sda4"),
			 MORTISE_E_DEVICE);
	assert_int_equal(err.code, MORTISE_E_DEVICE);
	assert_int_equal(err.sys_errno, ENOENT);
	assert_true(err.offset == UINT64_MAX);
	assert_string_equal(err.text, "cannot open /dev/sda4: No such file or directory");
	error_prefix(&err, "volume %s", "STATE");
	assert_string_equal(err.text,
			    "volume STATE: cannot open /dev/sda4: No such file or directory");
	assert_int_equal(err.code, MORTISE_E_DEVICE);
	/* The new text may contain the old text. */
	error_set_at(&err, MORTISE_E_CORRUPT, 0, 4096, "[%.12s]", err.text);
	assert_string_equal(err.text, "[volume STATE]");
	assert_true(err.offset == 4096);
	memset(text, 'x', sizeof(text) - 1);
	text[sizeof(text) - 1] = '\0';
	error_set(&err, MORTISE_E_USAGE, EIO, "%s", text);
	error_prefix(&err, "%s", text);
	assert_int_equal(strlen(err.text), MORTISE_ERROR_TEXT - 1);
}

/* cryptsetup(8), RETURN CODES. */
static void test_exit_status(void **state)
{
	static const int status[] = {
		[MORTISE_OK] = 0,	[MORTISE_E_KEY] = 2,	  [MORTISE_E_MEMORY] = 3,
		[MORTISE_E_DEVICE] = 4, [MORTISE_E_INACTIVE] = 4, [MORTISE_E_BUSY] = 5,
		[MORTISE_E_EXISTS] = 5, [MORTISE_E_STALE] = 0,	  [MORTISE_E_PIN] = 2,
	};

	(void)state;
	for (int code = 0; code <= MORTISE_E_PIN; code++) {
		assert_int_equal(mortise_exit_status((enum mortise_code)code),
				 status[code] || !code ? status[code] : 1);
		assert_string_not_equal(mortise_code_text((enum mortise_code)code),
					"unknown error");
	}
	assert_int_equal(mortise_exit_status((enum mortise_code)(MORTISE_E_PIN + 1)), 1);
	assert_string_equal(mortise_code_text((enum mortise_code)(MORTISE_E_PIN + 1)),
			    "unknown error");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup(test_new_is_zero, reset),
		cmocka_unit_test_setup(test_size_limit, reset),
		cmocka_unit_test_setup(test_equal, reset),
		cmocka_unit_test_setup(test_truncate_wipes, reset),
		cmocka_unit_test_setup(test_free_wipes, reset),
		cmocka_unit_test_setup(test_memory_is_guarded, reset),
		cmocka_unit_test_setup(test_child_has_no_secret, reset),
		cmocka_unit_test_setup(test_random_goes_on, reset),
		cmocka_unit_test_setup(test_random_fails, reset),
		cmocka_unit_test_setup(test_error_sentence, reset),
		cmocka_unit_test_setup(test_exit_status, reset),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
