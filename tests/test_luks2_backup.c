/* SPDX-License-Identifier: MIT */
/*
 * Backup files: after a power cut at any moment, a file whose header loads is the whole backup; after
 * a failing call there is no file. test_luks2_cuts.c and test_luks2_failures.c have restores.
 */
#include "tests/luks2_operations.h"

static uint8_t source[DISK_SIZE];

/* The header is in the memory file, and the backup becomes the recorded disk. */
static enum mortise_code act_backup(unsigned fail_at, bool torn, struct mortise_error *err)
{
	struct mortise_luks2 *header = load(backup_path, false);
	enum mortise_code code;

	assert_non_null(header);
	unlink(disk.path);
	memset(disk.stable, 0, sizeof(disk.stable));
	disk_forget_pending();
	disk.calls = 0;
	disk.fail_at = fail_at;
	disk.fail_torn = torn;
	disk.recording = true;
	code = mortise_header_backup(header, disk.path, err);
	disk.recording = false;
	mortise_luks2_free(&header);
	return code;
}

static void prepare(void)
{
	disk.before_write = NULL;
	prepare_two();
	store_backup();
	disk_fetch(disk.path, source);
}

static void try_cuts(struct disk *unused)
{
	uint8_t *image = malloc(DISK_SIZE);

	(void)unused;
	assert_non_null(image);
	disk.recording = false;
	for (unsigned variant = 0; variant < DISK_CUTS; variant += STRIDE) {
		disk_cut(variant, image);
		disk_store(disk.cut, image);
		if (holds_restored(disk.cut) &&
		    (!judge(disk.cut, old_opens) ||
		     !memcmp(image + 2 * COPY_SIZE, source + 2 * COPY_SIZE,
			     DISK_SIZE - 2 * COPY_SIZE)))
			continue;
		disk_wrong("a header without its areas, call %u, variant %u", disk.calls, variant);
	}
	disk.recording = true;
	free(image);
}

static void test_cuts(void **state)
{
	struct mortise_error err = { 0 };
	struct stat st;

	(void)state;
	prepare();
	disk.before_flush = try_cuts;
	if (act_backup(0, false, &err))
		fail_msg("%s", err.text);
	disk.before_flush = NULL;
	if (*disk.wrong)
		fail_msg("%s", disk.wrong);
	assert_true(disk.calls >= 4);
	assert_int_equal(disk.pending_count, 0);
	assert_int_equal(stat(disk.path, &st), 0);
	assert_int_equal(st.st_mode & 07777, 0400);
	assert_int_equal(st.st_size, DISK_SIZE);
	assert_memory_equal(disk.stable, source, DISK_SIZE);
	assert_true(holds_old(disk.path));
	/* An existing file stays as it is. */
	disk.recording = false;
	chmod(disk.path, 0600);
}

static void test_failures(void **state)
{
	(void)state;
	prepare();
	for (unsigned call = 1;; call++) {
		for (int torn = 0; torn < 2; torn++) {
			struct mortise_error err = { 0 };

			if (!act_backup(call, torn, &err)) {
				assert_true(call > 4);
				return;
			}
			assert_int_equal(err.code, MORTISE_E_SYSTEM);
			assert_int_equal(access(disk.path, F_OK), -1);
		}
	}
}

/* A medium that loses what was written is noticed when the file is read back. */
static void lose_one_write(struct disk *unused)
{
	static const uint8_t wrong[SECTOR] = { 1 };
	int fd = open(disk.path, O_RDONLY | O_CLOEXEC);
	char path[32];

	(void)unused;
	assert_true(fd >= 0);
	chmod(disk.path, 0600);
	snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
	close(fd);
	fd = open(disk.path, O_RDWR | O_CLOEXEC);
	assert_true(fd >= 0);
	assert_int_equal(real_pwrite(fd, wrong, SECTOR, DISK_SIZE - SECTOR), SECTOR);
	close(fd);
}

static void test_read_back(void **state)
{
	struct mortise_error err = { 0 };

	(void)state;
	prepare();
	disk.before_flush = lose_one_write;
	assert_int_equal(act_backup(0, false, &err), MORTISE_E_SYSTEM);
	disk.before_flush = NULL;
	assert_non_null(strstr(err.text, "does not hold what was written"));
	assert_int_equal(err.offset, DISK_SIZE - 4096);
	assert_int_equal(access(disk.path, F_OK), -1);
}

static void test_changed_meanwhile(void **state)
{
	struct mortise_luks2 *header;
	struct mortise_error err = { 0 };
	char target[128];

	(void)state;
	prepare();
	snprintf(target, sizeof(target), "%s/backup", disk.directory);
	header = load(disk.path, false);
	assert_non_null(header);
	assert_int_equal(act_label(NULL), MORTISE_OK);
	assert_int_equal(mortise_header_backup(header, target, &err), MORTISE_E_CHANGED);
	assert_int_equal(access(target, F_OK), -1);
	assert_int_equal(mortise_header_backup(header, disk.path, &err), MORTISE_E_USAGE);
	assert_true(holds_old(disk.path));
	mortise_luks2_free(&header);
}

static uint32_t differences(void)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = disk.path,
						   .readonly = true };
	struct mortise_restore how = { .struct_size = sizeof(how),
				       .file = backup_path,
				       .compare_only = true };
	uint32_t found = 0;

	assert_int_equal(mortise_header_restore(&location, &how, &found, NULL), MORTISE_OK);
	return found;
}

static void test_differences(void **state)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = disk.path };
	struct mortise_restore how = { .struct_size = sizeof(how), .file = backup_path };
	struct mortise_error err = { 0 };
	uint8_t *before = malloc(DISK_SIZE), *after = malloc(DISK_SIZE);

	(void)state;
	assert_non_null(before);
	assert_non_null(after);
	prepare_restore();
	assert_int_equal(differences(), MORTISE_RESTORE_EPOCH);
	prepare_restore_other();
	assert_int_equal(differences(), MORTISE_RESTORE_UUID | MORTISE_RESTORE_KEY);
	prepare_restore_nothing();
	assert_int_equal(differences(), MORTISE_RESTORE_NO_HEADER);
	disk_fetch(disk.path, before);
	assert_int_equal(mortise_header_restore(&location, &how, NULL, &err), MORTISE_E_POLICY);
	/* The device itself is not a backup of itself. */
	prepare_one();
	how.file = disk.path;
	assert_int_equal(mortise_header_restore(&location, &how, NULL, &err), MORTISE_E_USAGE);
	free(before);
	free(after);
}

/* Without a free place for an area in the way, the restore is done nevertheless. */
static void test_no_space(void **state)
{
	struct mortise_luks2 *header;

	(void)state;
	prepare_restore_moving();
	header = load(disk.path, false);
	assert_non_null(header);
	assert_true(unlock(header, 0, NEW));
	for (int id = 1; id < (int)AREAS; id++)
		assert_int_equal(add_to(header, id, SECOND, NULL), MORTISE_OK);
	mortise_luks2_free(&header);
	assert_int_equal(act_restore(NULL), MORTISE_OK);
	assert_true(holds_old(disk.path));
	assert_false(judge(disk.path, new_opens));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),	    cmocka_unit_test(test_failures),
		cmocka_unit_test(test_read_back),   cmocka_unit_test(test_changed_meanwhile),
		cmocka_unit_test(test_differences), cmocka_unit_test(test_no_space),
	};

	return cmocka_run_group_tests(tests, disk_new, disk_remove);
}
