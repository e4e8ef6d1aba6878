/* SPDX-License-Identifier: MIT */
/*
 * Disks in a simulated sysfs. Its files have the contents that Linux 6.1 shows for an NVMe disk, a
 * SATA and a USB disk, virtio disks and others. The expected values follow Talos's documentation
 * (disk management) and the rules of go-blockdevice.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <ftw.h>
#include <sys/stat.h>
#include <unistd.h>
#include <cmocka.h>

#include "declared/select_disk.h"

static char root[64];

/* Writes size bytes to root/path, and creates its directories. */
static void put_bytes(const char *path, const void *bytes, size_t size)
{
	char full[512];
	FILE *file;

	snprintf(full, sizeof(full), "%s%s", root, path);
	for (char *slash = strchr(full + strlen(root) + 1, '/'); slash;
	     slash = strchr(slash + 1, '/')) {
		*slash = '\0';
		(void)mkdir(full, 0755);
		*slash = '/';
	}
	file = fopen(full, "we");
	assert_non_null(file);
	assert_int_equal(fwrite(bytes, 1, size, file), size);
	assert_int_equal(fclose(file), 0);
}

static void put(const char *path, const char *text)
{
	put_bytes(path, text, strlen(text));
}

static void put_in(const char *directory, const char *file, const char *text)
{
	char path[400];

	snprintf(path, sizeof(path), "%s/%s", directory, file);
	put(path, text);
}

static void link_to(const char *target, const char *path)
{
	char full[512];

	/* The parent directory. */
	snprintf(full, sizeof(full), "%s.", path);
	put(full, "");
	snprintf(full, sizeof(full), "%s%s.", root, path);
	assert_int_equal(unlink(full), 0);
	snprintf(full, sizeof(full), "%s%s", root, path);
	assert_int_equal(symlink(target, full), 0);
}

/* Creates a disk at /sys/devices/PLACE/NAME, with its link in /sys/block and its node. */
static void put_disk(const char *place, const char *name, const char *sectors)
{
	char directory[256], path[300], target[300];

	snprintf(directory, sizeof(directory), "/sys/devices/%s/%s", place, name);
	put_in(directory, "size", sectors);
	put_in(directory, "ro", "0\n");
	put_in(directory, "queue/rotational", "0\n");
	put_in(directory, "queue/logical_block_size", "512\n");
	put_in(directory, "queue/minimum_io_size", "512\n");
	put_in(directory, "queue/optimal_io_size", "0\n");
	snprintf(path, sizeof(path), "DEVTYPE=disk\nDEVNAME=%s\nDISKSEQ=9\n", name);
	put_in(directory, "uevent", path);
	snprintf(path, sizeof(path), "/sys/block/%s", name);
	snprintf(target, sizeof(target), "../devices/%s/%s", place, name);
	link_to(target, path);
	snprintf(path, sizeof(path), "/dev/%s", name);
	put(path, "");
}

/* Creates a SCSI disk: its device is HOST:0:0:0, and scsi_host has the adapter's driver. */
static void put_scsi(const char *bus, int host, const char *name, const char *driver)
{
	char place[256], path[300];

	snprintf(place, sizeof(place), "%s/host%d/target%d:0:0/%d:0:0:0/block", bus, host, host,
		 host);
	put_disk(place, name, "20971520\n");
	snprintf(path, sizeof(path), "/sys/devices/%s/%s/device", place, name);
	snprintf(place, sizeof(place), "../../../%d:0:0:0", host);
	link_to(place, path);
	snprintf(path, sizeof(path), "/sys/class/scsi_host/host%d/proc_name", host);
	put(path, driver);
}

static void put_nvme(void)
{
	static const char place[] = "pci0000:00/0000:00:09.0/nvme/nvme0";
	static const char directory[] = "/sys/devices/pci0000:00/0000:00:09.0/nvme/nvme0/nvme0n1";

	put_disk(place, "nvme0n1", "20480000\n");
	link_to("../../nvme0", "/sys/devices/pci0000:00/0000:00:09.0/nvme/nvme0/nvme0n1/device");
	put_in(directory, "wwid", "nvme.1b36-6465616462656566-51454d5520-00000001\n");
	put_in(directory, "uuid", "e8238fa6-bf53-0001-001b-448b47fe9711\n");
	put_in(directory, "queue/optimal_io_size", "131072\n");
	put("/sys/devices/pci0000:00/0000:00:09.0/nvme/nvme0/model",
	    "QEMU NVMe Ctrl                          \n");
	put("/sys/devices/pci0000:00/0000:00:09.0/nvme/nvme0/serial", "deadbeef            \n");
	put("/sys/devices/pci0000:00/0000:00:09.0/nvme/nvme0/firmware_rev", "1.0\t\n");
	/* Ignored, because there is a serial. */
	put_bytes("/sys/devices/pci0000:00/0000:00:09.0/nvme/nvme0/vpd_pg80", "\0\x80\0\1x", 5);
	link_to("../../../../../../class/block",
		"/sys/devices/pci0000:00/0000:00:09.0/nvme/nvme0/nvme0n1/subsystem");
	put("/sys/class/block/.keep", "");
	/* Another path to the same disk, without a node. */
	put_disk(place, "nvme0c0n1", "20480000\n");
	put_in("/sys/devices/pci0000:00/0000:00:09.0/nvme/nvme0/nvme0c0n1", "hidden", "1\n");
}

static void put_partition(const char *disk_place, const char *disk, const char *label)
{
	char path[256], text[128];

	snprintf(path, sizeof(path), "/sys/devices/%s/%s/%s1/uevent", disk_place, disk, disk);
	snprintf(text, sizeof(text), "DEVTYPE=partition\nPARTN=1\nPARTNAME=%s\n", label);
	put(path, text);
}

static int set_up(void **state)
{
	static const uint8_t page[] = "\0\x80\0\x0c"
				      "    QM0 0013trailing";
	static const char *const links[][2] = {
		{ "../../nvme0n1", "/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_deadbeef" },
		{ "../../nvme0n1", "/dev/disk/by-diskseq/9" },
		{ "../../vda", "/dev/disk/by-path/pci-0000:00:02.0" },
		{ "../../gone", "/dev/disk/by-id/gone" },
		{ "/etc/passwd", "/dev/disk/by-id/elsewhere" },
	};

	(void)state;
	strcpy(root, "/tmp/mortise-disks.XXXXXX");
	if (!mkdtemp(root))
		return -1;
	put_nvme();
	put_scsi("pci0000:00/0000:00:1f.2/ata1", 0, "sda", "ahci\n");
	put_bytes("/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/vpd_pg80",
		  page, sizeof(page));
	put("/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/model",
	    "QEMU\033[31m DISK\n");
	put("/sys/devices/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/0:0:0:0/block/sda/queue/"
	    "rotational",
	    "1\n");
	put_scsi("pci0000:00/0000:00:14.0/usb1/1-1", 1, "sdb", "usb-storage\n");
	put_scsi("pci0000:00/0000:00:05.0/virtio3", 2, "sdc", "virtio_scsi\n");
	put_scsi("pci0000:00/0000:00:1f.1/ata2", 3, "sdd", "pata_legacy\n");
	put_scsi("pci0000:00/0000:00:06.0", 4, "sde", "mpt3sas\n");
	put("/sys/class/sas_host/host4/.keep", "");
	put_scsi("pci0000:00/0000:00:07.0", 5, "sdf", "qla2xxx\n");
	put("/sys/class/fc_host/host5/.keep", "");
	put_scsi("platform/host", 6, "sdg", "iscsi_tcp\n");
	put("/sys/class/iscsi_host/host6/.keep", "");
	put_scsi("pci0000:00/0000:00:08.0", 7, "sdh", "hpsa\n");
	put_scsi("pci0000:00/0000:00:1f.2/ata3", 8, "sr0", "ahci\n");
	put_disk("pci0000:00/0000:00:02.0/virtio1/block", "vda", "25165824\n");
	put("/sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda/serial", "a-serial\n");
	put("/sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda/ro", "1\n");
	put("/sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda/queue/logical_block_size",
	    "4096\n");
	put("/sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda/queue/minimum_io_size",
	    "4096\n");
	put("/sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda/queue/optimal_io_size",
	    "12288\n");
	put_disk("platform/mmc/mmc0:0001/block", "mmcblk0", "60000000\n");
	put_disk("virtual/block", "md127", "3750234592\n");
	/* The array consists of a partition and of a whole disk. */
	put("/sys/devices/pci0000:00/0000:00:02.0/virtio1/block/vda/vda2/partition", "2\n");
	link_to("../../../../pci0000:00/0000:00:02.0/virtio1/block/vda/vda2",
		"/sys/devices/virtual/block/md127/slaves/vda2");
	link_to("../../../../platform/mmc/mmc0:0001/block/mmcblk0",
		"/sys/devices/virtual/block/md127/slaves/mmcblk0");
	put_disk("platform/uml-blkdev.0/block", "ubda", "2048\n");
	/* "!" in sysfs is "/" in /dev. */
	put_disk("pci0000:00/0000:00:0a.0/block", "cciss!c0d0", "2048\n");
	put("/sys/devices/pci0000:00/0000:00:0a.0/block/cciss!c0d0/uevent", "DEVNAME=cciss/c0d0\n");
	/* Block devices that are not disks. */
	put_disk("virtual/block", "loop0", "2048\n");
	put_disk("virtual/block", "ram0", "2048\n");
	put_disk("virtual/block", "zram0", "2048\n");
	put_disk("virtual/block", "dm-0", "2048\n");
	put_disk("virtual/block", "nbd0", "0\n");
	for (size_t i = 0; i < sizeof(links) / sizeof(*links); i++)
		link_to(links[i][0], links[i][1]);
	return 0;
}

static int remove_one(const char *path, const struct stat *st, int type, struct FTW *at)
{
	(void)st;
	(void)type;
	(void)at;
	return remove(path);
}

static int tear_down(void **state)
{
	(void)state;
	return nftw(root, remove_one, 16, FTW_DEPTH | FTW_PHYS);
}

static struct disk_list disks_read(void)
{
	struct disk_list disks;
	struct mortise_error err = { .text = "" };

	assert_int_equal(disk_list_read(root, &disks, &err), MORTISE_OK);
	return disks;
}

static const struct disk_facts *disk_of(const struct disk_list *disks, const char *path)
{
	for (size_t i = 0; i < disks->count; i++)
		if (!strcmp(disks->disk[i]->facts.dev_path, path))
			return &disks->disk[i]->facts;
	fail_msg("no %s", path);
	return NULL;
}

static void test_list(void **state)
{
	static const char *const expected[][2] = {
		{ "/dev/cciss/c0d0", "" },  { "/dev/md127", "" },    { "/dev/mmcblk0", "mmc" },
		{ "/dev/nvme0n1", "nvme" }, { "/dev/sda", "sata" },  { "/dev/sdb", "usb" },
		{ "/dev/sdc", "virtio" },   { "/dev/sdd", "ata" },   { "/dev/sde", "sas" },
		{ "/dev/sdf", "fc" },	    { "/dev/sdg", "iscsi" }, { "/dev/sdh", "" },
		{ "/dev/sr0", "sata" },	    { "/dev/ubda", "" },     { "/dev/vda", "virtio" },
	};
	struct disk_list disks = disks_read();

	(void)state;
	assert_int_equal(disks.count, sizeof(expected) / sizeof(*expected));
	for (size_t i = 0; i < disks.count; i++) {
		assert_string_equal(disks.disk[i]->facts.dev_path, expected[i][0]);
		assert_string_equal(disks.disk[i]->facts.transport, expected[i][1]);
		assert_int_equal(disks.disk[i]->facts.cdrom, !strcmp(expected[i][0], "/dev/sr0"));
		assert_false(disks.disk[i]->facts.system_known);
	}
	disk_list_clear(&disks);
}

static void test_facts(void **state)
{
	struct disk_list disks = disks_read();
	const struct disk_facts *disk = disk_of(&disks, "/dev/nvme0n1");

	(void)state;
	/* The values in the example of Talos's documentation. */
	assert_int_equal(disk->size, UINT64_C(10485760000));
	assert_string_equal(disk->pretty_size, "10 GB");
	assert_null(disk->secondary_disks[0]);
	assert_string_equal(disk_of(&disks, "/dev/md127")->secondary_disks[0], "mmcblk0");
	assert_string_equal(disk_of(&disks, "/dev/md127")->secondary_disks[1], "vda");
	assert_null(disk_of(&disks, "/dev/md127")->secondary_disks[2]);
	assert_string_equal(disk_of(&disks, "/dev/md127")->pretty_size, "1.9 TB");
	assert_string_equal(disk_of(&disks, "/dev/ubda")->pretty_size, "1.0 MB");
	assert_int_equal(disk->sector_size, 512);
	assert_int_equal(disk->io_size, 131072);
	assert_false(disk->readonly);
	assert_false(disk->rotational);
	assert_string_equal(disk->model, "QEMU NVMe Ctrl");
	assert_string_equal(disk->serial, "deadbeef");
	assert_string_equal(disk->firmware_version, "1.0");
	assert_string_equal(disk->wwid, "nvme.1b36-6465616462656566-51454d5520-00000001");
	assert_string_equal(disk->uuid, "e8238fa6-bf53-0001-001b-448b47fe9711");
	assert_string_equal(disk->bus_path, "/pci0000:00/0000:00:09.0/nvme");
	assert_string_equal(disk->sub_system, "/sys/class/block");
	assert_string_equal(disk->symlinks[0], "/dev/disk/by-diskseq/9");
	assert_string_equal(disk->symlinks[1], "/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_deadbeef");
	assert_null(disk->symlinks[2]);
	disk = disk_of(&disks, "/dev/sda");
	assert_true(disk->rotational);
	/* Escape sequences are replaced. */
	assert_string_equal(disk->model, "QEMU?[31m DISK");
	/* 12 bytes, with blanks removed. */
	assert_string_equal(disk->serial, "QM00013");
	assert_string_equal(disk->bus_path, "/pci0000:00/0000:00:1f.2/ata1/host0/target0:0:0/"
					    "0:0:0:0");
	assert_null(disk->symlinks[0]);
	disk = disk_of(&disks, "/dev/vda");
	assert_true(disk->readonly);
	assert_int_equal(disk->sector_size, 4096);
	/* 12288 is not a power of two. */
	assert_int_equal(disk->io_size, 4096);
	assert_string_equal(disk->serial, "a-serial");
	assert_string_equal(disk->wwid, "");
	assert_string_equal(disk->symlinks[0], "/dev/disk/by-path/pci-0000:00:02.0");
	disk_list_clear(&disks);
}

/* Gets the path of the disk that a selector matches; on error, path is "". */
static enum mortise_code selected(const char *text, char path[static 64], struct mortise_error *err)
{
	char selector[256], name[] = "data", id[] = "u-data";
	const struct config_volume volume = { .name = name, .id = id, .disk_selector = selector };
	struct disk_list disks = disks_read();
	enum mortise_code code;

	snprintf(selector, sizeof(selector), "%s", text);
	code = volume_select_disk(&disks, &volume, path, 64, err);
	disk_list_clear(&disks);
	return code;
}

static void test_select(void **state)
{
	struct mortise_error err = { .text = "" };
	char path[64];

	(void)state;
	assert_int_equal(selected("disk.transport == 'nvme'", path, &err), MORTISE_OK);
	assert_string_equal(path, "/dev/nvme0n1");
	assert_int_equal(selected("'/dev/disk/by-id/nvme-QEMU_NVMe_Ctrl_deadbeef' in disk.symlinks",
				  path, &err),
			 MORTISE_OK);
	assert_string_equal(path, "/dev/nvme0n1");
	assert_int_equal(selected("disk.transport == 'virtio'", path, &err), MORTISE_E_DEVICE);
	assert_string_equal(path, "");
	assert_string_equal(err.text,
			    "the disk selector of data matches 2 disks instead of one: "
			    "/dev/sdc (10 GiB, virtio), /dev/vda (12 GiB, virtio); make it more "
			    "specific, or use --device data=/dev/X");
	assert_int_equal(selected("disk.size == 0u", path, &err), MORTISE_E_DEVICE);
	assert_string_equal(path, "");
	assert_non_null(strstr(err.text, "the disk selector of data matches no disk; disks found: "
					 "/dev/cciss/c0d0 (1 MiB), /dev/md127 (1788 GiB), "
					 "/dev/mmcblk0 (28 GiB, mmc), "));
	assert_non_null(strstr(err.text, ", ..."));
	assert_int_equal(selected("disk.size / 0u == 1u", path, &err), MORTISE_E_CONFIG);
	assert_string_equal(err.text, "disk selector of data: 1:11: division by zero");
	assert_int_equal(selected("disk.size", path, &err), MORTISE_E_CONFIG);
	assert_string_equal(path, "");
}

static void test_system_disk(void **state)
{
	static const char *const others[] = { "EFI", "STATE", "EPHEMERAL", "META2", "meta" };
	static const char vda[] = "pci0000:00/0000:00:02.0/virtio1/block";
	struct mortise_error err = { .text = "" };
	char path[64];

	(void)state;
	/* Only META counts, whatever the other disks have. */
	for (size_t i = 0; i < sizeof(others) / sizeof(*others); i++) {
		put_partition("virtual/block", "md127", others[i]);
		assert_int_equal(selected("system_disk", path, &err), MORTISE_E_CONFIG);
		assert_non_null(strstr(err.text, "no disk has a partition labeled META"));
	}
	put_partition(vda, "vda", "STATE");
	put_partition("virtual/block", "md127", "META");
	assert_int_equal(selected("system_disk", path, &err), MORTISE_OK);
	assert_string_equal(path, "/dev/md127");
	put_partition(vda, "vda", "EFI");
	assert_int_equal(selected("!system_disk && disk.transport == 'mmc'", path, &err),
			 MORTISE_OK);
	assert_string_equal(path, "/dev/mmcblk0");
	put_partition("virtual/block", "md127", "STATES");
	assert_int_equal(selected("system_disk", path, &err), MORTISE_E_CONFIG);
}

static void test_no_sysfs(void **state)
{
	struct disk_list disks;
	struct mortise_error err = { .text = "" };

	(void)state;
	assert_int_equal(disk_list_read("/nowhere", &disks, &err), MORTISE_E_SYSTEM);
	assert_non_null(strstr(err.text, "mount sysfs"));
	disk_list_clear(&disks);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_list),	 cmocka_unit_test(test_facts),
		cmocka_unit_test(test_select),	 cmocka_unit_test(test_system_disk),
		cmocka_unit_test(test_no_sysfs),
	};

	return cmocka_run_group_tests(tests, set_up, tear_down);
}
