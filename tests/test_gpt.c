/* SPDX-License-Identifier: MIT */
/*
 * GUID partition tables: tables made by sfdisk, sgdisk and parted are read as they are, changed
 * ones are read by sfdisk and sgdisk with the same values, and every rule refuses its violation.
 */
#include <fcntl.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include "disk/gpt.h"
#include "disk/gpt_bytes.h"

#define MIB (UINT64_C(1) << 20)
#define GIB (UINT64_C(1) << 30)

static char directory[] = "/tmp/mortise-gpt.XXXXXX";
static char image[64];

static int make_directory(void **state)
{
	(void)state;
	if (!mkdtemp(directory))
		return -1;
	snprintf(image, sizeof(image), "%s/disk", directory);
	return 0;
}

static int remove_directory(void **state)
{
	(void)state;
	unlink(image);
	return rmdir(directory);
}

/* The image becomes a sparse file of zeros. */
static void make_image(uint64_t size)
{
	int fd = open(image, O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, (off_t)size), 0);
	close(fd);
}

/* Runs a shell command with the image as $1; text receives what it prints. */
static int run(const char *command, char *text, size_t room)
{
	char line[1024];
	size_t got;
	FILE *pipe;

	snprintf(line, sizeof(line), "export LC_ALL=C; set -- %s; { %s; } 2>%s.err", image, command,
		 image);
	pipe = popen(line, "re");
	assert_non_null(pipe);
	got = fread(text, 1, room - 1, pipe);
	text[got] = '\0';
	while (fgetc(pipe) != EOF)
		;
	snprintf(line, sizeof(line), "%s.err", image);
	unlink(line);
	return pclose(pipe);
}

static void must(const char *command)
{
	char text[4096];

	if (run(command, text, sizeof(text)))
		fail_msg("%s: %s", command, text);
}

static struct luks2_device *open_image(uint32_t sector)
{
	struct luks2_device *device = NULL;

	assert_int_equal(luks2_device_open(image, false, &device, NULL), MORTISE_OK);
	assert_int_equal(luks2_device_writable(device, NULL), MORTISE_OK);
	device->logical_block = sector;
	return device;
}

static struct gpt *read_table(uint32_t sector)
{
	struct luks2_device *device = open_image(sector);
	struct mortise_error err = { 0 };
	struct gpt *gpt = NULL;

	if (gpt_read(device, &gpt, &err))
		fail_msg("%s", err.text);
	luks2_device_close(device);
	return gpt;
}

static void assert_refused(uint32_t sector, enum mortise_code code, const char *words)
{
	struct luks2_device *device = open_image(sector);
	struct mortise_error err = { 0 };
	struct gpt *gpt = NULL;

	assert_int_equal(gpt_read(device, &gpt, &err), code);
	assert_null(gpt);
	if (!strstr(err.text, words))
		fail_msg("'%s' does not contain '%s'", err.text, words);
	luks2_device_close(device);
}

static void write_table(const struct gpt *gpt, uint32_t sector)
{
	struct luks2_device *device = open_image(sector);

	assert_int_equal(gpt_write(gpt, device, NULL), MORTISE_OK);
	luks2_device_close(device);
}

static struct gpt *new_table(uint64_t size, uint32_t sector)
{
	struct luks2_device *device;
	struct gpt *gpt = NULL;

	make_image(size);
	device = open_image(sector);
	assert_int_equal(gpt_new(device, &gpt, NULL), MORTISE_OK);
	luks2_device_close(device);
	return gpt;
}

static unsigned add(struct gpt *gpt, const char *name, uint64_t size)
{
	struct gpt_partition added;
	struct mortise_error err = { 0 };

	if (gpt_add(gpt, GPT_TYPE_LINUX, name, size, &added, &err))
		fail_msg("%s", err.text);
	return added.number;
}

/* Talos's unit tests have these values. */
static void test_talos_values(void **state)
{
	struct gpt *gpt = new_table(8 * MIB, 512);

	(void)state;
	assert_int_equal(gpt_largest(gpt), 6 * MIB);
	assert_int_equal(add(gpt, "a", MIB), 1);
	assert_int_equal(gpt_largest(gpt), 5 * MIB);
	assert_int_equal(gpt_room(gpt, 1), 5 * MIB);
	gpt_free(&gpt);

	gpt = new_table(6 * GIB, 512);
	assert_int_equal(add(gpt, "a", GIB), 1);
	assert_int_equal(add(gpt, "b", GIB), 2);
	assert_int_equal(gpt_room(gpt, 1), 0);
	assert_int_equal(gpt_room(gpt, 2), 4 * GIB - 2 * MIB);
	assert_int_equal(gpt_room(gpt, 3), 0);
	assert_int_equal(gpt_room(gpt, 0), 0);
	assert_int_equal(gpt_room(gpt, 129), 0);
	gpt_free(&gpt);
}

/* sfdisk, or fdisk for large sectors, and sgdisk print what this code wrote. */
static void check_with_referees(uint32_t sector)
{
	char text[4096], line[256], guid[MORTISE_UUID_LEN + 1];
	struct gpt_partition partition;
	struct gpt *gpt = new_table(64 * MIB, sector);

	add(gpt, "STATE", 10 * MIB);
	add(gpt, "u-data", 5 * MIB);
	write_table(gpt, sector);
	if (sector == 512)
		must("sfdisk --verify $1 && sgdisk --verify $1 | grep -q 'No problems found'");
	snprintf(text, sizeof(text),
		 "fdisk -b %" PRIu32 " -l -o Start,Sectors,Type-UUID,UUID,Name $1 | tr -s ' '",
		 sector);
	assert_int_equal(run(text, text, sizeof(text)), 0);
	assert_non_null(strstr(text, "Disklabel type: gpt"));
	assert_null(strstr(text, "corrupt"));
	for (uint32_t i = 0; i < 2; i++) {
		assert_true(gpt_partition(gpt, i, &partition));
		gpt_guid_text(partition.guid, guid);
		for (char *c = guid; *c; c++)
			*c = (char)(*c >= 'a' ? *c - 'a' + 'A' : *c);
		snprintf(line, sizeof(line),
			 "%" PRIu64 " %" PRIu64 " 0FC63DAF-8483-4772-8E79-3D69D8477DE4 %s %s\n",
			 partition.first, partition.last - partition.first + 1, guid,
			 partition.name);
		if (!strstr(text, line))
			fail_msg("'%s' lacks '%s'", text, line);
	}
	gpt_free(&gpt);
}

static void test_written(void **state)
{
	(void)state;
	check_with_referees(512);
	check_with_referees(4096);
}

static void test_read_sfdisk(void **state)
{
	struct gpt_partition partition;
	struct gpt *gpt;

	(void)state;
	make_image(64 * MIB);
	must("printf 'label: gpt\\nlabel-id: 11223344-5566-7788-99AA-BBCCDDEEFF00\\n"
	     "size=8MiB, name=META\\nsize=16MiB, type=S, name=s-swap\\nstart=40MiB, name=u-\xc3\xa9"
	     "\\n' | sfdisk $1");
	gpt = read_table(512);
	assert_false(gpt->first_damaged || gpt->second_damaged || gpt->grown || gpt->unprotected);
	assert_true(gpt_partition(gpt, 0, &partition));
	assert_string_equal(partition.name, "META");
	assert_int_equal(partition.last - partition.first + 1, 8 * MIB / 512);
	assert_true(gpt_partition(gpt, 1, &partition));
	assert_true(gpt_partition(gpt, 2, &partition));
	assert_string_equal(partition.name, "u-\xc3\xa9");
	assert_false(gpt_partition(gpt, 3, &partition));
	/* From 25 to 40 MiB. */
	assert_int_equal(gpt_largest(gpt), 15 * MIB);
	assert_int_equal(add(gpt, "EPHEMERAL", 15 * MIB), 4);
	write_table(gpt, 512);
	must("sfdisk --verify $1 && sgdisk --verify $1 | grep -q 'No problems found' &&"
	     " sfdisk --dump $1 | grep -q '11223344-5566-7788-99AA-BBCCDDEEFF00' &&"
	     " sfdisk --dump $1 | grep -q 'start= *51200, size= *30720, .*name=\"EPHEMERAL\"'");
	gpt_free(&gpt);
}

/* Names, types and attributes of other entries stay, and a removed entry is used again. */
static void test_keep_others(void **state)
{
	char before[4096], after[4096];
	struct gpt *gpt;

	(void)state;
	make_image(64 * MIB);
	must("sgdisk -n 5:0:+4M -t 5:ef00 -c 5:EFI -A 5:set:2 -n 2:0:+8M -c 2:two -A 2:set:63"
	     " -n 128:0:+1M -c 128:last $1");
	assert_int_equal(run("sfdisk --dump $1 | grep name=", before, sizeof(before)), 0);
	gpt = read_table(512);
	assert_int_equal(add(gpt, "one", 3 * MIB), 1);
	assert_int_equal(add(gpt, "three", 3 * MIB), 3);
	write_table(gpt, 512);
	gpt_remove(gpt, 1);
	gpt_remove(gpt, 3);
	write_table(gpt, 512);
	gpt_free(&gpt);
	assert_int_equal(run("sfdisk --dump $1 | grep name=", after, sizeof(after)), 0);
	assert_string_equal(before, after);
	must("sgdisk --verify $1 | grep -q 'No problems found'");
	gpt = read_table(512);
	assert_int_equal(add(gpt, "one", MIB), 1);
	gpt_free(&gpt);
}

static void test_best_fit(void **state)
{
	struct gpt_partition added;
	struct gpt *gpt = new_table(64 * MIB, 512);

	(void)state;
	for (unsigned i = 0; i < 7; i++)
		add(gpt, "p", (i % 2 ? 2 : 8) * MIB);
	gpt_remove(gpt, 1);
	gpt_remove(gpt, 2);
	gpt_remove(gpt, 4);
	/* Free: 10 MiB at 1 MiB, 2 MiB at 19 MiB, and the rest behind 39 MiB. */
	assert_int_equal(gpt_add(gpt, GPT_TYPE_SWAP, "s-a", 2 * MIB - 100, &added, NULL), 0);
	assert_int_equal(added.first, 19 * MIB / 512);
	assert_int_equal(added.last, 21 * MIB / 512 - 1);
	assert_int_equal(added.number, 1);
	/* A boot loader may be in front of the first partition. */
	assert_int_equal(gpt_add(gpt, GPT_TYPE_LINUX, "b", 9 * MIB, &added, NULL), 0);
	assert_int_equal(added.first, 39 * MIB / 512);
	gpt_remove(gpt, 3);
	gpt_remove(gpt, 1);
	assert_int_equal(gpt_add(gpt, GPT_TYPE_LINUX, "c", 5 * MIB, &added, NULL), 0);
	assert_int_equal(added.first, 16 * MIB / 512);
	gpt_free(&gpt);
}

static void test_full(void **state)
{
	struct gpt_partition added;
	struct mortise_error err;
	struct gpt *gpt = new_table(256 * MIB, 512);

	(void)state;
	assert_int_equal(gpt_add(gpt, GPT_TYPE_LINUX, "x", 255 * MIB, &added, &err),
			 MORTISE_E_NO_SPACE);
	assert_non_null(strstr(err.text, "the largest has 266338304"));
	for (unsigned i = 0; i < 128; i++)
		assert_int_equal(add(gpt, "p", MIB), i + 1);
	assert_int_equal(gpt_add(gpt, GPT_TYPE_LINUX, "x", MIB, &added, &err), MORTISE_E_NO_SPACE);
	assert_non_null(strstr(err.text, "all 128 entries"));
	write_table(gpt, 512);
	must("sgdisk --verify $1 | grep -q 'No problems found'");
	gpt_free(&gpt);
	make_image(MIB);
	{
		struct luks2_device *device = open_image(512);

		assert_int_equal(gpt_new(device, &gpt, &err), MORTISE_E_NO_SPACE);
		luks2_device_close(device);
	}
}

/* The second copy moves to the end of a disk that grew, and the last partition can grow. */
static void test_grown_disk(void **state)
{
	struct gpt *gpt;

	(void)state;
	make_image(32 * MIB);
	must("printf 'label: gpt\\nsize=4MiB, name=a\\nname=b\\n' | sfdisk $1 && truncate -s 64M "
	     "$1");
	gpt = read_table(512);
	assert_true(gpt->grown);
	assert_int_equal(gpt_room(gpt, 1), 0);
	gpt_grow(gpt, 2, gpt_room(gpt, 2));
	write_table(gpt, 512);
	gpt_free(&gpt);
	must("sfdisk --verify $1 && sgdisk --verify $1 | grep -q 'No problems found'");
	gpt = read_table(512);
	assert_false(gpt->grown || gpt->second_damaged);
	assert_int_equal(gpt_largest(gpt), 0);
	gpt_free(&gpt);
	/* Smaller again: the table does not fit. */
	must("truncate -s 48M $1");
	assert_refused(512, MORTISE_E_CORRUPT,
		       "for a disk of at least 67108864 bytes, but the disk "
		       "has 50331648");
}

static void test_damaged_copies(void **state)
{
	struct gpt *gpt;

	(void)state;
	make_image(16 * MIB);
	must("printf 'label: gpt\\nsize=4MiB, name=a\\n' | sfdisk $1;"
	     "printf x | dd of=$1 bs=1 seek=1060 conv=notrunc");
	gpt = read_table(512);
	assert_true(gpt->first_damaged);
	write_table(gpt, 512);
	gpt_free(&gpt);
	must("sgdisk --verify $1 | grep -q 'No problems found';"
	     "printf x | dd of=$1 bs=1 seek=$((16777216 - 512 + 100)) conv=notrunc;"
	     "printf x | dd of=$1 bs=1 seek=$((16777216 - 512 + 20)) conv=notrunc");
	gpt = read_table(512);
	assert_true(gpt->second_damaged);
	write_table(gpt, 512);
	gpt_free(&gpt);
	must("sgdisk --verify $1 | grep -q 'No problems found'");
	must("dd if=/dev/zero of=$1 bs=512 seek=1 count=1 conv=notrunc;"
	     "dd if=/dev/zero of=$1 bs=512 seek=$((16777216 / 512 - 1)) count=1 conv=notrunc");
	assert_refused(512, MORTISE_E_CORRUPT, "both copies of the partition table of");
}

/* A boot loader may be where the first entries usually are: gdisk then moves them behind it. */
static void test_moved_entries(void **state)
{
	struct gpt *gpt;

	(void)state;
	make_image(16 * MIB);
	must("sgdisk --move-main-table=2048 -n 1:4096:+4M $1;"
	     "printf loader | dd of=$1 bs=512 seek=16 conv=notrunc;"
	     "printf x | dd of=$1 bs=512 seek=2050 conv=notrunc");
	gpt = read_table(512);
	assert_true(gpt->first_torn && !gpt->grown);
	assert_int_equal(gpt->entries_at, 2048);
	write_table(gpt, 512);
	gpt_free(&gpt);
	must("sgdisk --verify $1 | grep -q 'No problems found';"
	     "dd if=$1 bs=512 skip=16 count=1 | grep -q loader");
}

/* The second copy at the end is newer than the one at the old place, which the first names. */
static void test_torn_grown_disk(void **state)
{
	struct gpt *gpt;

	(void)state;
	make_image(32 * MIB);
	must("printf 'label: gpt\nsize=4MiB, name=a\nname=b\n' | sfdisk $1; truncate -s 64M $1;"
	     "cp $1 $1.old");
	gpt = read_table(512);
	gpt_grow(gpt, 2, gpt_room(gpt, 2));
	write_table(gpt, 512);
	gpt_free(&gpt);
	/* The old header with the new entries. */
	must("dd if=$1.old of=$1 bs=512 skip=1 seek=1 count=1 conv=notrunc");
	gpt = read_table(512);
	assert_true(gpt->first_torn && !gpt->grown);
	assert_int_equal(gpt_largest(gpt), 0);
	gpt_free(&gpt);
	/* Without a copy at the end, a write was not cut off. */
	must("mv $1.old $1; printf x | dd of=$1 bs=512 seek=3 conv=notrunc");
	gpt = read_table(512);
	assert_true(gpt->first_torn && gpt->grown);
	gpt_free(&gpt);
}

/* The superblock of an array at the end of the disk, where the second copy would be written. */
static void test_raid_member(void **state)
{
	static const struct {
		uint64_t from_end, at, value;
	} words[][4] = {
		{ { 8192, 0, 0xa92b4efc }, { 8192, 4, 1 }, { 8192, 144, (64 * MIB - 8192) / 512 } },
		{ { 65536, 0, 0xa92b4efc }, { 65536, 8, 90 } },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
		struct luks2_device *device;
		struct mortise_error err;
		struct gpt *gpt;

		make_image(32 * MIB);
		must("printf 'label: gpt\nsize=4MiB\n' | sfdisk $1; truncate -s 64M $1");
		device = open_image(512);
		for (size_t j = 0; words[i][j].from_end; j++) {
			uint8_t bytes[8];

			gpt_put64(bytes, words[i][j].value);
			assert_int_equal(
				luks2_device_write(device, bytes, 8,
						   64 * MIB - words[i][j].from_end + words[i][j].at,
						   NULL),
				0);
		}
		gpt = read_table(512);
		must("cp $1 $1.old");
		assert_int_equal(gpt_write(gpt, device, &err), MORTISE_E_NOT_EMPTY);
		assert_non_null(strstr(err.text, "linux_raid_member"));
		must("cmp $1 $1.old && rm $1.old");
		gpt_free(&gpt);
		luks2_device_close(device);
	}
}

static void test_other_tables(void **state)
{
	(void)state;
	make_image(16 * MIB);
	assert_refused(512, MORTISE_E_DEVICE, "has no partition table");
	must("printf 'label: dos\\nsize=4MiB\\n' | sfdisk $1");
	assert_refused(512, MORTISE_E_DEVICE, "has no GPT, but MBR partitions");
	make_image(16 * MIB);
	must("sgdisk -n 1:0:+4M -t 1:0700 -h 1:EE $1");
	assert_refused(512, MORTISE_E_DEVICE, "hybrid");
	make_image(16 * MIB);
	must("mkfs.ext4 -q -F $1");
	assert_refused(512, MORTISE_E_DEVICE, "has no partition table");
	/* The sector size of another disk. */
	make_image(16 * MIB);
	must("printf 'g\\nw\\n' | fdisk -b 4096 $1");
	assert_refused(512, MORTISE_E_CORRUPT, "both copies");
	make_image(64 * MIB);
	must("parted -s $1 mklabel gpt mkpart STATE ext4 1MiB 20MiB");
	{
		struct gpt *gpt = read_table(512);
		struct gpt_partition partition;

		assert_true(gpt_partition(gpt, 0, &partition));
		assert_string_equal(partition.name, "STATE");
		gpt_free(&gpt);
	}
}

/* Changes one field of both headers or of one entry, with right checksums. */
struct damage {
	const char *words;
	size_t at; /* offset in the header; in the entry if entry */
	uint64_t value;
	bool entry;
	bool wide; /* 64 bits */
};

static void test_rules(void **state)
{
	static const struct damage damages[] = {
		{ "the entry size is invalid", H_ENTRY_SIZE, 64, false, false },
		{ "the entry size is invalid", H_ENTRY_SIZE, 192, false, false },
		{ "the entry size is invalid", H_ENTRY_SIZE, 8192, false, false },
		{ "the number of entries", H_ENTRY_COUNT, 0, false, false },
		{ "the number of entries", H_ENTRY_COUNT, 1025, false, false },
		{ "the entries are outside", H_ENTRIES_AT, 1, false, true },
		{ "the entries are outside", H_ENTRIES_AT, UINT64_MAX, false, true },
		{ "the entries are in the usable", H_ENTRIES_AT, 4096, false, true },
		{ "the usable range is outside", H_LAST_USABLE, UINT64_MAX, false, true },
		{ "leaves no room for both", H_LAST_USABLE, 32766, false, true },
		{ "leaves no room for both", H_LAST_USABLE, 32735, false, true },
		{ "the usable range is outside", H_FIRST_USABLE, UINT64_MAX, false, true },
		{ "the entries are in the usable", H_FIRST_USABLE, 0, false, true },
		{ "partition 1 of", E_FIRST, 40, true, true },
		{ "partition 1 of", E_LAST, UINT64_MAX, true, true },
		{ "partition 1 of", E_FIRST, 20000, true, true },
		{ "partitions 1 and 2 of", E_LAST, 10240, true, true },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(damages) / sizeof(damages[0]); i++) {
		const struct damage *damage = &damages[i];
		struct luks2_device *device;
		uint8_t header[512], *at;
		struct gpt *gpt;

		make_image(16 * MIB);
		must("printf 'label: gpt\\nsize=4MiB\\nsize=4MiB\\n' | sfdisk $1 &&"
		     "dd if=/dev/zero of=$1 bs=512 seek=32767 count=1 conv=notrunc");
		gpt = read_table(512);
		device = open_image(512);
		assert_int_equal(luks2_device_read(device, header, 512, 512, NULL), 0);
		at = (damage->entry ? gpt->entries : header) + damage->at;
		if (damage->wide)
			gpt_put64(at, damage->value);
		else
			gpt_put32(at, (uint32_t)damage->value);
		gpt_put32(header + H_ENTRIES_CRC, gpt_crc32(gpt->entries, 16384));
		gpt_put32(header + H_CRC, 0);
		gpt_put32(header + H_CRC, gpt_crc32(header, 92));
		assert_int_equal(luks2_device_write(device, header, 512, 512, NULL), 0);
		assert_int_equal(luks2_device_write(device, gpt->entries, 16384, 1024, NULL), 0);
		luks2_device_close(device);
		gpt_free(&gpt);
		assert_refused(512, MORTISE_E_CORRUPT, damage->words);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_talos_values),  cmocka_unit_test(test_written),
		cmocka_unit_test(test_read_sfdisk),   cmocka_unit_test(test_keep_others),
		cmocka_unit_test(test_best_fit),      cmocka_unit_test(test_full),
		cmocka_unit_test(test_grown_disk),    cmocka_unit_test(test_damaged_copies),
		cmocka_unit_test(test_moved_entries), cmocka_unit_test(test_torn_grown_disk),
		cmocka_unit_test(test_raid_member),   cmocka_unit_test(test_other_tables),
		cmocka_unit_test(test_rules),
	};

	return cmocka_run_group_tests(tests, make_directory, remove_directory);
}
