/* SPDX-License-Identifier: MIT */
/* A callback that returns false ends each kind of wait and computation. */
#include <errno.h>
#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "base/clock.h"
#include "base/events.h"
#include "base/spawn.h"
#include "keys/kdf.h"
#include "luks2/format.h"
#if MORTISE_DECLARED
#include <mortise-declared.h>
#endif

/* Far less than what is canceled would take, and far more than a busy machine needs. */
#define LIMIT_MS 20000u

/* Says no at call number left, and at each one after it. */
struct patience {
	unsigned left, calls, progress;
	uint64_t begin_ms;
};

static bool answer(void *context, const struct mortise_event *event)
{
	struct patience *patience = context;

	if (event->type == MORTISE_EVENT_PROGRESS) {
		assert_true(event->done <= event->total);
		assert_string_equal(event->volume, "");
		patience->progress++;
	}
	return __atomic_add_fetch(&patience->calls, 1, __ATOMIC_RELAXED) < patience->left;
}

static struct mortise_events begin(struct patience *patience, unsigned left)
{
	*patience = (struct patience){ .left = left, .begin_ms = clock_now_ms() };
	return (struct mortise_events){ answer, patience };
}

static void assert_soon(const struct patience *patience)
{
	assert_true(patience->calls >= patience->left);
	assert_true(clock_now_ms() - patience->begin_ms < LIMIT_MS);
}

static struct mortise_secret *secret(const char *text)
{
	struct mortise_secret *made = NULL;

	assert_int_equal(mortise_secret_from(text, strlen(text), &made, NULL), MORTISE_OK);
	return made;
}

static void test_watch(void **state)
{
	struct patience patience;
	struct mortise_events events = begin(&patience, 4);
	struct events_watch watch = { .events = &events }, none = { .events = NULL };

	(void)state;
	assert_false(events_watch_canceled(&none));
	while (!events_watch_canceled(&watch))
		;
	assert_int_equal(patience.calls, 4);
	/* Three pauses lie between four calls. */
	assert_true(clock_now_ms() - patience.begin_ms >= 3 * (EVENTS_POLL_MS - 1));
	assert_true(events_watch_canceled(&watch));
	assert_int_equal(patience.calls, 4);
}

static void derive(const struct mortise_kdf *kdf, unsigned left)
{
	struct mortise_secret *passphrase = secret("a passphrase");
	uint8_t key[64], zero[64] = { 0 };
	struct patience patience;
	struct mortise_events events = begin(&patience, left);
	struct mortise_error err;

	memset(key, 0xff, sizeof(key));
	assert_int_equal(keys_kdf_derive(kdf, &events, passphrase,
					 (struct keys_bytes){ "01234567", 8 }, key, sizeof(key),
					 &err),
			 MORTISE_E_CANCELED);
	assert_string_equal(err.text, "canceled");
	assert_memory_equal(key, zero, sizeof(key));
	assert_soon(&patience);
	mortise_secret_free(&passphrase);
}

/* With its own Argon2 only: libargon2 cannot be interrupted. */
static void test_argon2(void **state)
{
	struct mortise_kdf kdf = { .type = MORTISE_KDF_ARGON2ID, .time = 1u << 24 };

	(void)state;
	for (uint32_t lanes = 1; lanes <= 5; lanes += 2)
		for (unsigned left = 1; left <= 4; left += 3) {
			kdf.lanes = lanes;
			kdf.memory_kib = 65536;
			derive(&kdf, left);
			/* On one thread. */
			kdf.memory_kib = 1024;
			derive(&kdf, left);
		}
}

static void test_pbkdf2(void **state)
{
	const struct mortise_kdf kdf = { .type = MORTISE_KDF_PBKDF2,
					 .hash = "sha256",
					 .time = UINT32_MAX };

	(void)state;
	derive(&kdf, 1);
	derive(&kdf, 4);
}

static void test_choice(void **state)
{
	const struct mortise_kdf_choice choices[] = {
		{ .struct_size = sizeof(*choices), .target_ms = 100 * LIMIT_MS },
		{ .struct_size = sizeof(*choices), .type = MORTISE_KDF_PBKDF2 },
	};
	struct mortise_kdf kdf;

	(void)state;
	for (size_t i = 0; i < sizeof(choices) / sizeof(*choices); i++) {
		struct patience patience;
		struct mortise_events events = begin(&patience, 3);

		assert_int_equal(keys_kdf_choose(&choices[i], 64, &events, &kdf, NULL),
				 MORTISE_E_CANCELED);
		assert_soon(&patience);
	}
}

static void test_spawn(void **state)
{
	char program[] = "sleep", seconds[] = "600", said[128];
	char *argv[] = { program, seconds, NULL };
	struct patience patience;
	struct mortise_events events = begin(&patience, 3);

	(void)state;
	assert_int_equal(spawn(&events, argv, said, sizeof(said), NULL), MORTISE_E_CANCELED);
	assert_soon(&patience);
	/* No child is left, neither running nor as a zombie. */
	assert_int_equal(waitpid(-1, NULL, WNOHANG), -1);
	assert_int_equal(errno, ECHILD);
}

/* ^C on a terminal goes to a whole process group, and must not kill mkfs directly. */
static void test_spawn_group(void **state)
{
	char shell[] = "sh", option[] = "-c", said[128];
	char command[] = "set -- $(cat /proc/self/stat) && test $5 != $(cut -d ' ' -f 5 "
			 "/proc/$PPID/stat) && echo $5";
	char *argv[] = { shell, option, command, NULL };
	struct mortise_error err;

	(void)state;
	assert_int_equal(spawn(NULL, argv, said, sizeof(said), &err), MORTISE_OK);
	assert_true(atoi(said) > 0);
}

/* The error has the first line of the output that is not empty. */
static void test_spawn_fails(void **state)
{
	static const struct {
		const char *script, *error;
	} cases[] = {
		{ "echo; echo first; echo Usage; exit 3", "sh failed with status 3: first" },
		{ "printf 'a\\r\\nb' >&2; exit 1", "sh failed with status 1: a" },
		{ "exit 255", "sh failed with status 255: " },
		{ "echo x; kill -9 $$", "sh was killed by signal 9" },
	};
	char program[] = "sh", option[] = "-c", script[128], said[8], missing[] = "no-program";
	char *argv[] = { program, option, script, NULL };
	struct mortise_error err;
	int status = 0;

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
		char room[64];

		snprintf(script, sizeof(script), "%s", cases[i].script);
		assert_int_equal(spawn(NULL, argv, room, sizeof(room), &err), MORTISE_E_SYSTEM);
		assert_string_equal(err.text, cases[i].error);
	}
	/* The start of a long output is kept, and the program does not wait for a reader. */
	snprintf(script, sizeof(script), "echo 1234567890; seq 100000; exit 4");
	assert_int_equal(spawn_status(NULL, argv, said, sizeof(said), &status, &err), MORTISE_OK);
	assert_int_equal(status, 4);
	assert_string_equal(said, "1234567");
	argv[0] = missing;
	assert_false(spawn_finds(missing));
	assert_int_equal(spawn(NULL, argv, said, sizeof(said), &err), MORTISE_E_UNSUPPORTED);
}

#define SIZE (20u << 20)

static char path[] = "/tmp/mortise-test-cancel.XXXXXX";

static int make_file(void **state)
{
	int fd = mkstemp(path);

	(void)state;
	if (fd < 0 || ftruncate(fd, SIZE))
		return -1;
	return close(fd);
}

static int remove_file(void **state)
{
	(void)state;
	return unlink(path);
}

static enum mortise_code format(const struct mortise_events *events, struct mortise_luks2 **header,
				struct mortise_error *err)
{
	const struct mortise_location location = {
		.struct_size = sizeof(location),
		.device = path,
		.events = events,
	};
	const struct mortise_format what = { .struct_size = sizeof(what) };

	return mortise_luks2_format(&location, &what, header, err);
}

static enum mortise_code load(const struct mortise_events *events, struct mortise_luks2 **header)
{
	const struct mortise_location location = {
		.struct_size = sizeof(location),
		.device = path,
		.events = events,
	};

	return mortise_luks2_load(&location, header, NULL);
}

/* What was formatted in part is known for that, and can be formatted again. */
static void test_format(void **state)
{
	struct mortise_luks2 *header = NULL;
	struct patience patience;
	struct mortise_events events;

	(void)state;
	for (unsigned left = 2; left < 40; left += 12) {
		events = begin(&patience, left);
		assert_int_equal(format(&events, &header, NULL), MORTISE_E_CANCELED);
		assert_null(header);
		assert_soon(&patience);
		assert_true(patience.progress > 0);
		assert_int_equal(load(NULL, &header), MORTISE_OK);
		assert_true(luks2_format_unfinished(header));
		mortise_luks2_free(&header);
	}
	events = begin(&patience, UINT32_MAX);
	assert_int_equal(format(&events, &header, NULL), MORTISE_OK);
	assert_true(patience.progress > 100);
	mortise_luks2_free(&header);
}

static int hold_lock(void)
{
	int fd = open(path, O_RDWR | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(flock(fd, LOCK_EX), 0);
	return fd;
}

/* The header's events are for all operations on it. */
static void test_header_lock(void **state)
{
	struct mortise_luks2 *header = NULL;
	struct patience patience;
	struct mortise_events events;
	int fd;

	(void)state;
	assert_int_equal(format(NULL, &header, NULL), MORTISE_OK);
	mortise_luks2_free(&header);
	fd = hold_lock();
	events = begin(&patience, 5);
	assert_int_equal(load(&events, &header), MORTISE_E_CANCELED);
	assert_soon(&patience);
	close(fd);
	events = begin(&patience, UINT32_MAX);
	assert_int_equal(load(&events, &header), MORTISE_OK);
	fd = hold_lock();
	events = begin(&patience, 5);
	assert_int_equal(mortise_header_set_label(header, "x", NULL, NULL), MORTISE_E_CANCELED);
	assert_soon(&patience);
	close(fd);
	events = begin(&patience, UINT32_MAX);
	assert_int_equal(mortise_header_set_label(header, "x", NULL, NULL), MORTISE_OK);
	mortise_luks2_free(&header);
}

/* A passphrase is not tried on further keyslots after a cancellation. */
static void test_search(void **state)
{
	/* Enough iterations for one poll. */
	const struct mortise_kdf_choice cost = {
		.struct_size = sizeof(cost),
		.type = MORTISE_KDF_PBKDF2,
		.forced_time = 2000,
	};
	const struct mortise_key_search search = {
		.struct_size = sizeof(search),
		.keyslot = MORTISE_ANY,
	};
	struct mortise_secret *right = secret("right"), *wrong = secret("wrong");
	struct mortise_luks2 *header = NULL;
	struct patience patience;
	struct mortise_events events = begin(&patience, UINT32_MAX);
	struct mortise_error err;

	(void)state;
	assert_int_equal(format(&events, &header, NULL), MORTISE_OK);
	for (int id = 0; id < 2; id++) {
		const struct mortise_keyslot_new what = {
			.struct_size = sizeof(what),
			.keyslot = id,
			.kdf = &cost,
		};

		assert_int_equal(
			mortise_keyslot_add(header, &what, id ? right : wrong, NULL, NULL, NULL),
			MORTISE_OK);
	}
	events = begin(&patience, 1);
	assert_int_equal(mortise_keyslot_open(header, &search, right, NULL, NULL, &err),
			 MORTISE_E_CANCELED);
	assert_int_equal(err.code, MORTISE_E_CANCELED);
	assert_int_equal(patience.calls, 1);
	events = begin(&patience, UINT32_MAX);
	assert_int_equal(mortise_keyslot_open(header, &search, right, NULL, NULL, &err),
			 MORTISE_OK);
	mortise_luks2_free(&header);
	mortise_secret_free(&right);
	mortise_secret_free(&wrong);
}

#if MORTISE_DECLARED
static void test_meta_lock(void **state)
{
	struct mortise_meta *meta = NULL;
	struct patience patience;
	struct mortise_events events;
	int fd;

	(void)state;
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, 1u << 20), 0);
	fd = hold_lock();
	events = begin(&patience, 3);
	assert_int_equal(mortise_meta_read(path, &events, &meta, NULL), MORTISE_E_CANCELED);
	assert_null(meta);
	events = begin(&patience, 3);
	assert_int_equal(mortise_meta_set(path, &events, 7, "x", 1, NULL), MORTISE_E_CANCELED);
	events = begin(&patience, 3);
	assert_int_equal(mortise_meta_delete(path, &events, 7, NULL), MORTISE_E_CANCELED);
	/* The wait has a limit of 10 seconds, and this took less. */
	assert_true(clock_now_ms() - patience.begin_ms < 5000);
	close(fd);
}
#endif

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_watch),
		cmocka_unit_test(test_pbkdf2),
		cmocka_unit_test(test_spawn),
		cmocka_unit_test(test_spawn_group),
		cmocka_unit_test(test_spawn_fails),
		cmocka_unit_test(test_format),
		cmocka_unit_test(test_header_lock),
		cmocka_unit_test(test_search),
#if MORTISE_DECLARED
		cmocka_unit_test(test_meta_lock),
#endif
		cmocka_unit_test(test_argon2),
		cmocka_unit_test(test_choice),
	};
	/* libargon2 cannot be interrupted. */
	const size_t skipped = strcmp(MORTISE_ARGON2, "own") ? 2 : 0;

	return _cmocka_run_group_tests("cancel", tests, sizeof(tests) / sizeof(*tests) - skipped,
				       make_file, remove_file);
}
