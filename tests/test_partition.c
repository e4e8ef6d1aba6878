/* SPDX-License-Identifier: MIT */
/*
 * Where partitions are created: rules, order, sizes, and the choice of the disk, on image files.
 * Values of Talos's unit tests are marked [T].
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "declared/plan_partition.h"
#include "disk/probe.h"

#define MIB   (UINT64_C(1) << 20)
#define GIB   (UINT64_C(1) << 30)

#define DISKS 8u

static char any_disk[] = "true";
static char directory[] = "/tmp/mortise-partition.XXXXXX";
static char path[DISKS][64];
static struct disk_facts facts[DISKS];

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	for (unsigned i = 0; i < DISKS; i++)
		snprintf(path[i], sizeof(path[i]), "%s/disk%u", directory, i);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	for (unsigned i = 0; i < DISKS; i++)
		unlink(path[i]);
	return rmdir(directory);
}

/* Disk i becomes a sparse file of zeros, changed by a shell command with the file as $1. */
static void make_disk(unsigned i, uint64_t size, const char *command)
{
	static const char *const no_texts[] = { NULL };
	char line[512];
	int fd = open(path[i], O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
	facts[i] = (struct disk_facts){ .size = size,
					.sector_size = 512,
					.system_known = true,
					.dev_path = path[i],
					.transport = i % 2 ? "sata" : "nvme",
					.symlinks = no_texts,
					.secondary_disks = no_texts };
	snprintf(line, sizeof(line), "set -- %s; { %s; } >/dev/null 2>&1", path[i], command);
	if (system(line))
		fail_msg("%s", command);
}

static struct disk_candidate examine(unsigned i)
{
	struct disk_candidate candidate;
	struct mortise_error err;

	if (disk_examine(&facts[i], NULL, &candidate, &err))
		fail_msg("%s", err.text);
	return candidate;
}

static struct config_volume volume_of(const char *id, enum config_volume_kind kind)
{
	return (struct config_volume){ .id = (char *)(uintptr_t)id,
				       .name = (char *)(uintptr_t)id,
				       .kind = kind };
}

static struct partition_rule rule_of(const struct config_volume *volume)
{
	struct partition_rule rule;

	partition_rule_of(volume, &rule);
	return rule;
}

static void test_defaults(void **state)
{
	static const struct {
		const char *id;
		uint64_t min, max;
	} rows[] = {
		{ "STATE", 100 * MIB, 100 * MIB },
		{ "EPHEMERAL", 2 * GIB, 0 },
		{ "IMAGECACHE", 500 * MIB, GIB },
		{ "ETCD", 2 * GIB, 0 },
		{ "CRI", 2 * GIB, 0 },
		{ "KUBELET", 2 * GIB, 0 },
		{ "LOG", 2 * GIB, 0 },
	};
	struct config_volume volume;
	struct partition_rule rule;

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		volume = volume_of(rows[i].id, CONFIG_VOLUME_SYSTEM);
		rule = rule_of(&volume);
		assert_int_equal(rule.min, rows[i].min);
		assert_int_equal(rule.max.given, rows[i].max != 0);
		assert_int_equal(rule.max.value, rows[i].max);
		assert_string_equal(rule.type, GPT_TYPE_LINUX);
		assert_null(rule.selector);
		assert_int_equal(rule.wave, -1);
	}
	volume = volume_of("s-swap", CONFIG_VOLUME_SWAP);
	volume.filesystem = CONFIG_FS_SWAP;
	rule = rule_of(&volume);
	assert_string_equal(rule.type, GPT_TYPE_SWAP);
	assert_int_equal(rule.min, 100 * MIB);
	assert_int_equal(rule.wave, 0);
	/* The name of a system volume in a user volume means nothing. */
	volume = volume_of("STATE", CONFIG_VOLUME_USER);
	assert_false(rule_of(&volume).max.given);
	rule = rule_of(NULL);
	assert_string_equal(rule.label, "META");
	assert_int_equal(rule.min, MIB);
	assert_int_equal(rule.max.value, MIB);

	/* One bound that is given moves the default of the other. */
	volume = volume_of("u-data", CONFIG_VOLUME_USER);
	volume.provisioning.max = (struct config_size){ .given = true, .value = 50 * MIB };
	rule = rule_of(&volume);
	assert_int_equal(rule.min, 50 * MIB);
	volume.provisioning.max.percent = true;
	assert_int_equal(rule_of(&volume).min, 100 * MIB);
	volume = volume_of("IMAGECACHE", CONFIG_VOLUME_SYSTEM);
	volume.provisioning.min = (struct config_size){ .given = true, .value = 2 * GIB };
	rule = rule_of(&volume);
	assert_int_equal(rule.min, 2 * GIB);
	assert_false(rule.max.given);
}

static void test_order(void **state)
{
	const struct config_size gib = { .given = true, .value = GIB };
	const struct config_size more = { .given = true, .value = 2 * GIB };
	const struct config_size percent = { .given = true, .percent = true, .value = 1 };
	const struct config_size rest = { .given = true, .negative = true, .value = 1 };
	const struct partition_rule rows[] = {
		{ .label = "META", .wave = -2 },
		{ .label = "STATE", .wave = -1, .max = gib },
		{ .label = "ETCD", .wave = -1, .max = more },
		{ .label = "CRI", .wave = -1 },
		{ .label = "EPHEMERAL", .wave = -1, .grow = true },
		{ .label = "u-z", .max = gib },
		{ .label = "u-y", .max = more },
		{ .label = "u-a", .max = percent },
		{ .label = "u-b", .max = rest },
		{ .label = "u-c" },
		{ .label = "u-0", .grow = true, .max = gib },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++)
		for (size_t j = 0; j < sizeof(rows) / sizeof(rows[0]); j++) {
			int order = partition_rule_compare(&rows[i], &rows[j]);

			assert_int_equal(i < j ? order < 0 : i > j ? order > 0 : !order, 1);
		}
}

static uint64_t size_of(uint64_t min, struct config_size max, uint64_t free)
{
	const struct partition_rule rule = { .min = min, .max = max };
	const char *why;

	return partition_size(&rule, free, &why);
}

#define BYTES(n)   ((struct config_size){ .given = true, .value = (n) })
#define LESS(n)	   ((struct config_size){ .given = true, .negative = true, .value = (n) })
#define PERCENT(n) ((struct config_size){ .given = true, .percent = true, .value = (n) })
#define LESS_PERCENT(n) \
	((struct config_size){ .given = true, .percent = true, .negative = true, .value = (n) })
#define NO_MAX ((struct config_size){ .given = false })

static void test_sizes(void **state)
{
	(void)state;
	assert_int_equal(size_of(MIB, NO_MAX, 6 * MIB), 6 * MIB);
	assert_int_equal(size_of(MIB, BYTES(4 * MIB), 6 * MIB), 4 * MIB);
	assert_int_equal(size_of(MIB, BYTES(60 * MIB), 6 * MIB), 6 * MIB);
	assert_int_equal(size_of(MIB, BYTES(0), 6 * MIB), 6 * MIB);
	assert_int_equal(size_of(6 * MIB, NO_MAX, 6 * MIB), 6 * MIB);
	assert_int_equal(size_of(6 * MIB + 1, NO_MAX, 6 * MIB), 0);
	assert_int_equal(size_of(7 * MIB, BYTES(7 * MIB), 6 * MIB), 0);
	/* A size is a multiple of 1 MiB, within the bounds if they allow it. */
	assert_int_equal(size_of(MIB, BYTES(4 * MIB + 1), 60 * MIB), 4 * MIB);
	assert_int_equal(size_of(4 * MIB + 1, BYTES(4 * MIB + 1), 60 * MIB), 5 * MIB);
	assert_int_equal(size_of(1, BYTES(1), 60 * MIB), MIB);
	/* Of what is free; fractions are truncated. */
	assert_int_equal(size_of(MIB, PERCENT(80), 100 * MIB), 80 * MIB);
	assert_int_equal(size_of(MIB, PERCENT(33), 10 * MIB), 3 * MIB);
	assert_int_equal(size_of(MIB, PERCENT(100), 10 * MIB), 10 * MIB);
	assert_int_equal(size_of(MIB, LESS_PERCENT(20), 100 * MIB), 80 * MIB);
	assert_int_equal(size_of(MIB, LESS(30 * MIB), 100 * MIB), 70 * MIB);
	/* A relative maximum below the minimum, and one that leaves nothing. */
	assert_int_equal(size_of(20 * MIB, PERCENT(10), 100 * MIB), 0);
	assert_int_equal(size_of(20 * MIB, LESS(90 * MIB), 100 * MIB), 0);
	assert_int_equal(size_of(MIB, LESS(200 * MIB), 100 * MIB), 0);
	assert_int_equal(size_of(MIB, LESS_PERCENT(100), 100 * MIB), 0);
	/* Hostile numbers do not overflow. */
	assert_int_equal(size_of(UINT64_MAX, NO_MAX, 100 * MIB), 0);
	assert_int_equal(size_of(UINT64_MAX - 5, BYTES(UINT64_MAX), UINT64_MAX), 0);
	assert_int_equal(size_of(MIB, BYTES(UINT64_MAX), 100 * MIB), 100 * MIB);
	assert_int_equal(size_of(MIB, LESS(UINT64_MAX), 100 * MIB), 0);
}

/* Superblocks of md 1.2 and bcache at byte 4096, in the entries of a table. */
#define PUT(bytes, at) "; printf '" bytes "' | dd of=$1 bs=1 seek=" at " conv=notrunc"
#define PUT_MD	       PUT("\\374\\116\\053\\251\\001", "4096") PUT("uuid", "4112") PUT("\\010", "4240")
#define PUT_BCACHE                                                                              \
	PUT("\\010", "4104")                                                                    \
	PUT("\\306\\205\\163\\366\\116\\032\\105\\312\\202\\145\\365\\177\\110\\272\\155\\201", \
	    "4120")

/* Each disk, and why it is refused; "" if it is not. */
static void test_reasons(void **state)
{
	static const struct {
		const char *command;
		const char *reason;
	} rows[] = {
		{ ":", "" },
		{ "echo label: gpt | sfdisk $1", "" },
		{ "printf 'label: gpt\\nsize=1MiB\\n' | sfdisk $1", "" },
		{ "mkfs.ext4 -F $1", "holds ext4" },
		{ "echo label: dos | sfdisk $1", "holds a partition table (dos)" },
		{ "printf 'label: dos\\nsize=1MiB\\n' | sfdisk $1",
		  "holds a partition table (dos)" },
		{ "printf x | dd of=$1 bs=1 seek=20000 conv=notrunc", "holds unknown data" },
		{ "printf x | dd of=$1 bs=1 seek=8388000 conv=notrunc", "holds unknown data" },
		{ "mkswap $1", "holds swap" },
		{ "printf 'label: gpt\\nsize=1MiB\\n' | sfdisk $1; sgdisk --hybrid=1 $1",
		  "hybrid" },
		/* Only its second copy is good. Without partitions, nothing is lost. */
		{ "printf 'label: gpt\\nsize=1MiB\\n' | sfdisk $1; "
		  "printf x | dd of=$1 bs=1 seek=520 conv=notrunc",
		  "the first copy of its partition table is damaged" },
		{ "printf 'label: gpt\\nsize=1MiB\\n' | sfdisk $1; "
		  "printf x | dd of=$1 bs=1 seek=16000 conv=notrunc",
		  "a write of its partition table was cut off" },
		{ "echo label: gpt | sfdisk $1; printf x | dd of=$1 bs=1 seek=520 conv=notrunc",
		  "" },
		/* It is what is left of a table after the disk got another use. */
		{ "echo label: gpt | sfdisk $1; dd if=/dev/zero of=$1 bs=1k count=1 "
		  "conv=notrunc" PUT_MD,
		  "holds linux_raid_member" },
		{ "echo label: gpt | sfdisk $1" PUT_MD, "holds linux_raid_member" },
		{ "echo label: gpt | sfdisk $1" PUT_BCACHE, "holds bcache" },
		{ "echo label: gpt | sfdisk $1; mkswap $1", "holds swap" },
		{ "printf 'label: gpt\\nsize=1MiB\\n' | sfdisk $1" PUT_MD,
		  "holds linux_raid_member" },
		{ "printf 'label: gpt\\nsize=1MiB\\n' | sfdisk $1; "
		  "for at in 520 8388100; do printf x | dd of=$1 bs=1 seek=$at conv=notrunc; done",
		  "both copies" },
		{ "printf 'label: gpt\\nsize=1MiB\\n' | sfdisk $1; truncate -s 4M $1",
		  "is for a disk of at least" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct disk_candidate candidate;

		make_disk(0, 8 * MIB, rows[i].command);
		candidate = examine(0);
		if (!strstr(candidate.reason, rows[i].reason) ||
		    !*candidate.reason != !*rows[i].reason || !candidate.gpt != !!*rows[i].reason)
			fail_msg("%s: '%s', not '%s'", rows[i].command, candidate.reason,
				 rows[i].reason);
		assert_int_equal(candidate.blank, i == 0);
		gpt_free(&candidate.gpt);
	}
	facts[0].readonly = true;
	assert_string_equal(examine(0).reason, "read-only");
	make_disk(0, MIB, ":");
	assert_non_null(strstr(examine(0).reason, "not enough space"));
	facts[0].dev_path = "/nonexistent";
	assert_non_null(strstr(examine(0).reason, "does not exist"));
}

/* Is the table restored from its second copy? Not over the superblock of something else. */
static void test_cut_off(void **state)
{
	static const struct {
		const char *command;
		bool is_cut_off;
	} rows[] = {
		{ ":", false },
		{ ":" PUT("x", "16000"), true },
		{ ":" PUT("x", "520"), false },
		{ ":" PUT_MD, false },
		{ ":" PUT_BCACHE, false },
		{ "mkswap $1", false },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct luks2_device *disk;
		struct gpt *gpt;
		char line[512];

		snprintf(line, sizeof(line), "printf 'label: gpt\nsize=1MiB\n' | sfdisk $1; %s",
			 rows[i].command);
		make_disk(0, 8 * MIB, line);
		assert_int_equal(luks2_device_open(path[0], false, &disk, NULL), MORTISE_OK);
		assert_int_equal(gpt_read(disk, &gpt, NULL), MORTISE_OK);
		if (disk_is_cut_off(disk, gpt) != rows[i].is_cut_off)
			fail_msg("%s", rows[i].command);
		gpt_free(&gpt);
		luks2_device_close(disk);
	}
}

static void test_copies(void **state)
{
	struct disk_candidate disks[3];

	(void)state;
	make_disk(0, 8 * MIB, "echo label: gpt | sfdisk $1");
	make_disk(1, 8 * MIB, "echo label: gpt | sfdisk $1");
	make_disk(2, 8 * MIB, "cp ${1%2}0 $1");
	for (unsigned i = 0; i < 3; i++)
		disks[i] = examine(i);
	disk_refuse_copies(disks, 3);
	assert_null(disks[0].gpt);
	assert_non_null(strstr(disks[0].reason, path[2]));
	assert_non_null(disks[1].gpt);
	assert_null(disks[2].gpt);
	assert_non_null(strstr(disks[2].reason, path[0]));
	gpt_free(&disks[1].gpt);
}

/* Disks 0 to count - 1, of which number system is the system disk, and the volumes. */
static struct partition_layout choose(struct partition_planned *partitions, size_t count,
				      unsigned disk_count, int system)
{
	static struct disk_candidate disks[DISKS];
	struct partition_layout layout = {
		.disks = disks, .disk_count = disk_count, .partitions = partitions, .count = count
	};

	for (unsigned i = 0; i < disk_count; i++) {
		facts[i].system = (int)i == system;
		disks[i] = examine(i);
	}
	layout.system = system < 0 ? NULL : &disks[system];
	snprintf(layout.why, sizeof(layout.why), "no system disk");
	assert_int_equal(partition_layout_choose(&layout, NULL), MORTISE_OK);
	return layout;
}

static void free_disks(struct partition_layout *layout)
{
	for (size_t i = 0; i < layout->disk_count; i++)
		gpt_free(&layout->disks[i].gpt);
}

static void assert_place(const struct partition_planned *partition, unsigned disk, unsigned number,
			 uint64_t start, uint64_t size)
{
	if (!partition->disk)
		fail_msg("%s: %s", partition->rule.label, partition->why);
	assert_string_equal(partition->disk->facts->dev_path, path[disk]);
	assert_int_equal(partition->place.number, number);
	assert_int_equal(partition->start, start);
	assert_int_equal(partition->size, size);
}

/* A blank system disk, and another disk for what its selector says. */
static void test_layout(void **state)
{
	struct config_volume system[] = { volume_of("EPHEMERAL", CONFIG_VOLUME_SYSTEM),
					  volume_of("STATE", CONFIG_VOLUME_SYSTEM) };
	struct config_volume user[] = { volume_of("u-data", CONFIG_VOLUME_USER),
					volume_of("s-swap", CONFIG_VOLUME_SWAP),
					volume_of("u-rest", CONFIG_VOLUME_USER),
					volume_of("u-none", CONFIG_VOLUME_USER) };
	struct partition_planned partitions[] = {
		{ .volume = &user[2] }, { .volume = &user[0] }, { .volume = &system[0] },
		{ .volume = NULL },	{ .volume = &user[1] }, { .volume = &system[1] },
		{ .volume = &user[3] }
	};
	struct partition_layout layout;

	(void)state;
	system[0].provisioning.grow = true;
	system[0].provisioning.max = PERCENT(50);
	user[0].provisioning.selector = (char[]){ "disk.transport == 'sata'" };
	user[0].provisioning.max = BYTES(150 * MIB);
	user[1].provisioning.selector = (char[]){ "system_disk" };
	user[1].provisioning.min = BYTES(MIB);
	user[1].provisioning.max = BYTES(20 * MIB);
	user[2].provisioning.selector = any_disk;
	user[3].provisioning.selector = (char[]){ "disk.size > 1u * TiB" };
	make_disk(0, 8 * GIB, ":");
	make_disk(1, GIB,
		  "printf 'label: gpt\\nstart=2048,size=2048\\nstart=10240,size=2048' | sfdisk "
		  "$1 && sfdisk --delete $1 1");
	layout = choose(partitions, 7, 2, 0);
	assert_true(layout.at_once);
	assert_null(partitions[0].volume);
	assert_place(partition_find(&layout, NULL), 0, 1, MIB, MIB);
	assert_place(partition_find(&layout, &system[1]), 0, 2, 2 * MIB, 100 * MIB);
	/* Half of 8192 - 102 - 1 MiB. */
	assert_place(partition_find(&layout, &system[0]), 0, 3, 102 * MIB, 4044 * MIB);
	assert_place(partition_find(&layout, &user[1]), 0, 4, 4146 * MIB, 20 * MIB);
	/* The lowest free entry, and the smallest range that holds it. */
	assert_place(partition_find(&layout, &user[0]), 1, 1, 6 * MIB, 150 * MIB);
	assert_place(partition_find(&layout, &user[2]), 0, 5, 4166 * MIB, 4025 * MIB);
	assert_null(partition_find(&layout, &user[3])->disk);
	assert_false(partition_find(&layout, &user[3])->refused);
	assert_string_equal(partition_find(&layout, &user[3])->why,
			    "no disk matches its disk selector");
	free_disks(&layout);
}

/* [T]: a disk of 8 MiB, alone and with a partition of 1 MiB. */
static void test_talos_values(void **state)
{
	struct config_volume volume[] = { volume_of("u-a", CONFIG_VOLUME_USER),
					  volume_of("u-b", CONFIG_VOLUME_USER) };
	struct partition_planned partitions[2] = { { .volume = &volume[0] },
						   { .volume = &volume[1] } };
	struct partition_layout layout;

	(void)state;
	for (unsigned i = 0; i < 2; i++) {
		volume[i].provisioning.selector = any_disk;
		volume[i].provisioning.min = BYTES(MIB);
	}
	make_disk(0, 8 * MIB, ":");
	layout = choose(partitions, 1, 1, -1);
	assert_place(&partitions[0], 0, 1, MIB, 6 * MIB);
	free_disks(&layout);
	volume[0].provisioning.max = BYTES(MIB);
	memset(partitions, 0, sizeof(partitions));
	partitions[0].volume = &volume[0];
	partitions[1].volume = &volume[1];
	layout = choose(partitions, 2, 1, -1);
	assert_place(&partitions[0], 0, 1, MIB, MIB);
	assert_place(&partitions[1], 0, 2, 2 * MIB, 5 * MIB);
	free_disks(&layout);
	/*
	 * A disk of 1 MiB: not for 1 MiB [T]. Talos takes it for 256 KiB, and fails later: with the
	 * alignment, no partition fits.
	 */
	for (unsigned i = 0; i < 2; i++) {
		memset(partitions, 0, sizeof(partitions));
		partitions[0].volume = &volume[0];
		volume[0].provisioning.max = NO_MAX;
		volume[0].provisioning.min = BYTES(i ? 256 << 10 : MIB);
		make_disk(0, MIB, ":");
		layout = choose(partitions, 1, 1, -1);
		assert_null(partitions[0].disk);
		assert_true(partitions[0].refused);
		assert_non_null(strstr(partitions[0].why, "not enough space"));
		free_disks(&layout);
	}
}

/* Each refused disk has its reason. */
static void test_all_refused(void **state)
{
	struct config_volume volume[] = { volume_of("u-a", CONFIG_VOLUME_USER),
					  volume_of("EPHEMERAL", CONFIG_VOLUME_SYSTEM) };
	struct partition_planned partitions[2] = { { .volume = &volume[0] },
						   { .volume = &volume[1] } };
	struct partition_layout layout;
	const struct partition_planned *partition;
	char text[400];

	(void)state;
	volume[0].provisioning.selector = (char[]){ "disk.size < 100u * MiB" };
	make_disk(0, 32 * MIB, "mkfs.ext4 -F $1");
	make_disk(1, 16 * MIB, ":");
	make_disk(2, 64 * MIB,
		  "(echo label: gpt; seq -f 'start=%g,size=1' 2048 2175) | "
		  "sfdisk $1");
	make_disk(3, 200 * MIB, ":");
	layout = choose(partitions, 2, 4, -1);
	partition = partition_find(&layout, &volume[0]);
	assert_null(partition->disk);
	assert_true(partition->refused);
	snprintf(text, sizeof(text),
		 "%s: holds ext4; %s: not enough space (14 MiB free, 100 MiB needed)", path[0],
		 path[1]);
	assert_memory_equal(partition->why, text, strlen(text));
	assert_null(strstr(partition->why, path[3]));
	partition = partition_find(&layout, &volume[1]);
	assert_null(partition->disk);
	assert_false(partition->refused);
	assert_string_equal(partition->why, "no system disk");
	free_disks(&layout);
	/* The largest size. */
	volume[0].provisioning.min = BYTES(UINT64_MAX);
	memset(partitions, 0, sizeof(partitions));
	partitions[0].volume = &volume[0];
	layout = choose(partitions, 1, 4, -1);
	assert_non_null(strstr(partitions[0].why, "(14 MiB free, 17592186044416 MiB needed)"));
	free_disks(&layout);
	/* All entries are in use. */
	volume[0].provisioning.selector = (char[]){ "disk.size == 64u * MiB" };
	volume[0].provisioning.min = BYTES(MIB);
	memset(partitions, 0, sizeof(partitions));
	partitions[0].volume = &volume[0];
	layout = choose(partitions, 1, 4, -1);
	assert_null(partitions[0].disk);
	assert_non_null(strstr(partitions[0].why, "all 128 entries"));
	free_disks(&layout);
	/* A selector without a value. */
	volume[0].provisioning.selector = (char[]){ "1 / (disk.size == 0u ? 1 : 0) == 1" };
	memset(partitions, 0, sizeof(partitions));
	partitions[0].volume = &volume[0];
	layout = choose(partitions, 1, 4, -1);
	assert_null(partitions[0].disk);
	assert_non_null(strstr(partitions[0].why, "its disk selector: "));
	free_disks(&layout);
}

/* A disk that cannot discard: only what is overwritten is empty. */
int fallocate(int fd, int mode, off_t offset, off_t size)
{
	(void)fd;
	(void)mode;
	(void)offset;
	(void)size;
	errno = EOPNOTSUPP;
	return -1;
}

static void change_disk(unsigned i, const char *command)
{
	char line[512];

	snprintf(line, sizeof(line), "set -- %s; { %s; } >/dev/null 2>&1", path[i], command);
	if (system(line))
		fail_msg("%s", command);
}

/* A disk that has changed since it was planned stays as it is. */
static void test_changed(void **state)
{
	static const char *const rows[][2] = {
		{ ":", "printf x | dd of=$1 bs=1 seek=$((29 << 20)) conv=notrunc" },
		{ ":", "echo label: gpt | sfdisk $1" },
		{ ":", "mkfs.ext4 -F $1" },
		{ "echo label: gpt | sfdisk $1", "sgdisk --disk-guid=R $1" },
		{ "echo label: gpt | sfdisk $1", "echo size=1MiB | sfdisk $1" },
		{ "printf 'label: gpt\nsize=1MiB\n' | sfdisk $1", "sfdisk --delete $1" },
		{ "printf 'label: gpt\nsize=1MiB\n' | sfdisk $1", "sgdisk --change-name=1:x $1" },
		{ "printf 'label: gpt\nsize=1MiB\n' | sfdisk $1",
		  "sgdisk --partition-guid=1:R $1" },
		{ "printf 'label: gpt\nsize=1MiB\n' | sfdisk $1", "truncate -s 40M $1" },
		{ "printf 'label: gpt\nsize=1MiB\n' | sfdisk $1", "mkfs.ext4 -F $1" },
		/* A partition has grown into the place. */
		{ "printf 'label: gpt\nsize=1MiB\n' | sfdisk $1",
		  "echo ,+ | sfdisk -N 1 $1" PUT("x", "3145728") },
		{ "printf 'label: gpt\nsize=1MiB\n' | sfdisk $1",
		  "echo ,3M | sfdisk -N 1 $1" PUT("x", "3145728") },
		{ "echo label: gpt | sfdisk $1", ":" PUT_MD },
		{ "echo label: gpt | sfdisk $1", "mkswap $1" },
		{ "printf 'label: gpt\nsize=1MiB\n' | sfdisk $1", ":" PUT("x", "16000") },
	};
	struct config_volume volume = volume_of("u-a", CONFIG_VOLUME_USER);

	(void)state;
	volume.provisioning.selector = any_disk;
	volume.provisioning.min = BYTES(20 * MIB);
	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		struct partition_planned partition = { .volume = &volume };
		struct partition_layout layout;
		struct volume_run run = { .layout = &layout };
		struct mortise_error err;

		make_disk(0, 30 * MIB, rows[i][0]);
		layout = choose(&partition, 1, 1, -1);
		assert_non_null(partition.disk);
		change_disk(0, rows[i][1]);
		change_disk(0, "cp $1 $1.before");
		if (!partition_create(&run, &partition, &err))
			fail_msg("%s, then %s: created", rows[i][0], rows[i][1]);
		change_disk(0, "cmp $1 $1.before; status=$?; rm $1.before; [ $status = 0 ]");
		assert_false(partition.created);
		free_disks(&layout);
	}
}

/* Where free space has contents, the new partition is empty, and nothing else changes. */
static void test_created(void **state)
{
	struct config_volume volume = volume_of("u-a", CONFIG_VOLUME_USER);
	struct partition_planned partition = { .volume = &volume };
	struct partition_layout layout;
	struct volume_run run = { .layout = &layout };
	struct mortise_error err;
	struct disk_probe probe;

	(void)state;
	volume.provisioning.selector = any_disk;
	volume.provisioning.max = BYTES(40 * MIB);
	/* btrfs has its superblock at 64 KiB, md at the end. */
	make_disk(0, 64 * MIB,
		  "head -c 64M /dev/urandom >$1; dd if=/dev/zero of=$1 bs=1M count=1 conv=notrunc; "
		  "printf 'label: gpt\nstart=2048,size=2048\n' | sfdisk --wipe=always $1; "
		  "printf _BHRfS_M | dd of=$1 bs=1 seek=$(((2 << 20) + 65600)) conv=notrunc; "
		  "printf 'LUKS\\272\\276' | dd of=$1 bs=1 seek=$((2 << 20)) conv=notrunc; "
		  "cp $1 $1.before");
	layout = choose(&partition, 1, 1, -1);
	assert_place(&partition, 0, 2, 2 * MIB, 40 * MIB);
	if (partition_create(&run, &partition, &err))
		fail_msg("%s", err.text);
	assert_true(partition.created);
	free_disks(&layout);
	change_disk(0, "sfdisk --verify $1 && sgdisk --verify $1 | grep 'No problems'");
	/* The partition before it, and what is behind it. */
	change_disk(0, "cmp -n $((1 << 20)) -i $((1 << 20)) $1 $1.before");
	change_disk(0, "cmp -n $((21 << 20)) -i $((42 << 20)) $1 $1.before");
	change_disk(0, "rm $1.before; dd if=$1 of=$1.place bs=1M skip=2 count=40; mv $1.place $1");
	assert_int_equal(disk_probe(path[0], NULL, &probe, &err), MORTISE_OK);
	if (probe.content != DISK_EMPTY)
		fail_msg("the new partition holds %s", probe.type);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_defaults),    cmocka_unit_test(test_order),
		cmocka_unit_test(test_sizes),	    cmocka_unit_test(test_reasons),
		cmocka_unit_test(test_cut_off),	    cmocka_unit_test(test_copies),
		cmocka_unit_test(test_layout),	    cmocka_unit_test(test_talos_values),
		cmocka_unit_test(test_all_refused), cmocka_unit_test(test_changed),
		cmocka_unit_test(test_created),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
