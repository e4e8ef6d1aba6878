/* SPDX-License-Identifier: MIT */
/*
 * META and power cuts: after a cut at any moment, with any subset of the unflushed sectors on the
 * disk, a reader finds the old content or the new, and the next write works. The same for a failing
 * device.
 */
#define DISK_SIZE (1u << 20)

#include "tests/disk.h"

#include "meta/adv.h"
#include "tests/vectors/hex.h"
#include "tests/vectors/meta_adv.h"

#define LONG_SIZE 200000u
#define OLD_BLOCK (DISK_SIZE - META_ADV_OLD)
#define ROOM	  (300u << 10)

/* Contains no zero, so that a missing sector is detected. */
static char long_value[LONG_SIZE];

struct operation {
	const char *name;
	void (*prepare)(uint8_t *image);
	enum mortise_code (*act)(struct mortise_error *err);
	bool nothing; /* the content does not change */
};

/* All entries that a reader finds, concatenated. */
struct content {
	size_t size;
	uint8_t bytes[ROOM];
};

static struct content before, after, now;

static bool content_read(const char *path, struct content *content)
{
	struct mortise_meta *meta = NULL;
	const struct mortise_meta_entry *entry;
	struct mortise_error err;

	memset(content, 0, sizeof(*content));
	if (mortise_meta_read(path, NULL, &meta, &err)) {
		disk_wrong("%.150s", err.text);
		return false;
	}
	for (size_t i = 0; (entry = mortise_meta_entry(meta, i)); i++) {
		assert_true(content->size + sizeof(entry->size) + 1 + entry->size <= ROOM);
		content->bytes[content->size++] = entry->tag;
		memcpy(content->bytes + content->size, &entry->size, sizeof(entry->size));
		content->size += sizeof(entry->size);
		memcpy(content->bytes + content->size, entry->value, entry->size);
		content->size += entry->size;
	}
	mortise_meta_free(&meta);
	return true;
}

static bool content_equal(const struct content *a, const struct content *b)
{
	return a->size == b->size && !memcmp(a->bytes, b->bytes, a->size);
}

static enum mortise_code set(uint8_t tag, const char *value, struct mortise_error *err)
{
	return mortise_meta_set(disk.path, NULL, tag, value, strlen(value), err);
}

/* Initial states: image is all zero before each. */

static void prepare_zero(uint8_t *image)
{
	(void)image;
}

static void fill(uint8_t *image, uint8_t tag, const char *value, size_t size)
{
	disk_store(disk.path, image);
	assert_int_equal(mortise_meta_set(disk.path, NULL, tag, value, size, NULL), MORTISE_OK);
	disk_fetch(disk.path, image);
}

static void prepare_some(uint8_t *image)
{
	fill(image, 9, "null", 4);
	fill(image, 12, long_value, LONG_SIZE);
	fill(image, 15, "1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed", 36);
}

static void prepare_first_bad(uint8_t *image)
{
	prepare_some(image);
	image[5000] ^= 0xff;
}

static void prepare_first_gone(uint8_t *image)
{
	prepare_some(image);
	memset(image, 0, META_ADV_COPY);
}

static void prepare_second_bad(uint8_t *image)
{
	prepare_some(image);
	image[META_ADV_COPY + 5000] ^= 0xff;
}

/* The state after a cut between the two writes, with either copy written first. */
static void prepare_different(uint8_t *image)
{
	uint8_t *newer = calloc(1, DISK_SIZE);

	assert_non_null(newer);
	prepare_some(image);
	memcpy(newer, image, DISK_SIZE);
	fill(newer, 9, "{}", 2);
	memcpy(image + META_ADV_COPY, newer, META_ADV_COPY);
	free(newer);
}

static void prepare_both_bad(uint8_t *image)
{
	prepare_first_bad(image);
	image[META_ADV_COPY + 5000] ^= 0xff;
}

static void prepare_old_only(uint8_t *image)
{
	from_hex(meta_adv_old_half, image + OLD_BLOCK, 512);
	memcpy(image + OLD_BLOCK + 512, image + OLD_BLOCK, 512);
}

static void prepare_old_too(uint8_t *image)
{
	prepare_old_only(image);
	prepare_some(image);
}

static void prepare_old_half(uint8_t *image)
{
	prepare_old_too(image);
	image[OLD_BLOCK + 300] ^= 0xff;
}

static void prepare_old_second_bad(uint8_t *image)
{
	prepare_old_too(image);
	image[OLD_BLOCK + 812] ^= 0xff;
}

static enum mortise_code act_set(struct mortise_error *err)
{
	return set(9, "{\"EncryptionProvider\":\"luks2\"}", err);
}

static enum mortise_code act_set_long(struct mortise_error *err)
{
	return mortise_meta_set(disk.path, NULL, 7, long_value, LONG_SIZE / 4, err);
}

static enum mortise_code act_set_longer(struct mortise_error *err)
{
	return mortise_meta_set(disk.path, NULL, 7, long_value, LONG_SIZE, err);
}

static enum mortise_code act_set_same(struct mortise_error *err)
{
	return set(9, "null", err);
}

static enum mortise_code act_delete(struct mortise_error *err)
{
	return mortise_meta_delete(disk.path, NULL, 9, err);
}

static enum mortise_code act_delete_old(struct mortise_error *err)
{
	return mortise_meta_delete(disk.path, NULL, 6, err);
}

static enum mortise_code act_delete_none(struct mortise_error *err)
{
	return mortise_meta_delete(disk.path, NULL, 77, err);
}

static const struct operation operations[] = {
	{ "the first value", prepare_zero, act_set, false },
	{ "the first value, long", prepare_zero, act_set_longer, false },
	{ "another value", prepare_some, act_set, false },
	{ "an additional value", prepare_some, act_set_long, false },
	{ "a deleted value", prepare_some, act_delete, false },
	{ "first copy bad", prepare_first_bad, act_set, false },
	{ "first copy gone", prepare_first_gone, act_set_long, false },
	{ "second copy bad", prepare_second_bad, act_set, false },
	{ "copies different", prepare_different, act_set, false },
	{ "both copies bad", prepare_both_bad, act_set_longer, false },
	{ "first copy bad, same value", prepare_first_bad, act_set_same, true },
	{ "second copy bad, same value", prepare_second_bad, act_set_same, true },
	{ "copies different, same value", prepare_different, act_set_same, true },
	{ "first copy bad, nothing to delete", prepare_first_bad, act_delete_none, true },
	{ "only in the older block", prepare_old_only, act_delete_old, false },
	{ "only in the older block, copies good", prepare_old_too, act_delete_old, false },
	{ "in a copy and in the older block", prepare_old_too, act_delete, false },
	{ "older block, first half bad", prepare_old_half, act_delete, false },
	{ "older block, second half bad", prepare_old_second_bad, act_delete, false },
	{ "older block kept", prepare_old_half, act_set, false },
};

#define OPERATION_COUNT (sizeof(operations) / sizeof(operations[0]))

static void prepare(const struct operation *operation, uint8_t *image)
{
	disk.recording = false;
	disk.before_flush = NULL;
	memset(image, 0, DISK_SIZE);
	operation->prepare(image);
	disk_store(disk.path, image);
	assert_true(content_read(disk.path, &before));
}

static void check_cut(const char *path, const char *what, unsigned number)
{
	if (!content_read(path, &now))
		disk_wrong("not read: %s %u, call %u", what, number, disk.calls);
	else if (!content_equal(&now, &before) && !content_equal(&now, &after))
		disk_wrong("neither old nor new: %s %u, call %u", what, number, disk.calls);
}

/* After any cut, the next write makes both copies equal. */
static void check_repaired(const char *path, uint8_t *image)
{
	if (mortise_meta_set(path, NULL, 100, "next", 4, NULL))
		disk_wrong("the next write fails, call %u", disk.calls);
	disk_fetch(path, image);
	if (memcmp(image, image + META_ADV_COPY, META_ADV_COPY))
		disk_wrong("the next write leaves the copies different, call %u", disk.calls);
}

static void try_cuts(struct disk *unused)
{
	uint8_t *image = malloc(DISK_SIZE);

	(void)unused;
	assert_non_null(image);
	disk.recording = false;
	if (disk.pending_count > 1)
		disk_wrong("call %u flushes two writes", disk.calls);
	for (unsigned variant = 0; variant < DISK_CUTS; variant += STRIDE) {
		disk_cut(variant, image);
		disk_store(disk.cut, image);
		check_cut(disk.cut, "variant", variant);
		check_repaired(disk.cut, image);
	}
	disk.recording = true;
	free(image);
}

static void test_cuts(void **state)
{
	uint8_t *image = malloc(DISK_SIZE);

	(void)state;
	assert_non_null(image);
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		const struct operation *operation = &operations[i];
		struct mortise_error err = { 0 };

		/* Once without cuts, to get the new content. */
		prepare(operation, image);
		assert_int_equal(operation->act(&err), MORTISE_OK);
		assert_true(content_read(disk.path, &after));
		assert_int_equal(content_equal(&before, &after), operation->nothing);

		prepare(operation, image);
		disk.before_flush = try_cuts;
		disk_record(0, false);
		if (operation->act(&err))
			disk_wrong("%.150s", err.text);
		disk.recording = false;
		disk.before_flush = NULL;
		if (*disk.wrong)
			fail_msg("%s: %s", operation->name, disk.wrong);
		if (disk.pending_count || disk.calls < 2)
			fail_msg("%s: %u calls, %zu writes not flushed", operation->name,
				 disk.calls, disk.pending_count);
	}
	free(image);
}

/* Makes the call number fail_at fail; returns false if there are fewer calls. */
static bool try_failure(const struct operation *operation, uint8_t *image, unsigned fail_at,
			bool torn)
{
	enum mortise_code code;

	prepare(operation, image);
	disk_record(fail_at, torn);
	code = operation->act(NULL);
	disk.recording = false;
	disk_forget_pending();
	if (!code)
		return false;
	check_cut(disk.path, "failure", fail_at);
	if (operation->act(NULL) || !content_read(disk.path, &now) || !content_equal(&now, &after))
		disk_wrong("the second attempt fails, failure %u", fail_at);
	if (*disk.wrong)
		fail_msg("%s: %s", operation->name, disk.wrong);
	return true;
}

/*
 * If a write or flush fails, with the write torn or not started, an error is returned, nothing is
 * lost, and a second attempt succeeds.
 */
static void test_failures(void **state)
{
	uint8_t *image = malloc(DISK_SIZE);

	(void)state;
	assert_non_null(image);
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		prepare(&operations[i], image);
		assert_int_equal(operations[i].act(NULL), MORTISE_OK);
		assert_true(content_read(disk.path, &after));
		for (unsigned torn = 0; torn < 2; torn++) {
			unsigned fail_at = 1;

			while (try_failure(&operations[i], image, fail_at, torn))
				fail_at++;
			/* Two copies, each written and flushed. */
			assert_true(fail_at > 4);
		}
	}
	free(image);
}

/* Setting a tag to its present value and deleting a missing tag write nothing. */
static void test_nothing(void **state)
{
	uint8_t *image = malloc(DISK_SIZE);

	(void)state;
	assert_non_null(image);
	prepare(&(struct operation){ .prepare = prepare_some }, image);
	disk_record(0, false);
	assert_int_equal(act_set_same(NULL), MORTISE_OK);
	assert_int_equal(act_delete_none(NULL), MORTISE_OK);
	assert_int_equal(disk.calls, 0);
	/* Deleting a tag from an empty partition does not create a META. */
	prepare(&(struct operation){ .prepare = prepare_zero }, image);
	disk_record(0, false);
	assert_int_equal(act_delete(NULL), MORTISE_OK);
	assert_int_equal(disk.calls, 0);
	disk.recording = false;
	free(image);
}

/* Other data than META is neither read nor overwritten. */
static void test_foreign_data(void **state)
{
	static const struct {
		size_t at;
		const char *hex;
		const char *word; /* in the error; NULL: it is META */
	} rows[] = {
		{ 0, "58465342", "unknown data" },
		{ META_ADV_COPY + 7, "01", "byte 262151" },
		{ DISK_SIZE - 2000, "01", "unknown data" },
		{ DISK_SIZE - 1, "01", "unknown data" },
		{ 4086, "53574150535041434532", "swap" },
		{ 0, "5a4b3c2d", NULL },
		{ META_ADV_COPY - 4, "a5b4c3d2", NULL },
		{ META_ADV_COPY, "5a4b3c2d", NULL },
		{ 2 * META_ADV_COPY - 4, "a5b4c3d2", NULL },
		{ OLD_BLOCK, "a52f2d5a", NULL },
		{ DISK_SIZE - 4, "64bf28dd", NULL },
		{ 1, "5a4b3c2d", "unknown data" },
	};
	uint8_t *image = calloc(1, DISK_SIZE);

	(void)state;
	assert_non_null(image);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct mortise_error err = { 0 };
		struct mortise_meta *meta = NULL;
		enum mortise_code code = rows[i].word ? MORTISE_E_NOT_EMPTY : MORTISE_OK;

		memset(image, 0, DISK_SIZE);
		from_hex(rows[i].hex, image + rows[i].at, 16);
		/* A swap area contains its size. */
		memcpy(image + 1024, "\1\0\0\0\xff\0\0\0", rows[i].at == 4086 ? 8 : 0);
		disk_store(disk.path, image);
		disk_record(0, false);
		if (mortise_meta_read(disk.path, NULL, &meta, &err) != code ||
		    (code && !strstr(err.text, rows[i].word)))
			fail_msg("row %zu: %s", i, err.text);
		mortise_meta_free(&meta);
		if (code && (set(9, "null", &err) != code ||
			     mortise_meta_delete(disk.path, NULL, 9, &err) != code || disk.calls))
			fail_msg("row %zu: written, or another error: %s", i, err.text);
		if (!code && set(9, "null", &err))
			fail_msg("row %zu: %s", i, err.text);
		disk.recording = false;
	}
	free(image);
}

/* A value that would make META look like other data is not stored. */
static void test_disguise(void **state)
{
	struct mortise_error err = { 0 };
	uint8_t *image = malloc(DISK_SIZE);
	char value[8192] = { 0 };

	(void)state;
	assert_non_null(image);
	prepare(&(struct operation){ .prepare = prepare_some }, image);
	/* Tag 1 is stored first: its value begins at byte 12. */
	memcpy(value + 1024 - 12, "\1\0\0\0\xff\0\0\0", 8);
	memcpy(value + 4086 - 12, "SWAPSPACE2", 10);
	disk_record(0, false);
	assert_int_equal(mortise_meta_set(disk.path, NULL, 1, value, sizeof(value), &err),
			 MORTISE_E_USAGE);
	assert_non_null(strstr(err.text, "swap"));
	assert_int_equal(disk.calls, 0);
	disk.recording = false;
	assert_true(content_read(disk.path, &now) && content_equal(&now, &before));
	free(image);
}

static void test_sizes(void **state)
{
	static const off_t sizes[] = { 0, 1, DISK_SIZE - 512, DISK_SIZE + 512, 2 * DISK_SIZE };
	struct mortise_meta *meta = NULL;
	struct mortise_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
		assert_int_equal(truncate(disk.path, sizes[i]), 0);
		assert_int_equal(mortise_meta_read(disk.path, NULL, &meta, &err), MORTISE_E_DEVICE);
		assert_non_null(strstr(err.text, "instead of 1048576"));
		assert_int_equal(set(9, "null", &err), MORTISE_E_DEVICE);
	}
	assert_int_equal(mortise_meta_read("/dev/null", NULL, &meta, &err), MORTISE_E_DEVICE);
	assert_int_equal(mortise_meta_read("/nonexistent", NULL, &meta, &err), MORTISE_E_DEVICE);
	assert_int_equal(truncate(disk.path, DISK_SIZE), 0);
}

static void test_uuid(void **state)
{
	static const char *const bad[] = {
		"1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4bed\n",
		"1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4be",
		"1b9d6bcd-bbfd-4b2d-9b5d-ab8dfbbd4beg",
		"1b9d6bcdbbfd4b2d9b5dab8dfbbd4bed",
		"x",
	};
	uint8_t *image = malloc(DISK_SIZE);

	(void)state;
	assert_non_null(image);
	prepare(&(struct operation){ .prepare = prepare_some }, image);
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		assert_int_equal(set(15, bad[i], NULL), MORTISE_E_USAGE);
	assert_true(content_read(disk.path, &now) && content_equal(&now, &before));
	assert_int_equal(set(15, "1B9D6BCD-BBFD-4B2D-9B5D-AB8DFBBD4BED", NULL), MORTISE_OK);
	assert_int_equal(set(15, "", NULL), MORTISE_OK);
	assert_int_equal(set(0, "", NULL), MORTISE_E_USAGE);
	free(image);
}

static int setup(void **state)
{
	for (size_t i = 0; i < LONG_SIZE; i++)
		long_value[i] = (char)('a' + i * 7 % 26);
	return disk_new(state);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),	 cmocka_unit_test(test_failures),
		cmocka_unit_test(test_nothing),	 cmocka_unit_test(test_foreign_data),
		cmocka_unit_test(test_disguise), cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_uuid),
	};
	const int result = cmocka_run_group_tests(tests, setup, disk_remove);

	disk_log("meta", disk.states);
	return result;
}
