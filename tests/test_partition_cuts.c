/* SPDX-License-Identifier: MIT */
/*
 * Power cuts while partitions are created: after a cut at any moment, with any subset of the
 * unflushed sectors on the disk, sfdisk and sgdisk read the old table, an empty one, or the new one;
 * the place of a partition that a table names is empty; and the next run finishes.
 */
#define DISK_SIZE   (16u << 20)
#define PENDING_MAX 128
/* disk/disks.h has another struct disk. */
#define disk	    cut_disk
#include "tests/disk.h"
#undef disk
#include "tests/table_referees.h"

#include <sys/random.h>

#include "declared/plan_partition.h"
#include "disk/probe.h"

#define MIB	    (UINT64_C(1) << 20)
/* The rows without the GUIDs, which are random. */
#define ROWS_FILTER "s/uuid=[^,]*//"

static struct rows before, after, now;
static unsigned judged, repeated;
static char place[96]; /* a file with the bytes of one partition */
static struct config_volume volumes[] = {
	{ .id = (char[]){ "u-a" }, .kind = CONFIG_VOLUME_USER },
	{ .id = (char[]){ "u-b" }, .kind = CONFIG_VOLUME_USER },
};

/* Examines the disk, and creates the partitions that it lacks. Sets why if that is refused. */
static enum mortise_code create(const char *path, bool *refused, char *why, size_t room)
{
	static const char *const no_texts[] = { NULL };
	const struct disk_facts facts = { .size = DISK_SIZE,
					  .dev_path = path,
					  .symlinks = no_texts,
					  .secondary_disks = no_texts };
	struct partition_planned partitions[2] = { { .volume = NULL } };
	struct disk_candidate disk_of_layout;
	struct partition_layout layout = { .disks = &disk_of_layout,
					   .disk_count = 1,
					   .partitions = partitions };
	const struct volume_run run = { .layout = &layout };
	struct gpt_partition found;
	enum mortise_code code = disk_examine(&facts, NULL, &disk_of_layout, NULL);

	*refused = !code && !disk_of_layout.gpt;
	if (code || *refused) {
		snprintf(why, room, "%s", disk_of_layout.reason);
		return code;
	}
	for (unsigned i = 0; i < 2; i++) {
		bool exists = false;

		for (uint32_t j = 0; j < disk_of_layout.gpt->entry_count; j++)
			exists |= gpt_partition(disk_of_layout.gpt, j, &found) &&
				  !strcmp(found.name, volumes[i].id);
		volumes[i].provisioning.min =
			(struct config_size){ .given = true, .value = (2 + i) * MIB };
		volumes[i].provisioning.max = volumes[i].provisioning.min;
		if (!exists)
			partitions[layout.count++].volume = &volumes[i];
	}
	layout.system = &disk_of_layout;
	assert_int_equal(partition_layout_choose(&layout, NULL), MORTISE_OK);
	for (size_t i = 0; !code && i < layout.count; i++) {
		assert_non_null(partitions[i].disk);
		partitions[i].wanted = true;
		code = partition_create(&run, &partitions[i], NULL);
	}
	gpt_free(&disk_of_layout.gpt);
	return code;
}

static void must(const char *format)
{
	char text[16];

	run_command(format, cut_disk.path, text, sizeof(text));
}

static void prepare_blank(void)
{
	static uint8_t zeros[DISK_SIZE];

	disk_store(cut_disk.path, zeros);
}

static void prepare_other(void)
{
	prepare_blank();
	must("printf 'label: gpt\\nstart=4096,size=2048,name=other\\n' | sfdisk -q %s 2>&1");
}

/* The free space holds a file system, which must not come back. */
static void prepare_remains(void)
{
	prepare_blank();
	must("f=%s; echo label: gpt | sfdisk -q $f; mkfs.ext4 -qF -O ^64bit -E offset=1048576 $f "
	     "4M 2>&1; printf LUKS | dd of=$f bs=1 seek=3145728 conv=notrunc 2>&1");
}

static const struct operation {
	const char *name;
	void (*prepare)(void);
} operations[] = {
	{ "blank", prepare_blank },
	{ "next to another partition", prepare_other },
	{ "over remains", prepare_remains },
};

static bool is_known(const char *text, const char *old, const char *new, bool first_only)
{
	/* Both partitions have their own write of the table. */
	return !strcmp(text, old) || !strcmp(text, new) ||
	       (first_only && strlen(text) < strlen(new) && strncmp(text, new, strlen(text)) == 0);
}

/* Every partition that this code has created, as far as the disk names it, is empty. */
static void check_places(const char *path, const uint8_t *image)
{
	struct luks2_device *device = NULL;
	struct gpt_partition partition;
	struct mortise_error err;
	struct disk_probe probe;
	struct gpt *gpt = NULL;

	assert_int_equal(luks2_device_open(path, false, &device, NULL), MORTISE_OK);
	if (gpt_read(device, &gpt, &err))
		goto out;
	for (uint32_t i = 0; i < gpt->entry_count; i++) {
		FILE *file;

		if (!gpt_partition(gpt, i, &partition) || !strcmp(partition.name, "other"))
			continue;
		file = fopen(place, "we");
		assert_non_null(file);
		assert_int_equal(fwrite(image + partition.first * gpt->sector,
					(size_t)gpt_size(gpt, &partition), 1, file),
				 1);
		assert_int_equal(fclose(file), 0);
		if (disk_probe(place, NULL, &probe, &err) || probe.content != DISK_EMPTY)
			disk_wrong("%s is not empty, call %u: %.60s", partition.name,
				   cut_disk.calls, probe.type);
	}
out:
	gpt_free(&gpt);
	luks2_device_close(device);
}

/* `up` restores a table whose first copy is torn. */
static void heal(const char *path)
{
	struct luks2_device *device = NULL;
	struct gpt *gpt = NULL;

	assert_int_equal(luks2_device_open(path, false, &device, NULL), MORTISE_OK);
	assert_int_equal(luks2_device_writable(device, NULL), MORTISE_OK);
	if (gpt_read(device, &gpt, NULL) || gpt_write(gpt, device, NULL))
		disk_wrong("cannot heal, call %u", cut_disk.calls);
	gpt_free(&gpt);
	luks2_device_close(device);
}

static void repeat(const char *path)
{
	char why[256] = "", text[512];
	bool refused;

	if (create(path, &refused, why, sizeof(why)) ||
	    (refused && !strstr(why, "a write of its partition table was cut off")))
		disk_wrong("the next run fails, call %u: %.100s", cut_disk.calls, why);
	if (refused) {
		heal(path);
		if (create(path, &refused, why, sizeof(why)) || refused)
			disk_wrong("the run after up fails, call %u: %.100s", cut_disk.calls, why);
		repeated++;
	}
	if (!table_is_good(path, text, sizeof(text)))
		disk_wrong("the next run leaves a bad table, call %u: %.100s", cut_disk.calls,
			   text);
	read_rows(path, ROWS_FILTER, &now);
	if (strcmp(now.sfdisk, after.sfdisk) != 0)
		disk_wrong("the next run makes another table, call %u: %.60s", cut_disk.calls,
			   now.sfdisk);
}

static void try_cuts(struct cut_disk *unused)
{
	/* Two variants of the writes of zeros, which come first. */
	const unsigned stride = cut_disk.pending_count > 1 ? 8 : STRIDE;
	uint8_t *image = malloc(DISK_SIZE), *last = calloc(1, DISK_SIZE);

	(void)unused;
	assert_non_null(image);
	assert_non_null(last);
	cut_disk.recording = false;
	for (unsigned variant = 0; variant < DISK_CUTS; variant += stride) {
		disk_cut(variant, image);
		if (variant && !memcmp(image, last, DISK_SIZE))
			continue;
		memcpy(last, image, DISK_SIZE);
		disk_store(cut_disk.cut, image);
		read_rows(cut_disk.cut, ROWS_FILTER, &now);
		if (!is_known(now.sfdisk, before.sfdisk, after.sfdisk, true) ||
		    !is_known(now.sgdisk, before.sgdisk, after.sgdisk, true))
			disk_wrong("neither old nor new: call %u, variant %u: %.60s %.60s",
				   cut_disk.calls, variant, now.sfdisk, now.sgdisk);
		check_places(cut_disk.cut, image);
		repeat(cut_disk.cut);
		judged++;
	}
	cut_disk.recording = true;
	free(image);
	free(last);
}

static void prepare(const struct operation *operation)
{
	cut_disk.recording = false;
	cut_disk.before_flush = NULL;
	operation->prepare();
	read_rows(cut_disk.path, ROWS_FILTER, &before);
}

static void test_cuts(void **state)
{
	char why[256];
	bool refused;

	(void)state;
	snprintf(place, sizeof(place), "%s/place", cut_disk.directory);
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		prepare(&operations[i]);
		if (create(cut_disk.path, &refused, why, sizeof(why)) || refused)
			fail_msg("%s: %s", operations[i].name, why);
		read_rows(cut_disk.path, ROWS_FILTER, &after);
		assert_non_null(strstr(after.sfdisk, "u-b"));

		prepare(&operations[i]);
		cut_disk.before_flush = try_cuts;
		disk_record(0, false);
		if (create(cut_disk.path, &refused, why, sizeof(why)) || refused)
			disk_wrong("failed");
		cut_disk.recording = false;
		cut_disk.before_flush = NULL;
		if (*cut_disk.wrong)
			fail_msg("%s: %s", operations[i].name, cut_disk.wrong);
		assert_int_equal(cut_disk.pending_count, 0);
		assert_true(cut_disk.calls >= 20);
	}
	unlink(place);
	assert_true(repeated > 0);
	print_message("%u states judged by sfdisk and sgdisk\n", judged);
}

/* After a failed write or flush, whole or torn, the next run finishes. */
static void test_failures(void **state)
{
	char why[256];
	bool refused;

	(void)state;
	for (size_t i = 0; i < sizeof(operations) / sizeof(operations[0]); i++) {
		prepare(&operations[i]);
		assert_int_equal(create(cut_disk.path, &refused, why, sizeof(why)), MORTISE_OK);
		read_rows(cut_disk.path, ROWS_FILTER, &after);
		/* Most writes are zeros. */
		for (unsigned number = (unsigned)i;; number += 3) {
			enum mortise_code code;

			prepare(&operations[i]);
			disk_record(1 + number / 2, number % 2);
			code = create(cut_disk.path, &refused, why, sizeof(why));
			cut_disk.recording = false;
			disk_forget_pending();
			if (!code)
				break;
			repeat(cut_disk.path);
			if (*cut_disk.wrong)
				fail_msg("%s: %s", operations[i].name, cut_disk.wrong);
		}
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_failures),
	};
	const int result = cmocka_run_group_tests(tests, disk_new, disk_remove);

	disk_log("apply", judged);
	return result;
}
