/* SPDX-License-Identifier: MIT */
/* The list of known volumes: what is written is read back, and nothing else is a list. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "declared/known.h"
#include "declared/partition.h"
#include "declared/plan_known.h"

#define IDENTITY "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8=" /* bytes 0 to 31 */
#define UUID	 "8d3c1f6e-52a7-4b90-9e1d-7f40c2a6b815"
#define DATA                                                                          \
	"{\"id\":\"u-data\",\"status\":\"ready\",\"encrypted\":true,\"uuid\":\"" UUID \
	"\",\"partuuid\":\"11111111-2222-3333-4444-555555555555\",\"identity\":\"" IDENTITY "\"}"
#define RAW                                                                         \
	"{\"id\":\"r-raw\",\"status\":\"ready\",\"encrypted\":false,\"uuid\":\"\"," \
	"\"partuuid\":\"\"}"
#define EXPECTED      "{\"id\":\"u-new\",\"status\":\"expected\"}"
#define LIST(entries) "{\"version\":1,\"volumes\":[" entries "]}"
#define THREADS	      8
#define ROUNDS	      20

static char dir[] = "/tmp/mortise-known-XXXXXX";
static char path[sizeof(dir) + sizeof(KNOWN_FILE)];
static struct known_list list;

static int setup(void **state)
{
	(void)state;
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	if (!mkdtemp(dir))
		return -1;
	snprintf(path, sizeof(path), "%s/" KNOWN_FILE, dir);
	known_list_init(&list);
	return 0;
}

static int teardown(void **state)
{
	(void)state;
	known_list_clear(&list);
	if (unlink(path))
		rmdir(path);
	return rmdir(dir);
}

static void write_text(const char *text, size_t size)
{
	FILE *stream = fopen(path, "wb");

	assert_non_null(stream);
	assert_int_equal(fwrite(text, 1, size, stream), size);
	assert_int_equal(fclose(stream), 0);
}

static void read_text(char *text, size_t room)
{
	FILE *stream = fopen(path, "rb");
	size_t size;

	assert_non_null(stream);
	size = fread(text, 1, room - 1, stream);
	fclose(stream);
	text[size] = '\0';
}

static struct known_volume make_volume(const char *id)
{
	struct known_volume volume = { .status = KNOWN_READY,
				       .encrypted = true,
				       .uuid = UUID,
				       .partuuid = "11111111-2222-3333-4444-555555555555" };

	snprintf(volume.id, sizeof(volume.id), "%s", id);
	for (size_t i = 0; i < sizeof(volume.identity); i++)
		volume.identity[i] = (uint8_t)i;
	return volume;
}

static void test_no_file(void **state)
{
	struct known_volume volume;
	char text[256];

	(void)state;
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	assert_true(list.is_new);
	assert_false(known_find(&list, "u-data", &volume));
	/* An empty list is a list: the next run is not the first one. */
	assert_int_equal(known_store(&list, NULL), MORTISE_OK);
	assert_false(list.is_new);
	read_text(text, sizeof(text));
	assert_string_equal(text, LIST(""));
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	assert_false(list.is_new);
}

static void test_no_directory(void **state)
{
	struct mortise_error err;

	(void)state;
	assert_int_equal(known_load(&list, NULL, "/nonexistent", &err), MORTISE_E_WAIT);
	assert_false(list.is_new);
}

static void test_written_and_read(void **state)
{
	const struct known_volume data = make_volume("u-data");
	const struct known_volume raw = { .id = "r-raw", .status = KNOWN_READY };
	const struct known_volume awaited = { .id = "u-new", .status = KNOWN_EXPECTED };
	struct known_volume formatting = make_volume("u-data"), found;
	char text[1024];
	struct stat st;

	(void)state;
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	assert_int_equal(known_set(&list, &data, NULL), MORTISE_OK);
	assert_int_equal(known_set(&list, &raw, NULL), MORTISE_OK);
	assert_int_equal(known_set(&list, &awaited, NULL), MORTISE_OK);
	assert_int_equal(known_store(&list, NULL), MORTISE_OK);
	read_text(text, sizeof(text));
	assert_string_equal(text, LIST(DATA "," RAW "," EXPECTED));
	assert_int_equal(stat(path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0600);

	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	assert_int_equal(list.count, 3);
	assert_true(known_find(&list, "u-data", &found));
	assert_memory_equal(&found, &data, sizeof(data));
	assert_true(known_find(&list, "r-raw", &found));
	assert_memory_equal(&found, &raw, sizeof(raw));
	assert_true(known_find(&list, "u-new", &found));
	assert_int_equal(found.status, KNOWN_EXPECTED);
	assert_false(known_find(&list, "u-dat", &found));

	formatting.status = KNOWN_FORMATTING;
	assert_int_equal(known_set(&list, &formatting, NULL), MORTISE_OK);
	known_remove(&list, "r-raw");
	known_remove(&list, "u-absent");
	assert_int_equal(known_store(&list, NULL), MORTISE_OK);
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	assert_int_equal(list.count, 2);
	assert_true(known_find(&list, "u-data", &found));
	assert_int_equal(found.status, KNOWN_FORMATTING);
	assert_false(known_find(&list, "r-raw", &found));
}

/* While the volume key changes, the volume has two identities; while it is encrypted, one to come. */
static void test_next_identity(void **state)
{
	struct known_volume data = make_volume("u-data"), found;
	struct known_volume plain = { .id = "u-plain", .status = KNOWN_ENCRYPTING, .uuid = UUID };
	const struct known_volume old = make_volume("u-old");
	uint8_t other[VOLUME_IDENTITY_SIZE] = { 7 };

	(void)state;
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	memcpy(data.next, other, sizeof(other));
	memcpy(plain.next, other, sizeof(other));
	assert_int_equal(known_set(&list, &data, NULL), MORTISE_OK);
	assert_int_equal(known_set(&list, &plain, NULL), MORTISE_OK);
	assert_int_equal(known_set(&list, &old, NULL), MORTISE_OK);
	assert_int_equal(known_store(&list, NULL), MORTISE_OK);
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	assert_true(known_find(&list, "u-data", &found));
	assert_memory_equal(&found, &data, sizeof(data));
	assert_true(known_matches(&found, data.identity));
	assert_true(known_matches(&found, other));
	assert_true(known_find(&list, "u-plain", &found));
	assert_memory_equal(&found, &plain, sizeof(plain));
	assert_true(known_find(&list, "u-old", &found));
	assert_false(known_matches(&found, other));
	/* An absent identity is not one. */
	memset(other, 0, sizeof(other));
	assert_false(known_matches(&found, other));
}

/* An ordinary boot writes nothing. */
static void test_unchanged_is_not_written(void **state)
{
	const struct known_volume data = make_volume("u-data");
	struct known_volume other = data;
	struct stat before, after;

	(void)state;
	write_text(LIST(DATA), strlen(LIST(DATA)));
	assert_int_equal(stat(path, &before), 0);
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	assert_int_equal(known_set(&list, &data, NULL), MORTISE_OK);
	known_remove(&list, "u-absent");
	assert_int_equal(known_store(&list, NULL), MORTISE_OK);
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_ino == after.st_ino);
	/* One bit is a change. */
	other.identity[31] ^= 1;
	assert_int_equal(known_set(&list, &other, NULL), MORTISE_OK);
	assert_int_equal(known_store(&list, NULL), MORTISE_OK);
	assert_int_equal(stat(path, &after), 0);
	assert_true(before.st_ino != after.st_ino);
}

static void test_damaged(void **state)
{
	static const struct {
		const char *text, *why;
	} files[] = {
		{ "", "it is not JSON" },
		{ LIST("") "x", "it is not JSON" },
		{ "{\"version\":1,\"volumes\":[}", "it is not JSON" },
		{ LIST("[[[[[[[[[[]]]]]]]]]]"), "it is not JSON" },
		{ LIST("\"\xff\""), "it is not JSON" },
		{ "[]", "it has no version" },
		{ "null ", "it has no version" },
		{ "{\"version\":\"1\",\"volumes\":[]}", "it has no version" },
		{ "{\"version\":2,\"volumes\":[]}", "its version is unknown" },
		{ "{\"version\":1}", "it is not a list of volumes" },
		{ "{\"version\":1,\"volumes\":{}}", "it is not a list of volumes" },
		{ "{\"version\":1,\"volumes\":[],\"more\":1}", "it is not a list of volumes" },
		{ LIST(EXPECTED "," DATA "," EXPECTED), "a volume has two entries" },
		{ LIST("1"), "an entry is invalid" },
		{ LIST("{\"id\":\"u-new\"}"), "an entry is invalid" },
		{ LIST("{\"id\":\"\",\"status\":\"expected\"}"), "an entry is invalid" },
		{ LIST("{\"id\":\"u new\",\"status\":\"expected\"}"), "an entry is invalid" },
		{ LIST("{\"id\":\"u\\u0000\",\"status\":\"expected\"}"), "an entry is invalid" },
		{ LIST("{\"id\":\"u-new\",\"status\":\"\"}"), "an entry is invalid" },
		{ LIST("{\"id\":\"u-new\",\"status\":\"lost\"}"), "an entry is invalid" },
		{ LIST("{\"id\":\"u-new\",\"status\":\"expected\",\"uuid\":\"\"}"),
		  "an entry is invalid" },
		{ LIST("{\"id\":\"u-new\",\"status\":\"ready\"}"), "an entry is invalid" },
		/* An encrypted volume has a UUID and an identity, a plain one no identity. */
		{ LIST("{\"id\":\"u\",\"status\":\"ready\",\"encrypted\":true,\"uuid\":\"\","
		       "\"partuuid\":\"\",\"identity\":\"" IDENTITY "\"}"),
		  "an entry is invalid" },
		{ LIST("{\"id\":\"u\",\"status\":\"ready\",\"encrypted\":true,\"uuid\":\"" UUID
		       "\",\"partuuid\":\"\"}"),
		  "an entry is invalid" },
		{ LIST("{\"id\":\"u\",\"status\":\"ready\",\"encrypted\":true,\"uuid\":\"" UUID
		       "\",\"partuuid\":\"\",\"identity\":\"AAEC\"}"),
		  "an entry is invalid" },
		{ LIST("{\"id\":\"u\",\"status\":\"ready\",\"encrypted\":false,\"uuid\":\"" UUID
		       "\",\"partuuid\":\"\",\"identity\":\"" IDENTITY "\"}"),
		  "an entry is invalid" },
		{ LIST("{\"id\":\"u\",\"status\":\"ready\",\"encrypted\":false,\"uuid\":\"" UUID
		       "\",\"partuuid\":\"\",\"next\":\"" IDENTITY "\"}"),
		  "an entry is invalid" },
		{ LIST("{\"id\":\"u\",\"status\":\"encrypting\",\"encrypted\":false,\"uuid\":"
		       "\"" UUID "\",\"partuuid\":\"\",\"next\":\"AAEC\"}"),
		  "an entry is invalid" },
		{ LIST("{\"id\":\"u\",\"status\":\"ready\",\"encrypted\":0,\"uuid\":\"\","
		       "\"partuuid\":\"\"}"),
		  "an entry is invalid" },
		{ LIST("{\"id\":\"u\",\"status\":\"ready\",\"encrypted\":false,\"uuid\":\"" UUID
			       UUID "\",\"partuuid\":\"\"}"),
		  "an entry is invalid" },
	};
	char expected[256];
	struct mortise_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(*files); i++) {
		write_text(files[i].text, strlen(files[i].text));
		assert_int_equal(known_load(&list, NULL, dir, &err), MORTISE_E_CORRUPT);
		snprintf(expected, sizeof(expected), "%s is damaged: %s", path, files[i].why);
		assert_string_equal(err.text, expected);
		/* It is not taken for the first run. */
		assert_false(list.is_new);
		assert_int_equal(list.count, 0);
	}
}

static void test_not_a_file(void **state)
{
	struct mortise_error err;

	(void)state;
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(known_load(&list, NULL, dir, &err), MORTISE_E_CORRUPT);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(known_load(&list, NULL, dir, &err), MORTISE_E_CORRUPT);
	assert_int_equal(unlink(path), 0);
	assert_int_equal(symlink("/dev/null", path), 0);
	assert_int_equal(known_load(&list, NULL, dir, &err), MORTISE_E_DEVICE);
	assert_int_equal(err.sys_errno, ELOOP);
	assert_false(list.is_new);
}

static void test_limits(void **state)
{
	char *text = malloc(KNOWN_FILE_MAX + 2);
	struct known_volume volume;
	struct mortise_error err;
	char id[16];

	(void)state;
	assert_non_null(text);
	memset(text, ' ', KNOWN_FILE_MAX + 2);
	memcpy(text, LIST(""), strlen(LIST("")));
	write_text(text, KNOWN_FILE_MAX);
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	write_text(text, KNOWN_FILE_MAX + 1);
	assert_int_equal(known_load(&list, NULL, dir, &err), MORTISE_E_CORRUPT);
	assert_non_null(strstr(err.text, "too large"));
	free(text);

	assert_int_equal(unlink(path), 0);
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	for (unsigned i = 0; i < KNOWN_MAX; i++) {
		snprintf(id, sizeof(id), "u-%u", i);
		volume = make_volume(id);
		/* The largest entry that there is. */
		memset(volume.id + strlen(volume.id), 'x', MORTISE_NAME_MAX - strlen(volume.id));
		memset(volume.uuid, '0', sizeof(volume.uuid) - 1);
		memset(volume.partuuid, '0', sizeof(volume.partuuid) - 1);
		assert_int_equal(known_set(&list, &volume, NULL), MORTISE_OK);
	}
	volume = make_volume("u-more");
	assert_int_equal(known_set(&list, &volume, &err), MORTISE_E_NO_SPACE);
	assert_int_equal(known_store(&list, NULL), MORTISE_OK);
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	assert_int_equal(list.count, KNOWN_MAX);
}

/* Each thread writes its own entries, as the threads of a run do. */
static void *record(void *context)
{
	const unsigned *number = context;
	char id[32];

	for (unsigned i = 0; i < ROUNDS; i++) {
		struct known_volume volume;

		snprintf(id, sizeof(id), "u-%u-%u", *number, i);
		volume = make_volume(id);
		if (known_set(&list, &volume, NULL) || known_store(&list, NULL) ||
		    !known_find(&list, id, &volume))
			return context;
	}
	return NULL;
}

static void test_threads(void **state)
{
	pthread_t thread[THREADS];
	unsigned number[THREADS];
	void *failed;

	(void)state;
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	for (unsigned i = 0; i < THREADS; i++) {
		number[i] = i;
		assert_int_equal(pthread_create(&thread[i], NULL, record, &number[i]), 0);
	}
	for (unsigned i = 0; i < THREADS; i++) {
		assert_int_equal(pthread_join(thread[i], &failed), 0);
		assert_null(failed);
	}
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	assert_int_equal(list.count, THREADS * ROUNDS);
}

/* A failure to write keeps the change, so that a later call writes it. */
static void test_write_fails(void **state)
{
	const struct known_volume data = make_volume("u-data");
	struct known_volume found;
	struct mortise_error err;

	(void)state;
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	assert_int_equal(known_set(&list, &data, NULL), MORTISE_OK);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(known_store(&list, &err), MORTISE_E_DEVICE);
	assert_int_equal(rmdir(path), 0);
	assert_int_equal(known_store(&list, NULL), MORTISE_OK);
	assert_int_equal(known_load(&list, NULL, dir, NULL), MORTISE_OK);
	assert_true(known_find(&list, "u-data", &found));
}

/* A partition that was planned without the list, for a volume that the list may know. */
static void test_review(void **state)
{
	struct config_volume volume = { .id = (char[]){ "u-data" } };
	struct partition_planned partition = { .volume = &volume };
	struct volume_plan plan = { .volume = &volume, .partition = &partition };
	struct volume_run run = { .known = { .state = KNOWN_LISTED } };
	struct known_volume known = make_volume("u-data");

	(void)state;
	known_list_init(&run.known.list);
	assert_int_equal(known_load(&run.known.list, NULL, dir, &run.known.why), MORTISE_OK);
	assert_false(volume_known_review(&run, &plan));
	known.status = KNOWN_EXPECTED;
	assert_int_equal(known_set(&run.known.list, &known, NULL), MORTISE_OK);
	assert_false(volume_known_review(&run, &plan));
	/* The list was damaged, and is replaced by what is declared. */
	run.known.why.code = MORTISE_E_CORRUPT;
	assert_true(volume_known_review(&run, &plan));
	run.known.why.code = MORTISE_OK;
	known.status = KNOWN_READY;
	assert_int_equal(known_set(&run.known.list, &known, NULL), MORTISE_OK);
	assert_true(volume_known_review(&run, &plan));
	partition.created = true;
	assert_false(volume_known_review(&run, &plan));
	known_list_clear(&run.known.list);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test_setup_teardown(test_no_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_no_directory, setup, teardown),
		cmocka_unit_test_setup_teardown(test_written_and_read, setup, teardown),
		cmocka_unit_test_setup_teardown(test_next_identity, setup, teardown),
		cmocka_unit_test_setup_teardown(test_unchanged_is_not_written, setup, teardown),
		cmocka_unit_test_setup_teardown(test_damaged, setup, teardown),
		cmocka_unit_test_setup_teardown(test_not_a_file, setup, teardown),
		cmocka_unit_test_setup_teardown(test_limits, setup, teardown),
		cmocka_unit_test_setup_teardown(test_threads, setup, teardown),
		cmocka_unit_test_setup_teardown(test_write_fails, setup, teardown),
		cmocka_unit_test_setup_teardown(test_review, setup, teardown),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
