/* SPDX-License-Identifier: MIT */
/*
 * Power cuts and failing writes while an interrupted reencryption is repaired, or gets another
 * resilience: afterwards the repair can be repeated, the reencryption continues to its end, and all
 * data is there.
 */
#include "tests/reencrypt_disk.h"

#include "luks2/digest.h"
#include "luks2/metadata.h"
#include "luks2/reencrypt_private.h"

static const struct reencryption reencryptions[] = {
	{ "checksum", "aes-xts-plain64", 512, 512, false },
	{ "journal", "aes-xts-plain64", 512, 512, false },
	{ "journal", "aes-xts-plain64", 512, 1024, true },
};

/* An old program began the reencryption: version 1, without the digest. */
static bool old_version;

/* The first write at this byte of the data or behind it fails in the middle. */
static uint64_t torn_at;

static void tear(const uint8_t *bytes, uint64_t offset, size_t size)
{
	(void)bytes;
	(void)size;
	if (offset >= DATA_OFFSET + torn_at && !disk.fail_at)
		disk.fail_at = disk.calls;
}

static void make_old(struct mortise_luks2 *header)
{
	struct luks2_reencryption state;
	struct luks2_update *update;
	struct json_object *metadata, *digests;

	assert_int_equal(luks2_reencryption_get(luks2_header_metadata(header), &state, NULL),
			 MORTISE_OK);
	assert_int_equal(luks2_update_begin(header, &update, NULL), MORTISE_OK);
	metadata = luks2_update_metadata(update);
	digests = luks2_json_get(metadata, "digests", json_type_object);
	luks2_json_remove_id(digests, luks2_digest_of_keyslot(metadata, state.keyslot));
	assert_true(luks2_requirement_set(metadata, LUKS2_REQUIREMENT_REENCRYPT));
	assert_int_equal(luks2_update_commit(&update, NULL), MORTISE_OK);
}

/* Leaves a torn zone on the disk. */
static void interrupt(void)
{
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	struct mortise_luks2 *header;

	prepare();
	disk.before_write = tear;
	disk_record(0, true);
	assert_int_not_equal(reencrypt(NULL), MORTISE_OK);
	disk.recording = false;
	disk.before_write = NULL;
	header = load(disk.path);
	assert_non_null(header);
	if (old_version)
		make_old(header);
	assert_int_equal(mortise_reencrypt_info(header, &info, NULL), MORTISE_OK);
	assert_true(info.interrupted);
	assert_int_equal(info.unprotected, old_version);
	mortise_luks2_free(&header);
}

static enum mortise_code repair(struct mortise_luks2 *header, struct mortise_error *err)
{
	struct mortise_secret *given = passphrase();
	enum mortise_code code = mortise_reencrypt_repair(header, given, MORTISE_ANY, err);

	mortise_secret_free(&given);
	return code;
}

static enum mortise_code change(struct mortise_luks2 *header, struct mortise_error *err)
{
	enum mortise_code code;

	how.resilience = strcmp(now->resilience, "journal") ? "journal" : "checksum";
	how.resilience_hash = "sha512";
	code = proceed(header, err);
	how.resilience = how.resilience_hash = NULL;
	return code;
}

/* A repeated repair, then the rest. Without the repair of old metadata, nothing is written. */
static const char *find_loss_after_repair(const char *path)
{
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	static struct mortise_error err;
	struct mortise_luks2 *header = load(path);
	const char *loss = "no header";

	if (!header)
		return loss;
	loss = NULL;
	if (!mortise_reencrypt_info(header, &info, NULL)) {
		if (info.unprotected && proceed(header, &err) != MORTISE_E_POLICY)
			loss = "unprotected metadata was used";
		else if (repair(header, &err))
			loss = err.text;
		else if (!mortise_reencrypt_info(header, &info, NULL) &&
			 (info.interrupted || info.unprotected))
			loss = "it is not repaired";
	}
	mortise_luks2_free(&header);
	return loss ? loss : find_loss(path, false);
}

static const char *find_loss_after_cut(const char *path)
{
	return find_loss(path, false);
}

static void try_repair_cuts(struct disk *unused)
{
	(void)unused;
	disk_try_cuts(find_loss_after_repair);
	if (!old_version)
		disk_try_cuts(find_loss_after_cut);
}

static void try_change_cuts(struct disk *unused)
{
	(void)unused;
	disk_try_cuts(find_loss_after_cut);
}

/* Each of them in its second zone, and the first one in the last zone, too, whose commit ends it. */
static void run_all(void (*each)(void))
{
	for (size_t i = 0; i < sizeof(reencryptions) / sizeof(*reencryptions); i++) {
		now = &reencryptions[i];
		torn_at = ZONE;
		each();
	}
	now = &reencryptions[0];
	torn_at = 2 * ZONE;
	each();
}

/* Records what change_disk() does with the interrupted reencryption. */
static void record_cuts(enum mortise_code (*change_disk)(struct mortise_luks2 *,
							 struct mortise_error *),
			void (*try_cuts)(struct disk *), unsigned least)
{
	struct mortise_error err = { 0 };
	struct mortise_luks2 *header;
	const char *loss;

	interrupt();
	header = load(disk.path);
	disk.before_flush = try_cuts;
	disk_record(0, false);
	if (change_disk(header, &err))
		disk_wrong("%s", err.text);
	disk.recording = false;
	disk.before_flush = NULL;
	mortise_luks2_free(&header);
	if (*disk.wrong)
		fail_msg("%s: %s", now->resilience, disk.wrong);
	if (disk.calls < least)
		fail_msg("%u calls were recorded", disk.calls);
	loss = find_loss_after_repair(disk.path);
	if (loss)
		fail_msg("%s: %s", now->resilience, loss);
}

static void record_repair(void)
{
	record_cuts(repair, try_repair_cuts, 6);
}

/* Checksums need blocks that a cut does not tear. */
static void record_change(void)
{
	if (now->after == SECTOR)
		record_cuts(change, try_change_cuts, 10);
}

static void test_repair_cuts(void **state)
{
	(void)state;
	old_version = false;
	run_all(record_repair);
	old_version = true;
	run_all(record_repair);
	old_version = false;
}

static void test_change_cuts(void **state)
{
	(void)state;
	run_all(record_change);
}

/* Each write and flush fails once: whole, or in the middle. The second time it is done. */
static void fail_each(enum mortise_code (*change_disk)(struct mortise_luks2 *,
						       struct mortise_error *))
{
	unsigned calls = 1000;

	for (unsigned fail_at = 1; calls == 1000; fail_at++) {
		struct mortise_error err = { 0 };
		struct mortise_luks2 *header;
		const char *loss;

		interrupt();
		header = load(disk.path);
		disk_record((fail_at + 1) / 2, fail_at % 2);
		if (!change_disk(header, &err))
			calls = disk.calls;
		disk.recording = false;
		mortise_luks2_free(&header);
		if (calls == 1000 && err.sys_errno != EIO)
			fail_msg("call %u: %s", (fail_at + 1) / 2, err.text);
		loss = find_loss_after_repair(disk.path);
		if (loss)
			fail_msg("call %u failed: %s", (fail_at + 1) / 2, loss);
	}
	assert_in_range(calls, 6, 999);
}

static void test_failures(void **state)
{
	(void)state;
	now = &reencryptions[0];
	torn_at = ZONE;
	fail_each(change);
	fail_each(repair);
	old_version = true;
	fail_each(repair);
	old_version = false;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_repair_cuts),
		cmocka_unit_test(test_change_cuts),
		cmocka_unit_test(test_failures),
	};
	const int result = cmocka_run_group_tests(tests, disk_new, disk_remove);

	disk_log("repair", disk.states);
	return result;
}
