/* SPDX-License-Identifier: MIT */
/* The salt on STATE: every YAML form of it, and its creation: atomic, private, and only once. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "config/salt.h"

#define RACERS 8

/* Talos's format (its YAML encoder indents sequences by four), with the bytes 224..255. */
static const char talos_text[] =
	"diskSalt:\n"
	"    - 224\n    - 225\n    - 226\n    - 227\n    - 228\n    - 229\n    - 230\n    - 231\n"
	"    - 232\n    - 233\n    - 234\n    - 235\n    - 236\n    - 237\n    - 238\n    - 239\n"
	"    - 240\n    - 241\n    - 242\n    - 243\n    - 244\n    - 245\n    - 246\n    - 247\n"
	"    - 248\n    - 249\n    - 250\n    - 251\n    - 252\n    - 253\n    - 254\n    - 255\n";

#define ONES  "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1" /* 31 */
#define ZEROS "0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0,0" /* 31 */

static char dir[] = "/tmp/mortise-salt-XXXXXX";

static void path_of(const char *name, char path[static 256])
{
	snprintf(path, 256, "%s/%s", dir, name);
}

static void file_write(const char *name, const char *text, size_t size)
{
	char path[256];
	FILE *stream;

	path_of(name, path);
	stream = fopen(path, "wb");
	assert_non_null(stream);
	assert_int_equal(fwrite(text, 1, size, stream), size);
	assert_int_equal(fclose(stream), 0);
}

static size_t file_read(char *text, size_t room)
{
	char path[256];
	FILE *stream;
	size_t size;

	path_of(CONFIG_SALT_FILE, path);
	stream = fopen(path, "rb");
	assert_non_null(stream);
	size = fread(text, 1, room - 1, stream);
	fclose(stream);
	text[size] = 0;
	return size;
}

static int dir_make(void **state)
{
	(void)state;
	memcpy(dir + sizeof(dir) - 7, "XXXXXX", 6);
	return mkdtemp(dir) ? 0 : -1;
}

static size_t dir_count(bool empty_it)
{
	DIR *stream = opendir(dir);
	struct dirent *entry;
	size_t count = 0;
	char path[512];

	assert_non_null(stream);
	while ((entry = readdir(stream))) {
		if (strcmp(entry->d_name, ".") == 0 || strcmp(entry->d_name, "..") == 0)
			continue;
		count++;
		snprintf(path, sizeof(path), "%s/%s", dir, entry->d_name);
		if (empty_it && unlink(path) < 0)
			rmdir(path);
	}
	closedir(stream);
	return count;
}

static int dir_remove(void **state)
{
	(void)state;
	dir_count(true);
	return rmdir(dir);
}

static void test_talos_file(void **state)
{
	uint8_t salt[CONFIG_SALT_SIZE];
	struct mortise_error err;

	(void)state;
	file_write(CONFIG_SALT_FILE, talos_text, sizeof(talos_text) - 1);
	assert_int_equal(config_salt_read(NULL, dir, salt, &err), MORTISE_OK);
	for (size_t i = 0; i < sizeof(salt); i++)
		assert_int_equal(salt[i], 224 + i);
	/* An existing salt is used, and never replaced. */
	memset(salt, 0, sizeof(salt));
	assert_int_equal(config_salt_ensure(NULL, dir, salt, &err), MORTISE_OK);
	assert_int_equal(salt[16], 240);
	assert_int_equal(dir_count(false), 1);
}

static void test_other_forms(void **state)
{
	static const char *const forms[] = {
		"diskSalt: [" ONES ",7]",
		"---\n{\"diskSalt\": [" ONES ",\n  7]}\n...\n",
		"# of a newer Talos\nother: {a: 1}\ndiskSalt: [" ONES ", 7]\n",
	};
	uint8_t salt[CONFIG_SALT_SIZE];
	struct mortise_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
		memset(salt, 0, sizeof(salt));
		file_write(CONFIG_SALT_FILE, forms[i], strlen(forms[i]));
		assert_int_equal(config_salt_read(NULL, dir, salt, &err), MORTISE_OK);
		assert_int_equal(salt[0], 1);
		assert_int_equal(salt[31], 7);
	}
}

static void test_bad_files(void **state)
{
	static const struct {
		const char *text;
		const char *why;
	} files[] = {
		{ "", "it is not a single mapping with the key diskSalt" },
		{ "diskSalt: [" ONES ",1]\n---\na: b\n",
		  "it is not a single mapping with the key diskSalt" },
		{ "[" ONES ",1]", "it is not a single mapping with the key diskSalt" },
		{ "disksalt: [" ONES ",1]", "the list diskSalt is missing" },
		{ "diskSalt:\n", "the list diskSalt is missing" },
		{ "diskSalt: {a: 1}\n", "the list diskSalt is missing" },
		{ "diskSalt: []\n", "diskSalt does not hold 32 bytes" },
		{ "diskSalt: [" ONES "]", "diskSalt does not hold 32 bytes" },
		{ "diskSalt: [" ONES ",1,1]", "diskSalt does not hold 32 bytes" },
		{ "diskSalt: [" ZEROS ",0]", "diskSalt is all zero" },
		{ "diskSalt: [" ONES ",256]", "an item of diskSalt is not a byte" },
		{ "diskSalt: [" ONES ",-1]", "an item of diskSalt is not a byte" },
		{ "diskSalt: [" ONES ",\"1\"]", "an item of diskSalt is not a byte" },
		{ "diskSalt: [" ONES ",[1]]", "an item of diskSalt is not a byte" },
		{ "diskSalt: [" ONES ",1]\ndiskSalt: [" ONES ",1]", "diskSalt is given twice" },
		{ "diskSalt: *a", "unknown anchor: no &a comes before this alias" },
		{ "diskSalt: [", "invalid YAML: while parsing a flow node, did not find expected "
				 "node content" },
	};
	uint8_t salt[CONFIG_SALT_SIZE];
	struct mortise_error err;
	char expected[512];
	char after[512];

	(void)state;
	for (size_t i = 0; i < sizeof(files) / sizeof(files[0]); i++) {
		file_write(CONFIG_SALT_FILE, files[i].text, strlen(files[i].text));
		memset(salt, 0xaa, sizeof(salt));
		assert_int_equal(config_salt_read(NULL, dir, salt, &err), MORTISE_E_CORRUPT);
		snprintf(expected, sizeof(expected),
			 "%s/%s is damaged: %s; restore it from a copy: keys locked to STATE "
			 "need this salt",
			 dir, CONFIG_SALT_FILE, files[i].why);
		assert_string_equal(err.text, expected);
		/* No salt is returned, and an invalid file is never overwritten. */
		assert_true(salt[0] == 0xaa || salt[0] == 0);
		assert_int_equal(config_salt_ensure(NULL, dir, salt, &err), MORTISE_E_CORRUPT);
		assert_int_equal(file_read(after, sizeof(after)), strlen(files[i].text));
		assert_string_equal(after, files[i].text);
	}
}

static void test_not_a_file(void **state)
{
	uint8_t salt[CONFIG_SALT_SIZE];
	struct mortise_error err;
	char path[256];
	char big[5000];

	(void)state;
	path_of(CONFIG_SALT_FILE, path);
	memset(big, '#', sizeof(big));
	file_write(CONFIG_SALT_FILE, big, sizeof(big));
	assert_int_equal(config_salt_read(NULL, dir, salt, &err), MORTISE_E_CORRUPT);
	assert_non_null(strstr(err.text, "too large"));
	file_write("elsewhere", talos_text, sizeof(talos_text) - 1);
	unlink(path);
	assert_int_equal(symlink("elsewhere", path), 0);
	assert_int_equal(config_salt_read(NULL, dir, salt, &err), MORTISE_E_DEVICE);
	assert_int_equal(err.sys_errno, ELOOP);
	unlink(path);
	assert_int_equal(mkdir(path, 0700), 0);
	assert_int_equal(config_salt_read(NULL, dir, salt, &err), MORTISE_E_CORRUPT);
	rmdir(path);
	assert_int_equal(mkfifo(path, 0600), 0);
	assert_int_equal(config_salt_read(NULL, dir, salt, &err), MORTISE_E_CORRUPT);
}

static void test_missing(void **state)
{
	uint8_t salt[CONFIG_SALT_SIZE];
	struct mortise_error err;

	(void)state;
	assert_int_equal(config_salt_read(NULL, dir, salt, &err), MORTISE_E_WAIT);
	assert_non_null(strstr(err.text, "encryption salt not available"));
	assert_int_equal(dir_count(false), 0);
	assert_int_equal(config_salt_read(NULL, "/nonexistent/state", salt, &err), MORTISE_E_WAIT);
	assert_int_equal(config_salt_ensure(NULL, "/nonexistent/state", salt, &err),
			 MORTISE_E_WAIT);
	assert_int_equal(config_salt_read(NULL, "/dev/null", salt, &err), MORTISE_E_DEVICE);
	assert_int_equal(config_salt_read(NULL, dir, salt, NULL), MORTISE_E_WAIT);
}

static void test_made(void **state)
{
	uint8_t salt[CONFIG_SALT_SIZE];
	uint8_t again[CONFIG_SALT_SIZE];
	struct mortise_error err;
	struct stat st;
	char expected[512] = "diskSalt:\n";
	char text[512];
	char path[256];
	mode_t mask;

	(void)state;
	/* The file left by a power cut during the write. */
	file_write(".encryption-salt.yaml.new", talos_text, 40);
	mask = umask(0777);
	assert_int_equal(config_salt_ensure(NULL, dir, salt, &err), MORTISE_OK);
	umask(mask);
	assert_int_equal(dir_count(false), 1);
	path_of(CONFIG_SALT_FILE, path);
	assert_int_equal(lstat(path, &st), 0);
	assert_int_equal(st.st_mode, S_IFREG | 0600);
	assert_int_equal(st.st_nlink, 1);
	for (size_t i = 0; i < sizeof(salt); i++)
		snprintf(expected + strlen(expected), 16, "    - %u\n", salt[i]);
	file_read(text, sizeof(text));
	assert_string_equal(text, expected);
	assert_int_equal(config_salt_ensure(NULL, dir, again, &err), MORTISE_OK);
	assert_memory_equal(salt, again, sizeof(salt));
	assert_int_equal(config_salt_read(NULL, dir, again, &err), MORTISE_OK);
	assert_memory_equal(salt, again, sizeof(salt));
	unlink(path);
	assert_int_equal(config_salt_ensure(NULL, dir, again, &err), MORTISE_OK);
	assert_memory_not_equal(salt, again, sizeof(salt));
}

static void test_race(void **state)
{
	uint8_t salt[RACERS][CONFIG_SALT_SIZE];
	int ends[2];
	int status;

	(void)state;
	assert_int_equal(pipe(ends), 0);
	for (int i = 0; i < RACERS; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (pid == 0) {
			bool ok = config_salt_ensure(NULL, dir, salt[0], NULL) == MORTISE_OK &&
				  write(ends[1], salt[0], CONFIG_SALT_SIZE) == CONFIG_SALT_SIZE;
			_exit(ok ? 0 : 1);
		}
	}
	for (int i = 0; i < RACERS; i++) {
		assert_true(wait(&status) > 0);
		assert_int_equal(status, 0);
	}
	for (int i = 0; i < RACERS; i++) {
		assert_int_equal(read(ends[0], salt[i], CONFIG_SALT_SIZE), CONFIG_SALT_SIZE);
		assert_memory_equal(salt[i], salt[0], CONFIG_SALT_SIZE);
	}
	close(ends[0]);
	close(ends[1]);
	assert_int_equal(dir_count(false), 1);
}

#define salt_test(function) cmocka_unit_test_setup_teardown(function, dir_make, dir_remove)

int main(void)
{
	const struct CMUnitTest tests[] = {
		salt_test(test_talos_file), salt_test(test_other_forms), salt_test(test_bad_files),
		salt_test(test_not_a_file), salt_test(test_missing),	 salt_test(test_made),
		salt_test(test_race),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
