/* SPDX-License-Identifier: MIT */
/*
 * The contents of a device, as disk_probe() sees them. Each signature that libblkid 2.38 finds at
 * the end of a device, or behind both copies of a LUKS2 header, is first put on an empty device,
 * where libblkid must recognize it, and then on an intact LUKS2 volume, which stays one. The rest
 * damages the header, and looks for the advice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>
#include <cmocka.h>

#include <mortise.h>

#include "disk/probe.h"
#include "disk/swap.h"
#include "luks2/binary.h"

#define SIZE	(64u << 20)  /* libblkid looks for zfs from here on */
#define HEADER	(512u << 10) /* bytes: both copies and a keyslot area */
#define END(at) (SIZE - (at))
#define LAST	END(512u)

static char path[64];
static uint8_t header[HEADER];

static void put(uint64_t at, const void *bytes, size_t size)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);

	assert_true(fd >= 0);
	assert_int_equal(pwrite(fd, bytes, size, (off_t)at), size);
	assert_int_equal(close(fd), 0);
}

static void put_text(uint64_t at, const char *text)
{
	put(at, text, strlen(text));
}

static void put_number(uint64_t at, uint64_t value, size_t size)
{
	uint8_t bytes[8];

	for (size_t i = 0; i < size; i++)
		bytes[i] = (uint8_t)(value >> 8 * i);
	put(at, bytes, size);
}

static void clear(uint64_t at, size_t size)
{
	void *zeros = calloc(1, size);

	assert_non_null(zeros);
	put(at, zeros, size);
	free(zeros);
}

static void make_empty(void)
{
	assert_int_equal(truncate(path, 0), 0);
	assert_int_equal(truncate(path, SIZE), 0);
}

static void make_volume(void)
{
	make_empty();
	put(0, header, sizeof(header));
}

static int set_up(void **state)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = path };
	const struct mortise_format format = { .struct_size = sizeof(format),
					       .digest_iterations = 1000 };
	const struct mortise_kdf_choice cost = { .struct_size = sizeof(cost),
						 .type = MORTISE_KDF_PBKDF2,
						 .hash = "sha256",
						 .forced_time = 1000 };
	const struct mortise_keyslot_new keyslot = { .struct_size = sizeof(keyslot),
						     .keyslot = 0,
						     .kdf = &cost };
	struct mortise_secret *passphrase;
	struct mortise_luks2 *volume = NULL;
	int fd;

	(void)state;
	assert_int_equal(mortise_secret_from("pw", 2, &passphrase, NULL), MORTISE_OK);
	snprintf(path, sizeof(path), "/tmp/mortise-probe.XXXXXX");
	fd = mkstemp(path);
	assert_true(fd >= 0);
	make_empty();
	assert_int_equal(mortise_luks2_format(&location, &format, &volume, NULL), MORTISE_OK);
	assert_int_equal(mortise_keyslot_add(volume, &keyslot, passphrase, NULL, NULL, NULL),
			 MORTISE_OK);
	mortise_luks2_free(&volume);
	mortise_secret_free(&passphrase);
	assert_int_equal(pread(fd, header, sizeof(header), 0), sizeof(header));
	return close(fd);
}

static int tear_down(void **state)
{
	(void)state;
	return unlink(path);
}

/* Signatures at the end. */

static void put_jmicron(void)
{
	put_text(LAST, "JM");
}

static void put_isw(void)
{
	put_text(END(1024), "Intel Raid ISM Cfg Sig. 1.3.00");
}

static void put_lsi(void)
{
	put_text(LAST, "$XIDE$");
}

static void put_nvidia(void)
{
	put_text(END(1024), "NVIDIA  ");
	put_number(END(1024) + 8, 30, 4);
}

static void put_promise(void)
{
	put_text(END(63u * 512), "Promise Technology, Inc.");
}

static void put_promise_far(void)
{
	put_text(END(3087u * 512), "Promise Technology, Inc.");
}

static void put_via(void)
{
	put_number(LAST, 0xaa55, 2);
	put_number(LAST + 50, 0xff, 1);
}

static void put_silicon(void)
{
	put_number(LAST + 0x60, 0x2f000000, 4);
	put_number(LAST + 0x13e, (uint16_t)-0x2f00, 2);
}

static void put_adaptec(void)
{
	put(LAST, "\x37\xfc\x4d\x1e", 4);
	put(LAST + 256, "\x44\x50\x54\x4d", 4);
}

static void put_highpoint(void)
{
	put_number(END(11u * 512), 0x5a7816f3, 4);
}

static void put_ddf(void)
{
	put(LAST, "\xde\x11\xde\x11", 4);
	put_text(LAST + 32, "01.02.00");
}

static void put_drbd(void)
{
	put(END(4096) + 60, "\x83\x74\x02\x6b", 4);
}

static void put_drbd_9(void)
{
	put(END(4096) + 60, "\x83\x74\x02\x6d", 4);
}

static void put_zfs(void)
{
	for (unsigned i = 0; i < 4; i++) {
		put_number(END(256u << 10) + (128u << 10) + i * 1024, 0x00bab10c, 8);
		put_number(END(256u << 10) + (128u << 10) + i * 1024 + 8, 5000, 8);
	}
}

/* Signatures behind both copies of the header. */

static void put_swap(void)
{
	put_number(1024, 1, 4);
	put_number(1028, 100, 4);
	put_text((64u << 10) - 10, "SWAPSPACE2");
}

static void put_jfs(void)
{
	put_text(32u << 10, "JFS1");
	put_number((32u << 10) + 16, 4096, 4);
	put_number((32u << 10) + 20, 12, 2);
	put_number((32u << 10) + 22, 3, 2);
	put_number((32u << 10) + 24, 512, 4);
	put_number((32u << 10) + 28, 9, 2);
}

static void put_gfs2(void)
{
	put(64u << 10, "\x01\x16\x19\x70\0\0\0\x01", 8);
	put((64u << 10) + 24, "\0\0\x07\x09\0\0\x07\x6c", 8);
}

static void put_reiserfs(void)
{
	put_number((64u << 10) + 12, 1000, 4);
	put_number((64u << 10) + 44, 4096, 2);
	put_text((64u << 10) + 52, "ReIsErFs");
}

static void put_vmfs(void)
{
	put(1u << 20, "\x0d\xd0\x01\xc0", 4);
}

static void put_iso9660(void)
{
	put((32u << 10),
	    "\x01"
	    "CD001\x01",
	    7);
	put((34u << 10),
	    "\xff"
	    "CD001\x01",
	    7);
}

/* md superblocks, which count. */

static void put_md_0(void)
{
	put_number(END(64u << 10), 0xa92b4efc, 4);
	put_number(END(64u << 10) + 8, 90, 4);
}

static void put_md_1(void)
{
	put_number(END(8u << 10), 0xa92b4efc, 4);
	put_number(END(8u << 10) + 4, 1, 4);
	put_number(END(8u << 10) + 144, END(8u << 10) / 512, 8);
}

static const struct {
	const char *type;
	void (*put)(void);
} signatures[] = {
	{ "jmicron_raid_member", put_jmicron },
	{ "isw_raid_member", put_isw },
	{ "lsi_mega_raid_member", put_lsi },
	{ "nvidia_raid_member", put_nvidia },
	{ "promise_fasttrack_raid_member", put_promise },
	{ "promise_fasttrack_raid_member", put_promise_far },
	{ "via_raid_member", put_via },
	{ "silicon_medley_raid_member", put_silicon },
	{ "adaptec_raid_member", put_adaptec },
	{ "hpt45x_raid_member", put_highpoint },
	{ "ddf_raid_member", put_ddf },
	{ "drbd", put_drbd },
	{ "drbd", put_drbd_9 },
	{ "zfs_member", put_zfs },
	{ "swap", put_swap },
	{ "jfs", put_jfs },
	{ "gfs2", put_gfs2 },
	{ "reiserfs", put_reiserfs },
	{ "VMFS_volume_member", put_vmfs },
	{ "iso9660", put_iso9660 },
}, md[] = {
	{ "linux_raid_member", put_md_0 },
	{ "linux_raid_member", put_md_1 },
};

#define COUNT(array) (sizeof(array) / sizeof(*(array)))

static struct disk_probe look(void)
{
	struct disk_probe probe;
	struct mortise_error err = { .text = "" };

	if (disk_probe(path, NULL, &probe, &err))
		fail_msg("%s", err.text);
	return probe;
}

static const char *advise(const struct disk_probe *probe)
{
	static char text[MORTISE_ERROR_TEXT];

	disk_repair_advice(probe, "/dev/x", text, sizeof(text));
	return text;
}

static void test_signatures(void **state)
{
	struct disk_probe probe;

	(void)state;
	for (size_t i = 0; i < COUNT(signatures); i++) {
		make_empty();
		signatures[i].put();
		probe = look();
		assert_string_equal(probe.type, signatures[i].type);
		make_volume();
		signatures[i].put();
		/* All but the one of the swap area, whose page begins with the header. */
		if (signatures[i].put == put_swap)
			put(1024, header + 1024, 8);
		probe = look();
		if (probe.content != DISK_LUKS2)
			fail_msg("%s on LUKS2: %s", signatures[i].type, probe.type);
		assert_int_equal(probe.header, DISK_HEADER_WHOLE);
	}
}

static void test_several(void **state)
{
	struct disk_probe probe;

	(void)state;
	make_volume();
	for (size_t i = 0; i < COUNT(signatures); i++)
		if (signatures[i].put != put_swap)
			signatures[i].put();
	probe = look();
	assert_int_equal(probe.content, DISK_LUKS2);
	assert_string_equal(probe.type, "LUKS2");
}

static void test_md(void **state)
{
	struct disk_probe probe;

	(void)state;
	for (size_t i = 0; i < COUNT(md); i++) {
		make_empty();
		md[i].put();
		probe = look();
		assert_string_equal(probe.type, md[i].type);
		assert_int_equal(probe.header, DISK_HEADER_NONE);
		assert_string_equal(advise(&probe), "");
		make_volume();
		md[i].put();
		put_jmicron();
		probe = look();
		assert_int_equal(probe.content, DISK_OTHER);
		assert_string_equal(probe.type, "a LUKS2 header and linux_raid_member");
		assert_non_null(strstr(advise(&probe), "mdadm --zero-superblock /dev/x"));
	}
}

/* With one copy left, the device may hold something newer. */
static void test_half(void **state)
{
	static const uint64_t copies[] = { 0, LUKS2_COPY_SIZE_MIN };
	struct disk_probe probe;
	char expected[160];

	(void)state;
	for (size_t copy = 0; copy < COUNT(copies); copy++) {
		make_volume();
		clear(copies[copy], 4096);
		probe = look();
		assert_int_equal(probe.content, DISK_LUKS2);
		assert_int_equal(probe.header, DISK_HEADER_HALF);
		for (size_t i = 0; i < COUNT(signatures); i++) {
			if (signatures[i].put == put_swap)
				continue;
			make_volume();
			clear(copies[copy], 4096);
			signatures[i].put();
			probe = look();
			if (probe.content != DISK_OTHER)
				fail_msg("%s on half a header: %s", signatures[i].type, probe.type);
			snprintf(expected, sizeof(expected), "half a LUKS2 header and %s",
				 signatures[i].type);
			assert_string_equal(probe.type, expected);
			assert_non_null(strstr(advise(&probe), "`cryptsetup repair /dev/x`"));
		}
	}
}

static void put_dos_table(void)
{
	clear(446, 64);
	put(446, "\0\x20\x21\0\x83\x53\x05\0\0\x08\0\0\0\x20\0\0", 16);
	put(510, "\x55\xaa", 2);
}

/* Both copies are lost, but not all of them. */
static void test_remains(void **state)
{
	struct disk_probe probe;

	(void)state;
	/* As `wipefs -a` does. */
	make_volume();
	clear(0, 6);
	clear(LUKS2_COPY_SIZE_MIN, 6);
	probe = look();
	assert_int_equal(probe.content, DISK_OTHER);
	assert_int_equal(probe.header, DISK_HEADER_ERASED);
	assert_string_equal(probe.type, "a LUKS2 header without its magic");
	assert_non_null(strstr(advise(&probe), "'LUKS\\272\\276' | dd of=/dev/x conv=notrunc`"));
	/* The same, and a partition table. */
	put_dos_table();
	probe = look();
	assert_int_equal(probe.header, DISK_HEADER_ERASED);
	assert_int_equal(probe.erased_at, LUKS2_COPY_SIZE_MIN);
	assert_string_equal(probe.type,
			    "a LUKS2 header without its magic and a partition table (dos)");
	assert_non_null(strstr(advise(&probe), "'SKUL\\272\\276' | dd of=/dev/x bs=1 seek=16384 "));
	/* GPT overwrites the binary headers; the JSON text of the second copy is left. */
	make_volume();
	clear(0, LUKS2_COPY_SIZE_MIN + 1024);
	put_dos_table();
	probe = look();
	assert_string_equal(probe.type, "a damaged LUKS2 header and a partition table (dos)");
	assert_non_null(strstr(advise(&probe), "cryptsetup luksHeaderRestore"));
	/* Nothing but the text of one copy. */
	for (uint64_t copy = 0; copy <= LUKS2_COPY_SIZE_MIN; copy += LUKS2_COPY_SIZE_MIN) {
		make_volume();
		clear(0, LUKS2_BINARY_SIZE);
		clear(LUKS2_COPY_SIZE_MIN, LUKS2_BINARY_SIZE);
		clear(LUKS2_COPY_SIZE_MIN - copy, LUKS2_COPY_SIZE_MIN);
		probe = look();
		assert_string_equal(probe.type, "a damaged LUKS2 header");
		assert_int_equal(probe.header, DISK_HEADER_DAMAGED);
	}
	/* Nothing of the header. */
	make_volume();
	clear(0, 2 * LUKS2_COPY_SIZE_MIN);
	probe = look();
	assert_int_equal(probe.header, DISK_HEADER_NONE);
	assert_true(probe.unknown);
}

/* At every offset of a second copy, also where the edges of the device read as empty. */
static void test_second_copies(void **state)
{
	struct disk_probe probe;
	uint8_t copy[LUKS2_COPY_SIZE_MIN];

	(void)state;
	for (uint64_t at = LUKS2_COPY_SIZE_MIN; at <= LUKS2_COPY_SIZE_MAX; at *= 2) {
		memcpy(copy, header + LUKS2_COPY_SIZE_MIN, sizeof(copy));
		make_empty();
		put(at + LUKS2_BINARY_SIZE, copy + LUKS2_BINARY_SIZE,
		    sizeof(copy) - LUKS2_BINARY_SIZE);
		probe = look();
		assert_int_equal(probe.content, DISK_OTHER);
		assert_int_equal(probe.header, DISK_HEADER_DAMAGED);
		make_empty();
		put(at, "SKUL\xba\xbe\0\x02", 8);
		probe = look();
		assert_int_equal(probe.content, DISK_OTHER);
		assert_int_equal(probe.header, DISK_HEADER_DAMAGED);
	}
}

static void put_ext4(void)
{
	/* s_blocks_count, s_first_data_block, s_magic, s_rev_level, extents, no journal */
	put_number(1024 + 4, 20480, 4);
	put_number(1024 + 20, 1, 4);
	put_number(1024 + 56, 0xef53, 2);
	put_number(1024 + 76, 1, 4);
	put_number(1024 + 88, 256, 2);
	put_number(1024 + 96, 0x40, 4);
}

/* A file system with a disk image inside, or with random bytes at its end. */
static void test_filesystem(void **state)
{
	struct disk_probe probe;
	bool holds;

	(void)state;
	make_empty();
	put_ext4();
	probe = look();
	assert_int_equal(probe.content, DISK_FILESYSTEM);
	assert_string_equal(probe.type, "ext4");
	put(LUKS2_COPY_SIZE_MIN, header + LUKS2_COPY_SIZE_MIN, LUKS2_COPY_SIZE_MIN);
	probe = look();
	assert_string_equal(probe.type, "half a LUKS2 header and ext4");
	for (size_t i = 0; i < COUNT(signatures); i++) {
		if (signatures[i].put == put_swap)
			continue;
		signatures[i].put();
		assert_int_equal(disk_holds_filesystem(path, "ext4", &holds, NULL), MORTISE_OK);
		assert_true(holds);
	}
	assert_int_equal(disk_holds_filesystem(path, "xfs", &holds, NULL), MORTISE_OK);
	assert_false(holds);
	put_md_1();
	assert_int_equal(disk_holds_filesystem(path, "ext4", &holds, NULL), MORTISE_OK);
	assert_false(holds);
	/* A volume without its first copy has no superblock. */
	make_volume();
	clear(0, LUKS2_COPY_SIZE_MIN);
	assert_int_equal(look().content, DISK_LUKS2);
	assert_int_equal(disk_holds_filesystem(path, "ext4", &holds, NULL), MORTISE_OK);
	assert_false(holds);
}

static bool may_replace(void)
{
	struct disk_probe probe = look();
	char why[512];

	return disk_swap_may_replace(&probe, path, why, sizeof(why));
}

static void test_swap(void **state)
{
	static const char *const images[] = { "S1SUSPEND", "S2SUSPEND", "ULSUSPEND", "LINHIB0001" };

	(void)state;
	for (uint64_t page = 4096; page <= 65536; page *= 2) {
		make_empty();
		put_number(1024, 1, 4);
		put_text(page - 10, "SWAPSPACE2");
		assert_true(may_replace());
		/* Swapped-out pages look like anything. */
		for (size_t i = 0; i < COUNT(signatures); i++)
			if (signatures[i].put != put_swap)
				signatures[i].put();
		put_md_1();
		if (page <= LUKS2_COPY_SIZE_MIN)
			put(LUKS2_COPY_SIZE_MIN, header + LUKS2_COPY_SIZE_MIN, LUKS2_COPY_SIZE_MIN);
		assert_true(may_replace());
		for (size_t i = 0; i < COUNT(images); i++) {
			put_text(page - 10, images[i]);
			assert_int_equal(look().swap, DISK_SWAP_SUSPENDED);
			assert_false(may_replace());
		}
	}
	/* The image of a kernel with larger pages, over an old area. */
	make_empty();
	put_text(4096 - 10, "SWAPSPACE2");
	put_text(65536 - 10, "S1SUSPEND");
	assert_false(may_replace());
	make_empty();
	assert_true(may_replace());
	put_text((128u << 10) - 10, "SWAPSPACE2");
	assert_false(may_replace());
	/* A file in a file system may have any text there. */
	for (uint64_t page = 4096; page <= 65536; page *= 2) {
		static const char *const texts[] = { "SWAPSPACE2", "SWAP-SPACE" };

		for (size_t i = 0; i < COUNT(texts); i++) {
			make_empty();
			put_text(0, "XFSB");
			put_text(1024, "XAGI");
			put_text(page - 10, texts[i]);
			assert_int_equal(look().swap, DISK_SWAP_NONE);
			assert_false(may_replace());
			make_empty();
			put_number(1024, 16384, 4);
			put_number(1080, 0xef53, 2);
			put_text(page - 10, texts[i]);
			assert_false(may_replace());
		}
	}
	/* The area of a machine with the other byte order. */
	make_empty();
	put_number(1024, 1u << 24, 4);
	put_text(4096 - 10, "SWAPSPACE2");
	assert_true(may_replace());
	/* A volume is not a swap area, even if old bytes behind its header say so. */
	make_volume();
	put_text(65536 - 10, "SWAPSPACE2");
	assert_int_equal(look().content, DISK_LUKS2);
	assert_false(may_replace());
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_signatures), cmocka_unit_test(test_several),
		cmocka_unit_test(test_md),	   cmocka_unit_test(test_half),
		cmocka_unit_test(test_remains),	   cmocka_unit_test(test_second_copies),
		cmocka_unit_test(test_filesystem), cmocka_unit_test(test_swap),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
