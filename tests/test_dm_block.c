/* SPDX-License-Identifier: MIT */
/* Block and loop devices on a mock machine. */
#include "machine_mock.h"

#define MAPPING makedev(254, 0) /* DEVICE */
#define OTHER	makedev(254, 1)
#define BELOW	makedev(98, 0)

static struct mortise_error err;

/* ------------------------------------------------------------------- block devices */

static void block_properties(void **state)
{
	struct dm_block block;

	(void)state;
	put_device("/dev/ubda", 'b', BELOW);
	machine.logical = 4096;
	machine.in_use = BELOW;
	assert_int_equal(dm_block_inspect(NULL, "/dev/ubda", false, &block, &err), MORTISE_OK);
	assert_true(block.number == BELOW);
	assert_int_equal(block.size, 64u << 20);
	assert_int_equal(block.logical, 4096);
	assert_int_equal(block.read_ahead, 256);
	assert_false(block.readonly);
	machine.readonly = 1;
	machine.read_ahead = -1;
	assert_int_equal(dm_block_inspect(NULL, "/dev/ubda", false, &block, &err), MORTISE_OK);
	assert_true(block.readonly);
	assert_int_equal(block.read_ahead, 0);
	machine.read_ahead = 256;
	deny_ioctl(BLKRAGET, ENOTTY);
	assert_int_equal(dm_block_inspect(NULL, "/dev/ubda", false, &block, &err), MORTISE_OK);
	assert_int_equal(block.read_ahead, 0);
}

static void unusable_block_device(void **state)
{
	static const unsigned long requests[] = { BLKGETSIZE64, BLKSSZGET, BLKROGET };
	static const struct {
		int sys;
		enum mortise_code code;
		const char *text;
	} opens[] = {
		{ EACCES, MORTISE_E_DEVICE, "Cannot use device /dev/ubda, permission denied." },
		{ EPERM, MORTISE_E_DEVICE, "Cannot use device /dev/ubda, permission denied." },
		{ ENXIO, MORTISE_E_DEVICE, "Device /dev/ubda does not exist or access denied" },
		{ EBUSY, MORTISE_E_BUSY, "Cannot use device /dev/ubda which is in use" },
	};
	struct dm_block block;

	(void)state;
	put_device("/dev/ubda", 'b', BELOW);
	machine.in_use = BELOW;
	assert_int_equal(dm_block_inspect(NULL, "/dev/ubda", true, &block, &err), MORTISE_E_BUSY);
	machine.in_use = 0;
	assert_int_equal(dm_block_inspect(NULL, "/dev/ubda", true, &block, &err), MORTISE_OK);
	for (size_t i = 0; i < sizeof(opens) / sizeof(*opens); i++) {
		deny("open", "/dev/ubda", opens[i].sys);
		assert_int_equal(dm_block_inspect(NULL, "/dev/ubda", true, &block, &err),
				 opens[i].code);
		assert_non_null(strstr(err.text, opens[i].text));
		assert_int_equal(err.sys_errno, opens[i].sys);
		allow_all();
	}
	for (size_t i = 0; i < sizeof(requests) / sizeof(*requests); i++) {
		deny_ioctl(requests[i], EIO);
		assert_int_equal(dm_block_inspect(NULL, "/dev/ubda", true, &block, &err),
				 MORTISE_E_DEVICE);
		assert_int_equal(err.sys_errno, EIO);
		allow_all();
	}
	deny("fstat", "", EIO);
	assert_int_equal(dm_block_inspect(NULL, "/dev/ubda", true, &block, &err), MORTISE_E_DEVICE);
	allow_all();
	assert_int_equal(dm_block_inspect(NULL, "/dev/null", false, &block, &err),
			 MORTISE_E_DEVICE);
	assert_non_null(strstr(err.text, "It is not a block device."));
	put_device("/dev/zero", 'c', LOOP_CONTROL);
	assert_int_equal(dm_block_inspect(NULL, "/dev/zero", false, &block, &err),
			 MORTISE_E_DEVICE);
	assert_non_null(strstr(err.text, "It is not a block device."));
}

/* ------------------------------------------------------------------- loop devices */

static void put_loops(void)
{
	char path[32];

	put_device("/dev/loop-control", 'c', LOOP_CONTROL);
	for (unsigned i = 0; i < LOOPS; i++) {
		snprintf(path, sizeof(path), "/dev/loop%u", i);
		put_device(path, 'b', makedev(7, i));
	}
}

/* Attaches a file, expects a loop device, closes it, and returns the kernel's view of it. */
static struct loop_state attach(bool readonly, uint32_t sector_size, const char *expected)
{
	struct loop_state loop;
	char path[32], link[32];
	int file, fd;

	put_file("/run/image", "image");
	file = open("/run/image", O_RDWR | O_CLOEXEC);
	assert_true(file >= 0);
	snprintf(link, sizeof(link), "/proc/self/fd/%d", file);
	put_link(link, "/images/a");
	if (dm_loop_attach(file, readonly, sector_size, path, &fd, &err))
		fail_msg("%s", err.text);
	assert_string_equal(path, expected);
	assert_int_equal(fcntl(fd, F_GETFL) & O_ACCMODE, readonly ? O_RDONLY : O_RDWR);
	loop = machine.loops[path[9] - '0'];
	assert_true(loop.attached);
	/* The kernel detaches it after the last close. */
	assert_true(loop.info.lo_flags & LO_FLAGS_AUTOCLEAR);
	assert_string_equal((const char *)loop.info.lo_file_name, "/images/a");
	close(fd);
	close(file);
	return loop;
}

static void expect_no_loop(enum mortise_code code, int sys, const char *text)
{
	char path[32];
	int fd;

	assert_int_equal(dm_loop_attach(0, false, 512, path, &fd, &err), code);
	assert_int_equal(fd, -1);
	assert_int_equal(err.sys_errno, sys);
	if (!strstr(err.text, text))
		fail_msg("%s", err.text);
	for (unsigned i = 0; i < LOOPS; i++)
		assert_false(machine.loops[i].attached);
}

static void loop_is_attached(void **state)
{
	struct loop_state loop;

	(void)state;
	put_loops();
	loop = attach(false, 512, "/dev/loop0");
	assert_int_equal(loop.block_size, 0);
	assert_false(loop.info.lo_flags & LO_FLAGS_READ_ONLY);
	loop = attach(true, 4096, "/dev/loop1");
	assert_int_equal(loop.block_size, 4096);
	assert_true(loop.info.lo_flags & LO_FLAGS_READ_ONLY);
}

/* Before Linux 5.8: LOOP_SET_FD and LOOP_SET_STATUS64. */
static void loop_on_old_kernels(void **state)
{
	struct loop_state loop;

	(void)state;
	put_loops();
	machine.loop_configure = EINVAL;
	loop = attach(false, 4096, "/dev/loop0");
	assert_int_equal(loop.block_size, 4096);
	machine.loop_configure = ENOTTY;
	loop = attach(true, 512, "/dev/loop1");
	assert_int_equal(loop.block_size, 0);
	assert_true(loop.info.lo_flags & LO_FLAGS_READ_ONLY);
	/* The kernel cannot change the size of blocks. */
	deny_ioctl(LOOP_SET_BLOCK_SIZE, EINVAL);
	loop = attach(false, 4096, "/dev/loop2");
	assert_int_equal(loop.block_size, 0);
	allow_all();
	memset(machine.loops, 0, sizeof(machine.loops));
	deny_ioctl(LOOP_SET_STATUS64, EPERM);
	expect_no_loop(MORTISE_E_DEVICE, EPERM, "Attaching loopback device failed");
	allow_all();
	deny_ioctl(LOOP_SET_FD, EBADF);
	expect_no_loop(MORTISE_E_DEVICE, EBADF, "Attaching loopback device failed");
}

/* Another process takes the number that the kernel has named free. */
static void loop_is_taken(void **state)
{
	char path[32];
	int fd;

	(void)state;
	put_loops();
	machine.taken = 2;
	attach(false, 512, "/dev/loop2");
	memset(machine.loops, 0, sizeof(machine.loops));
	machine.loop_configure = ENOTTY;
	machine.taken = 1;
	attach(false, 512, "/dev/loop1");
	/* Each time. */
	memset(machine.loops, 0, sizeof(machine.loops));
	deny_ioctl(LOOP_CONFIGURE, EBUSY);
	assert_int_equal(dm_loop_attach(0, false, 512, path, &fd, &err), MORTISE_E_BUSY);
	assert_int_equal(err.sys_errno, EBUSY);
}

static void loop_nodes_are_created(void **state)
{
	(void)state;
	put_file("/dev/loop", "");
	attach(false, 512, "/dev/loop0");
	expect_file("/dev/loop-control", "c 10:237");
	expect_file("/dev/loop0", "b 7:0");
}

static void unusable_loops(void **state)
{
	(void)state;
	deny("mknod", "/dev/loop-control", EPERM);
	expect_no_loop(MORTISE_E_DEVICE, EPERM, "running as non-root user");
	allow_all();
	/* The kernel has no loop devices: the new node does not stay. */
	deny("open", "/dev/loop-control", ENOENT);
	expect_no_loop(MORTISE_E_KERNEL, ENOENT, "modprobe loop");
	assert_false(has_file("/dev/loop-control"));
	allow_all();
	put_loops();
	deny("open", "/dev/loop-control", EACCES);
	expect_no_loop(MORTISE_E_DEVICE, EACCES, "running as non-root user");
	allow_all();
	deny_ioctl(LOOP_CTL_GET_FREE, ENOSPC);
	expect_no_loop(MORTISE_E_DEVICE, ENOSPC, "Attaching loopback device failed");
	allow_all();
	deny("open", "/dev/loop0", ENXIO);
	expect_no_loop(MORTISE_E_DEVICE, ENXIO, "Attaching loopback device failed");
	allow_all();
	/* Without autoclear the loop device would keep the file busy for good. */
	machine.loop_ancient = true;
	expect_no_loop(MORTISE_E_DEVICE, ENOTSUP, "autoclear flag is required");
	machine.loop_configure = ENOTTY;
	expect_no_loop(MORTISE_E_DEVICE, ENOTSUP, "autoclear flag is required");
}

/* ------------------------------------------------------------------- sysfs */

static void device_paths(void **state)
{
	char path[64], small[12];

	(void)state;
	assert_int_equal(dm_device_path(MAPPING, path, sizeof(path), &err), MORTISE_E_DEVICE);
	assert_non_null(strstr(err.text, "cannot find block device 254:0 in sysfs"));
	put_file("/sys/dev/block/254:0/dm/name", "t1\n");
	put_file("/sys/dev/block/254:0/uevent", "MAJOR=254\nMINOR=0\nDEVNAME=dm-0\n");
	/* No node, or that of another device: the kernel's name. */
	assert_int_equal(dm_device_path(MAPPING, path, sizeof(path), &err), MORTISE_OK);
	assert_string_equal(path, "/dev/dm-0");
	put_device("/dev/mapper/t1", 'b', OTHER);
	assert_int_equal(dm_device_path(MAPPING, path, sizeof(path), &err), MORTISE_OK);
	assert_string_equal(path, "/dev/dm-0");
	put_device("/dev/mapper/t1", 'b', MAPPING);
	assert_int_equal(dm_device_path(MAPPING, path, sizeof(path), &err), MORTISE_OK);
	assert_string_equal(path, "/dev/mapper/t1");
	/* A short path is preferred to none. */
	assert_int_equal(dm_device_path(MAPPING, small, sizeof(small), &err), MORTISE_OK);
	assert_string_equal(small, "/dev/dm-0");
	put_file("/sys/dev/block/104:0/uevent", "MAJOR=104\nDEVNAME=cciss/c0d0\n");
	assert_int_equal(dm_device_path(makedev(104, 0), path, sizeof(path), &err), MORTISE_OK);
	assert_string_equal(path, "/dev/cciss/c0d0");
	assert_int_equal(dm_device_path(makedev(104, 0), small, sizeof(small), &err),
			 MORTISE_E_SYSTEM);
	assert_non_null(strstr(err.text, "its path is too long"));
	put_file("/sys/dev/block/104:1/uevent", "MAJOR=104\n");
	assert_int_equal(dm_device_path(makedev(104, 1), path, sizeof(path), &err),
			 MORTISE_E_DEVICE);
	put_file("/sys/dev/block/104:1/uevent", "\n");
	assert_int_equal(dm_device_path(makedev(104, 1), path, sizeof(path), &err),
			 MORTISE_E_DEVICE);
}

static void loop_files(void **state)
{
	char file[32] = "unchanged";

	(void)state;
	dm_loop_backing(makedev(7, 0), file, 0);
	assert_string_equal(file, "unchanged");
	dm_loop_backing(makedev(7, 0), file, sizeof(file));
	assert_string_equal(file, "");
	put_file("/sys/dev/block/7:0/loop/backing_file", "/images/a b\n");
	dm_loop_backing(makedev(7, 0), file, sizeof(file));
	assert_string_equal(file, "/images/a b");
	/* A path that does not fit is not cut. */
	dm_loop_backing(makedev(7, 0), file, 8);
	assert_string_equal(file, "");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_start, machine_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(block_properties), TEST(unusable_block_device),
		TEST(loop_is_attached), TEST(loop_on_old_kernels),
		TEST(loop_is_taken),	TEST(loop_nodes_are_created),
		TEST(unusable_loops),	TEST(device_paths),
		TEST(loop_files),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
