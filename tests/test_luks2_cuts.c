/* SPDX-License-Identifier: MIT */
/*
 * Power cuts: after a cut at any moment, with any subset of the unflushed sectors on the disk, the
 * device opens with the old key or the new one.
 */
#include "tests/luks2_operations.h"

static void try_cut(unsigned variant)
{
	const struct operation *operation = disk.context;
	uint8_t *image = malloc(DISK_SIZE);

	assert_non_null(image);
	disk_cut(variant, image);
	disk_store(disk.cut, image);
	free(image);
	disk.recording = false;
	if (!operation->holds(disk.cut))
		disk_wrong("lost by a cut before flush, call %u, variant %u", disk.calls, variant);
	/* The first read has repaired the header: a second read finds the same. */
	if (!operation->holds(disk.cut))
		disk_wrong("lost by the repair, call %u, variant %u", disk.calls, variant);
	disk.recording = true;
}

static void try_cuts(struct disk *unused)
{
	(void)unused;
	for (unsigned variant = 0; variant < DISK_CUTS; variant += STRIDE)
		try_cut(variant);
}

/* The verb that does this. */
static const char *verb_of(const struct operation *operation)
{
	static const struct {
		enum mortise_code (*act)(struct mortise_error *err);
		const char *verb;
	} verbs[] = {
		{ act_format, "luksFormat" },
		{ act_add, "luksAddKey" },
		{ act_add_unlocked, "luksAddKey" },
		{ act_change, "luksChangeKey" },
		{ act_remove, "luksKillSlot" },
		{ act_erase, "erase" },
		{ act_label, "config" },
		{ act_label_unlocked, "config" },
		{ act_token, "token" },
		{ act_links, "token" },
		{ act_load, "open" },
		{ act_repair, "repair" },
		{ act_restore, "luksHeaderRestore" },
	};

	for (size_t i = 0; i < sizeof(verbs) / sizeof(verbs[0]); i++)
		if (verbs[i].act == operation->act)
			return verbs[i].verb;
	fail_msg("%s: of no verb", operation->name);
	return NULL;
}

static void test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		const struct operation *operation = &operations[i];
		struct mortise_error err = { 0 };
		unsigned calls;

		operation_prepare(operation);
		disk.context = operation;
		disk.before_flush = try_cuts;
		disk_record(0, false);
		if (operation->act(&err))
			fail_msg("%s: %s", operation->name, err.text);
		disk.recording = false;
		disk.before_flush = NULL;
		calls = disk.calls;
		if (*disk.wrong)
			fail_msg("%s: %s", operation->name, disk.wrong);
		if (disk.pending_count)
			fail_msg("%s: ends with unflushed writes", operation->name);
		if (!operation->done(disk.path))
			fail_msg("%s: not done", operation->name);
		if (calls < 2)
			fail_msg("%s: no writes were recorded", operation->name);
		disk_log(verb_of(operation), disk.states);
	}
}

/* The area of a removed or changed keyslot is wiped: no sector keeps its contents. */
static void test_wiped(void **state)
{
	static const struct {
		void (*prepare)(void);
		enum mortise_code (*act)(struct mortise_error *err);
		uint64_t area;
	} cases[] = {
		{ prepare_two, act_remove, 2 * COPY_SIZE + AREA_SIZE },
		{ prepare_one, act_change, 2 * COPY_SIZE },
	};
	uint8_t *before = malloc(DISK_SIZE), *after = malloc(DISK_SIZE);

	(void)state;
	assert_non_null(before);
	assert_non_null(after);
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cases[i].prepare();
		disk_fetch(disk.path, before);
		assert_int_equal(cases[i].act(NULL), MORTISE_OK);
		disk_fetch(disk.path, after);
		for (uint64_t at = cases[i].area; at < cases[i].area + AREA_SIZE; at += SECTOR)
			assert_memory_not_equal(before + at, after + at, SECTOR);
	}
	free(before);
	free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_wiped),
	};

	return cmocka_run_group_tests(tests, luks2_disk_new, disk_remove);
}
