/* SPDX-License-Identifier: MIT */
/*
 * Power cuts while a partition table is written: after a cut at any moment, with any subset of the
 * unflushed sectors on the disk, sfdisk and sgdisk read the old or the new table, this code reads
 * the disk, and writing what it has read heals both copies.
 */
#define DISK_SIZE (8u << 20)
#include "tests/disk.h"
#include "tests/table_referees.h"

#include <sys/random.h>

#include "disk/gpt.h"

#define MIB	    (UINT64_C(1) << 20)
/* The rows, with the GUIDs, and the label. */
#define ROWS_FILTER "s/^label: //p"
#define UUID	    "uuid=01234567-89ab-4cde-8123-00000000000"

struct operation {
	const char *name;
	void (*prepare)(void);
	enum mortise_code (*act)(struct luks2_device *device);
};

static struct rows before, after, now;
static unsigned judged;

/*
 * Each referee must read the old or the new rows, not both the same: on a disk that grew, a damaged
 * first copy leads sgdisk to the old place of the second copy, and sfdisk to the new one.
 */
static bool is_old_or_new(const struct rows *rows)
{
	return (!strcmp(rows->sfdisk, before.sfdisk) || !strcmp(rows->sfdisk, after.sfdisk)) &&
	       (!strcmp(rows->sgdisk, before.sgdisk) || !strcmp(rows->sgdisk, after.sgdisk));
}

static struct luks2_device *open_disk(const char *path)
{
	struct luks2_device *device = NULL;

	assert_int_equal(luks2_device_open(path, false, &device, NULL), MORTISE_OK);
	assert_int_equal(luks2_device_writable(device, NULL), MORTISE_OK);
	return device;
}

static enum mortise_code change(struct luks2_device *device, void (*what)(struct gpt *gpt))
{
	struct gpt *gpt = NULL;
	enum mortise_code code = gpt_read(device, &gpt, NULL);

	if (!code) {
		what(gpt);
		code = gpt_write(gpt, device, NULL);
		gpt_free(&gpt);
	}
	return code;
}

static void add_two(struct gpt *gpt)
{
	struct gpt_partition added;

	assert_int_equal(gpt_add(gpt, GPT_TYPE_LINUX, "STATE", MIB, &added, NULL), MORTISE_OK);
	assert_int_equal(gpt_add(gpt, GPT_TYPE_SWAP, "s-swap", MIB, &added, NULL), MORTISE_OK);
}

static void remove_first(struct gpt *gpt)
{
	gpt_remove(gpt, 1);
}

static void grow_second(struct gpt *gpt)
{
	gpt_grow(gpt, 2, gpt_room(gpt, 2));
}

static void change_nothing(struct gpt *gpt)
{
	(void)gpt;
}

static enum mortise_code act_create(struct luks2_device *device)
{
	struct gpt *gpt = NULL;
	enum mortise_code code = gpt_read(device, &gpt, NULL);

	if (code == MORTISE_E_DEVICE)
		code = gpt_new(device, &gpt, NULL);
	if (!code)
		code = gpt_write(gpt, device, NULL);
	gpt_free(&gpt);
	return code;
}

static enum mortise_code act_add(struct luks2_device *device)
{
	return change(device, add_two);
}

static enum mortise_code act_remove(struct luks2_device *device)
{
	return change(device, remove_first);
}

static enum mortise_code act_grow(struct luks2_device *device)
{
	return change(device, grow_second);
}

static enum mortise_code act_heal(struct luks2_device *device)
{
	return change(device, change_nothing);
}

static void prepare_blank(void)
{
	uint8_t *image = calloc(1, DISK_SIZE);

	assert_non_null(image);
	disk_store(disk.path, image);
	free(image);
}

static void must(const char *format)
{
	char text[256];

	run_command(format, disk.path, text, sizeof(text));
}

static void prepare_empty(void)
{
	prepare_blank();
	must("echo 'label: gpt' | sfdisk --quiet %s");
}

static void prepare_two(void)
{
	prepare_blank();
	must("printf 'label: gpt\\nsize=1MiB," UUID "1\\nsize=2MiB," UUID
	     "2\\n' | sfdisk --quiet %s");
}

/* The disk was half as large. */
static void prepare_grown(void)
{
	char half[96];

	prepare_blank();
	snprintf(half, sizeof(half), "truncate -s %u %%s", DISK_SIZE / 2);
	must(half);
	must("printf 'label: gpt\\nsize=1MiB," UUID "1\\nsize=1MiB," UUID
	     "2\\n' | sfdisk --quiet %s");
	snprintf(half, sizeof(half), "truncate -s %u %%s", DISK_SIZE);
	must(half);
}

static void damage(uint64_t offset)
{
	uint8_t *image = malloc(DISK_SIZE);

	assert_non_null(image);
	disk_fetch(disk.path, image);
	image[offset] ^= 1;
	disk_store(disk.path, image);
	free(image);
}

static void prepare_first_damaged(void)
{
	prepare_two();
	damage(512 + 60);
}

static void prepare_second_damaged(void)
{
	prepare_two();
	damage(DISK_SIZE - 512 + 60);
}

static const struct operation operations[] = {
	{ "create", prepare_blank, act_create },
	{ "add", prepare_empty, act_add },
	{ "add to others", prepare_two, act_add },
	{ "remove", prepare_two, act_remove },
	{ "grow", prepare_two, act_grow },
	{ "grow on a grown disk", prepare_grown, act_grow },
	{ "heal the first copy", prepare_first_damaged, act_heal },
	{ "heal the second copy", prepare_second_damaged, act_heal },
};

#define OPERATION_COUNT (sizeof(operations) / sizeof(operations[0]))

static void prepare(const struct operation *operation)
{
	disk.recording = false;
	disk.before_flush = NULL;
	operation->prepare();
	read_rows(disk.path, ROWS_FILTER, &before);
}

static enum mortise_code act(const struct operation *operation)
{
	struct luks2_device *device = open_disk(disk.path);
	enum mortise_code code = operation->act(device);

	luks2_device_close(device);
	return code;
}

static void heal(const char *path, const struct operation *operation)
{
	struct luks2_device *device = open_disk(path);
	char text[512];

	if (operation->act == act_create ? act_create(device) : act_heal(device))
		disk_wrong("the next write fails, call %u", disk.calls);
	luks2_device_close(device);
	if (!table_is_good(path, text, sizeof(text)))
		disk_wrong("the next write heals nothing, call %u: %.100s", disk.calls, text);
}

static void try_cuts(struct disk *unused)
{
	uint8_t *image = malloc(DISK_SIZE), *last = calloc(1, DISK_SIZE);

	(void)unused;
	assert_non_null(image);
	assert_non_null(last);
	disk.recording = false;
	if (disk.pending_count > 1)
		disk_wrong("call %u flushes two writes", disk.calls);
	for (unsigned variant = 0; variant < DISK_CUTS; variant++) {
		disk_cut(variant, image);
		/* Most variants of a write that changes one sector are equal. */
		if (variant && !memcmp(image, last, DISK_SIZE))
			continue;
		memcpy(last, image, DISK_SIZE);
		disk_store(disk.cut, image);
		read_rows(disk.cut, ROWS_FILTER, &now);
		if (!is_old_or_new(&now))
			disk_wrong("neither old nor new: call %u, variant %u: %.40s %.40s",
				   disk.calls, variant, now.sfdisk, now.sgdisk);
		heal(disk.cut, disk.context);
		judged++;
	}
	disk.recording = true;
	free(image);
	free(last);
}

static void test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		const struct operation *operation = &operations[i];

		/* Once without cuts, to get the new contents: the random GUIDs must be the same. */
		prepare(operation);
		srand(1);
		assert_int_equal(act(operation), MORTISE_OK);
		read_rows(disk.path, ROWS_FILTER, &after);

		prepare(operation);
		srand(1);
		disk.context = operation;
		disk.before_flush = try_cuts;
		disk_record(0, false);
		if (act(operation))
			disk_wrong("failed");
		disk.recording = false;
		disk.before_flush = NULL;
		if (*disk.wrong)
			fail_msg("%s: %s", operation->name, disk.wrong);
		assert_int_equal(disk.pending_count, 0);
		assert_true(disk.calls >= 8);
	}
	print_message("%u states judged by sfdisk and sgdisk\n", judged);
}

/* After a failed write or flush, whole or torn, the old or new table is there, and a retry works. */
static void test_failures(void **state)
{
	(void)state;
	for (size_t i = 0; i < OPERATION_COUNT; i++) {
		for (unsigned number = 0;; number++) {
			enum mortise_code code;

			prepare(&operations[i]);
			disk_record(1 + number / 2, number % 2);
			code = act(&operations[i]);
			disk.recording = false;
			disk_forget_pending();
			if (!code)
				break;
			heal(disk.path, &operations[i]);
			if (*disk.wrong)
				fail_msg("%s: %s", operations[i].name, disk.wrong);
		}
	}
}

/* The GUIDs of new partitions, the same in each run. */
ssize_t getrandom(void *bytes, size_t size, unsigned flags)
{
	(void)flags;
	for (size_t i = 0; i < size; i++)
		((uint8_t *)bytes)[i] = (uint8_t)rand();
	return (ssize_t)size;
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_failures),
	};
	const int result = cmocka_run_group_tests(tests, disk_new, disk_remove);

	disk_log("grow", judged);
	return result;
}
