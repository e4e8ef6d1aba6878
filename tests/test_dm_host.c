/* SPDX-License-Identifier: MIT */
/* Device nodes, logon keys and sysfs, which dm/ uses next to the control node, on a mock machine. */
#include "machine_mock.h"

#include <time.h>

#define UUID	"CRYPT-LUKS2-1234567890abcdef1234567890abcdef-t1"
#define LINE	"aes-xts-plain64 :4:logon:" KEY_NAME " 0 98:0 32768"
#define MAPPING makedev(254, 0) /* DEVICE */
#define OTHER	makedev(254, 1)
#define BELOW	makedev(98, 0)
#define VERSION_47                    \
	{                             \
		.request = DM_VERSION \
	}
#define STATUS                                         \
	{                                              \
		.request = DM_DEV_STATUS, .name = "t1" \
	}
#define REMOVE                                                           \
	{                                                                \
		.request = DM_DEV_REMOVE, .name = "t1", .event_nr = UDEV \
	}
#define NEW_MAPPING                                                                        \
	ABSENT, ASK(crypt_1_24), { .request = DM_DEV_CREATE, .name = "t1", .uuid = UUID }, \
		{ .request = DM_TABLE_LOAD,                                                \
		  .name = "t1",                                                            \
		  .flags = DM_SECURE_DATA_FLAG,                                            \
		  .params = LINE },                                                        \
	{                                                                                  \
		.request = DM_DEV_SUSPEND, .name = "t1", .event_nr = UDEV                  \
	}

static struct mortise_error err;

/* ------------------------------------------------------------------- the control node */

/* Opens device-mapper on a kernel that then gets steps; DM_VERSION is the first. */
static enum mortise_code open_dm(struct world *world, const struct step *steps)
{
	*world = (struct world){ .steps = steps };
	machine.world = world;
	memset(&err, 0, sizeof(err));
	return dm_open(&world->control, &err);
}

static void close_dm(struct world *world)
{
	assert_int_equal(world->steps[world->at].request, 0);
	dm_close(world->control);
}

static void expect_open(void)
{
	static const struct step steps[] = { VERSION_47, END };
	struct world world;

	if (open_dm(&world, steps))
		fail_msg("%s", err.text);
	close_dm(&world);
}

/* Returns sys_errno. text is a part of the error. */
static int expect_no_open(enum mortise_code code, const char *text)
{
	static const struct step steps[] = { VERSION_47, END };
	struct world world;

	assert_int_equal(open_dm(&world, steps), code);
	assert_null(world.control);
	if (!strstr(err.text, text))
		fail_msg("%s", err.text);
	return err.sys_errno;
}

/* The minor number is from /proc/misc, or sysfs, or the kernel's list of devices. */
static void control_node_is_created(void **state)
{
	(void)state;
	expect_open();
	expect_file(CONTROL, "c 10:236");
	machine.control = makedev(10, 55);
	put_file("/proc/misc", "237 loop-control\n 55 device-mapper\n");
	expect_open();
	expect_file(CONTROL, "c 10:55");
	machine.control = makedev(10, 60);
	put_file("/proc/misc", "237 loop-control\n");
	put_file("/sys/class/misc/device-mapper/dev", "10:60\n");
	expect_open();
	expect_file(CONTROL, "c 10:60");
	/* The module is not loaded yet: opening the node loads it. */
	assert_int_equal(unlink(CONTROL), 0);
	assert_int_equal(unlink("/sys/class/misc/device-mapper/dev"), 0);
	machine.control = CONTROL_DEVICE;
	expect_open();
	expect_file(CONTROL, "c 10:236");
}

static void control_node_is_kept(void **state)
{
	struct stat before, after;

	(void)state;
	put_device(CONTROL, 'c', CONTROL_DEVICE);
	assert_int_equal(stat(CONTROL, &before), 0);
	expect_open();
	assert_int_equal(stat(CONTROL, &after), 0);
	assert_true(before.st_ino == after.st_ino);
	/* Without /proc and /sys its number is unknown, and taken to be right. */
	machine.control = makedev(10, 55);
	put_device(CONTROL, 'c', machine.control);
	assert_int_equal(unlink("/proc/misc"), 0);
	expect_open();
	expect_file(CONTROL, "c 10:55");
}

/* A /dev on disk. */
static void stale_control_node_is_replaced(void **state)
{
	(void)state;
	put_device(CONTROL, 'c', makedev(10, 55));
	expect_open();
	expect_file(CONTROL, "c 10:236");
	put_device(CONTROL, 'b', CONTROL_DEVICE);
	expect_open();
	expect_file(CONTROL, "c 10:236");
	put_file(CONTROL, "not a node");
	expect_open();
	expect_file(CONTROL, "c 10:236");
}

static void control_node_cannot_be_created(void **state)
{
	(void)state;
	deny("mkdir", "/dev/mapper", EROFS);
	assert_int_equal(expect_no_open(MORTISE_E_DEVICE, "mount a devtmpfs on /dev"), EROFS);
	allow_all();
	deny("mknod", CONTROL, EPERM);
	assert_int_equal(expect_no_open(MORTISE_E_DEVICE, "Run as root."), EPERM);
	allow_all();
	put_device(CONTROL, 'c', makedev(10, 55));
	deny("unlink", CONTROL, EROFS);
	assert_int_equal(expect_no_open(MORTISE_E_DEVICE, "cannot create " CONTROL), EROFS);
	expect_file(CONTROL, "c 10:55");
	/* The kernel has no device-mapper. */
	allow_all();
	machine.control = makedev(10, 1);
	assert_int_equal(expect_no_open(MORTISE_E_KERNEL, "modprobe dm_mod"), ENODEV);
	/* Another process, such as udev, has created it. */
	machine.control = CONTROL_DEVICE;
	deny("mknod", CONTROL, EEXIST);
	assert_int_equal(expect_no_open(MORTISE_E_KERNEL, "Is dm_mod"), ENOENT);
}

static void not_root(void **state)
{
	(void)state;
	put_device(CONTROL, 'c', CONTROL_DEVICE);
	machine.user = 1000;
	deny("open", CONTROL, EACCES);
	assert_int_equal(expect_no_open(MORTISE_E_DEVICE, "running as non-root user"), EACCES);
	allow_all();
	deny("open", CONTROL, ENOENT);
	assert_int_equal(expect_no_open(MORTISE_E_DEVICE, "running as non-root user"), ENOENT);
}

/* A node that this call has created is removed again, another one stays. */
static void unusable_interface(void **state)
{
	const struct step refused[] = { { .request = DM_VERSION, .sys = ENOTTY }, END };
	struct world world;

	(void)state;
	assert_int_equal(open_dm(&world, refused), MORTISE_E_KERNEL);
	assert_false(has_file(CONTROL));
	put_device(CONTROL, 'c', CONTROL_DEVICE);
	assert_int_equal(open_dm(&world, refused), MORTISE_E_KERNEL);
	assert_true(has_file(CONTROL));
}

static void version_5(struct dm_ioctl *header)
{
	header->version[0] = 5;
}

static void unknown_version(void **state)
{
	static const struct step steps[] = { { .request = DM_VERSION, .spoil = version_5 }, END };
	struct world world;

	(void)state;
	assert_int_equal(open_dm(&world, steps), MORTISE_E_KERNEL);
	assert_non_null(strstr(err.text, "has version 5 of its interface, version 4 is needed"));
	assert_false(has_file(CONTROL));
}

/* ------------------------------------------------------------------- creating and removing */

static enum mortise_code create_t1(struct world *world)
{
	const struct dm_mapping_options options = { .uuid = UUID };
	struct dm_crypt_target target = {
		.cipher = "aes-xts-plain64",
		.key_description = KEY_NAME,
		.device = "/dev/ubda",
		.device_offset = 16u << 20,
		.size = 32u << 20,
		.sector_size = 512,
	};
	struct mortise_secret *key;
	enum mortise_code code;

	assert_int_equal(mortise_secret_from("\x01\x08\x0f\x16", 4, &key, NULL), MORTISE_OK);
	target.key = key;
	code = dm_crypt_create(world->control, "t1", &options, &target, NULL, &err);
	mortise_secret_free(&key);
	return code;
}

/* Device 254:0 of the kernel, and 98:0 below it. */
static void put_machine(const char *read_ahead_kb)
{
	put_device("/dev/ubda", 'b', BELOW);
	put_file("/sys/dev/block/254:0/queue/read_ahead_kb", read_ahead_kb);
	put_file("/sys/dev/block/254:0/dm/name", "t1\n");
	put_file("/sys/dev/block/254:0/uevent", "MAJOR=254\nMINOR=0\nDEVNAME=dm-0\n");
}

/* Without udev, devtmpfs alone has the kernel's node. */
static void mapping_has_a_node(void **state)
{
	static const struct step steps[] = { VERSION_47, NEW_MAPPING, STATUS, REMOVE, END };
	char path[64];
	struct world world;

	(void)state;
	put_machine("64\n");
	put_device("/dev/dm-0", 'b', MAPPING);
	assert_int_equal(open_dm(&world, steps), MORTISE_OK);
	if (create_t1(&world))
		fail_msg("%s", err.text);
	expect_file("/dev/mapper/t1", "b 254:0");
	assert_int_equal(count_files("/dev/mapper"), 2);
	assert_int_equal(dm_device_path(MAPPING, path, sizeof(path), &err), MORTISE_OK);
	assert_string_equal(path, "/dev/mapper/t1");
	/* 256 sectors of the device below; O_TRUNC would fail in sysfs. */
	expect_file("/sys/dev/block/254:0/queue/read_ahead_kb", "128");
	/* The key was given to this thread only, and its payload is freed at once. */
	assert_string_equal(machine.key_type, "logon");
	assert_string_equal(machine.key_description, KEY_NAME);
	assert_memory_equal(machine.key, "\x01\x08\x0f\x16", 4);
	assert_int_equal(machine.key_call_count, 2);
	assert_int_equal(machine.key_calls[0], KEYCTL_INVALIDATE);
	assert_int_equal(machine.key_calls[1], KEYCTL_UNLINK);
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_NOW, &err), MORTISE_OK);
	assert_false(has_file("/dev/mapper/t1"));
	close_dm(&world);
}

/* With udev it is the link that udev's rules make. */
static void mapping_has_a_link(void **state)
{
	static const struct step steps[] = { VERSION_47, NEW_MAPPING, STATUS, REMOVE, END };
	struct world world;

	(void)state;
	put_machine("512\n");
	put_file("/run/udev/control", "");
	put_device("/dev/dm-0", 'b', MAPPING);
	assert_int_equal(open_dm(&world, steps), MORTISE_OK);
	if (create_t1(&world))
		fail_msg("%s", err.text);
	expect_file("/dev/mapper/t1", "-> ../dm-0");
	/* It is larger already. */
	expect_file("/sys/dev/block/254:0/queue/read_ahead_kb", "512\n");
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_NOW, &err), MORTISE_OK);
	assert_false(has_file("/dev/mapper/t1"));
	close_dm(&world);
}

static void key_is_refused(void **state)
{
	static const struct step steps[] = {
		VERSION_47,
		ABSENT,
		ASK(crypt_1_24),
		{ .request = DM_DEV_CREATE, .name = "t1", .uuid = UUID },
		{ .request = DM_TABLE_LOAD,
		  .name = "t1",
		  .flags = DM_SECURE_DATA_FLAG,
		  .params = "aes-xts-plain64 01080f16 0 98:0 32768" },
		{ .request = DM_DEV_SUSPEND, .name = "t1", .event_nr = UDEV },
		END
	};
	struct world world;

	(void)state;
	put_machine("64\n");
	machine.key_sys = EDQUOT;
	assert_int_equal(open_dm(&world, steps), MORTISE_OK);
	if (create_t1(&world))
		fail_msg("%s", err.text);
	assert_int_equal(machine.key_call_count, 0);
	expect_file("/dev/mapper/t1", "b 254:0");
	close_dm(&world);
}

/* A mapping without a node is removed again, and what the path holds stays. */
static void node_cannot_be_created(void **state)
{
	static const struct step steps[] = { VERSION_47, NEW_MAPPING, REMOVE, END };
	struct world world;

	(void)state;
	put_machine("64\n");
	put_file("/dev/mapper/t1", "a file");
	assert_int_equal(open_dm(&world, steps), MORTISE_OK);
	assert_int_equal(create_t1(&world), MORTISE_E_EXISTS);
	assert_non_null(strstr(err.text, "/dev/mapper/t1: it exists and is not a device node"));
	expect_file("/dev/mapper/t1", "a file");
	close_dm(&world);
	assert_int_equal(unlink("/dev/mapper/t1"), 0);
	deny("mknod", "/dev/mapper/.mortise-254-0", ENOSPC);
	assert_int_equal(open_dm(&world, steps), MORTISE_OK);
	assert_int_equal(create_t1(&world), MORTISE_E_DEVICE);
	assert_int_equal(err.sys_errno, ENOSPC);
	close_dm(&world);
	allow_all();
	deny("rename", "/dev/mapper/t1", EIO);
	assert_int_equal(open_dm(&world, steps), MORTISE_OK);
	assert_int_equal(create_t1(&world), MORTISE_E_DEVICE);
	/* Neither a node nor a temporary one. */
	assert_int_equal(count_files("/dev/mapper"), 1);
	close_dm(&world);
}

/* A caller's kernel is not the machine's. */
static void no_nodes_for_another_kernel(void **state)
{
	static const struct step steps[] = { NEW_MAPPING, STATUS, REMOVE, END };
	struct world world;

	(void)state;
	put_machine("64\n");
	begin(&world, steps);
	assert_int_equal(create_t1(&world), MORTISE_OK);
	assert_false(has_file("/dev/mapper"));
	expect_file("/sys/dev/block/254:0/queue/read_ahead_kb", "64\n");
	put_device("/dev/mapper/t1", 'b', MAPPING);
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_NOW, &err), MORTISE_OK);
	assert_true(has_file("/dev/mapper/t1"));
	end(&world);
}

static void deferred_removal_keeps_the_node(void **state)
{
	static const struct step steps[] = { VERSION_47,
					     STATUS,
					     { .request = DM_DEV_REMOVE,
					       .name = "t1",
					       .event_nr = UDEV,
					       .flags = DM_DEFERRED_REMOVE,
					       .flags_out = DM_DEFERRED_REMOVE },
					     STATUS,
					     { .request = DM_TARGET_MSG,
					       .name = "t1",
					       .flags = DM_SECURE_DATA_FLAG,
					       .sys = EBUSY },
					     STATUS,
					     { .request = DM_TARGET_MSG,
					       .name = "t1",
					       .flags = DM_SECURE_DATA_FLAG,
					       .sys = ENXIO },
					     STATUS,
					     /* It was closed in the meantime. */
					     { .request = DM_DEV_REMOVE,
					       .name = "t1",
					       .event_nr = UDEV,
					       .flags = DM_DEFERRED_REMOVE },
					     END };
	struct world world;

	(void)state;
	put_device("/dev/mapper/t1", 'b', MAPPING);
	assert_int_equal(open_dm(&world, steps), MORTISE_OK);
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_DEFERRED, &err), MORTISE_OK);
	assert_true(has_file("/dev/mapper/t1"));
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_CANCEL_DEFERRED, &err),
			 MORTISE_E_BUSY);
	assert_string_equal(err.text, "Device t1 is already being removed.");
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_CANCEL_DEFERRED, &err),
			 MORTISE_E_INACTIVE);
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_DEFERRED, &err), MORTISE_OK);
	assert_false(has_file("/dev/mapper/t1"));
	close_dm(&world);
}

static void busy_mapping(void **state)
{
	const struct step busy = {
		.request = DM_DEV_REMOVE, .name = "t1", .event_nr = UDEV, .sys = EBUSY
	};
	struct step steps[17] = { VERSION_47, STATUS };
	static const struct {
		const char *file, *text, *user;
	} users[] = {
		{ "/proc/misc", "236 device-mapper\n", "Unmount it or close the mapping above it" },
		{ "/proc/self/mountinfo",
		  "21 1 98:0 / / rw - ext4 /dev/ubda rw\n"
		  "22 21 254:0 / /mnt/a\\040b rw - ext4 /dev/mapper/t1 rw\n",
		  "It is mounted on /mnt/a b; unmount it first." },
		{ "/sys/dev/block/254:0/holders/dm-1", "",
		  "/dev/dm-1 is using it; close that first." },
	};
	struct world world;

	(void)state;
	for (size_t i = 2; i < 16; i++)
		steps[i] = busy;
	put_device("/dev/mapper/t1", 'b', MAPPING);
	for (size_t i = 0; i < sizeof(users) / sizeof(*users); i++) {
		put_file(users[i].file, users[i].text);
		assert_int_equal(open_dm(&world, steps), MORTISE_OK);
		world.control->host.pause = mock_pause;
		world.control->host.context = &world;
		assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_NOW, &err),
				 MORTISE_E_BUSY);
		if (!strstr(err.text, users[i].user))
			fail_msg("%s", err.text);
		assert_int_equal(world.pauses, 13);
		assert_true(has_file("/dev/mapper/t1"));
		close_dm(&world);
	}
}

static void pauses_take_time(void **state)
{
	struct timespec start, now;

	(void)state;
	clock_gettime(CLOCK_MONOTONIC, &start);
	dm_pause(NULL, 20);
	clock_gettime(CLOCK_MONOTONIC, &now);
	assert_true((now.tv_sec - start.tv_sec) * 1000 + (now.tv_nsec - start.tv_nsec) / 1000000 >=
		    19);
}

/* ------------------------------------------------------------------- nodes */

/* Nodes of the same number give access to the mapping under an old name. */
static void stale_nodes_are_removed(void **state)
{
	(void)state;
	put_device("/dev/mapper/old", 'b', MAPPING);
	put_device("/dev/mapper/other", 'b', OTHER);
	put_device(CONTROL, 'c', MAPPING);
	put_link("/dev/mapper/link", "../dm-0");
	put_device("/dev/mapper/t1", 'b', OTHER);
	assert_int_equal(dm_node_create("t1", MAPPING, &err), MORTISE_OK);
	assert_false(has_file("/dev/mapper/old"));
	assert_true(has_file("/dev/mapper/other"));
	assert_true(has_file(CONTROL));
	assert_true(has_file("/dev/mapper/link"));
	expect_file("/dev/mapper/t1", "b 254:0");
	assert_int_equal(count_files("/dev/mapper"), 4);
}

static void existing_node_is_kept(void **state)
{
	(void)state;
	put_device("/dev/dm-0", 'b', MAPPING);
	put_link("/dev/mapper/t1", "../dm-0");
	assert_int_equal(dm_node_create("t1", MAPPING, &err), MORTISE_OK);
	expect_file("/dev/mapper/t1", "-> ../dm-0");
	/* A link to another device is replaced; without udev's node, by a node. */
	put_file("/run/udev/control", "");
	assert_int_equal(dm_node_create("t1", OTHER, &err), MORTISE_OK);
	expect_file("/dev/mapper/t1", "b 254:1");
	/* Remains of a killed process. */
	put_file("/dev/mapper/.mortise-254-0", "");
	assert_int_equal(dm_node_create("t2", MAPPING, &err), MORTISE_OK);
	expect_file("/dev/mapper/t2", "-> ../dm-0");
	assert_false(has_file("/dev/mapper/.mortise-254-0"));
	deny("mkdir", "/dev/mapper", EROFS);
	assert_int_equal(dm_node_create("t3", MAPPING, &err), MORTISE_E_DEVICE);
	assert_int_equal(err.sys_errno, EROFS);
}

static void nodes_of_others_stay(void **state)
{
	(void)state;
	dm_node_remove("t1", MAPPING);
	put_device("/dev/mapper/t1", 'b', OTHER);
	dm_node_remove("t1", MAPPING);
	expect_file("/dev/mapper/t1", "b 254:1");
	put_device("/dev/mapper/t1", 'c', MAPPING);
	dm_node_remove("t1", MAPPING);
	expect_file("/dev/mapper/t1", "c 254:0");
	put_link("/dev/mapper/t2", "../dm-1");
	dm_node_remove("t2", MAPPING);
	expect_file("/dev/mapper/t2", "-> ../dm-1");
	put_link("/dev/mapper/t2", "dm-0");
	deny("readlink", "/dev/mapper/t2", EIO);
	dm_node_remove("t2", MAPPING);
	assert_true(has_file("/dev/mapper/t2"));
	allow_all();
	dm_node_remove("t2", MAPPING);
	assert_false(has_file("/dev/mapper/t2"));
}

static void read_ahead(void **state)
{
	(void)state;
	/* Neither without the file, nor with one that cannot be written to. */
	dm_sysfs_read_ahead(MAPPING, 256);
	put_machine("64\n");
	deny("open", "/sys/dev/block/254:0/queue/read_ahead_kb", EACCES);
	dm_sysfs_read_ahead(MAPPING, 256);
	expect_file("/sys/dev/block/254:0/queue/read_ahead_kb", "64\n");
	allow_all();
	dm_sysfs_read_ahead(MAPPING, 128);
	expect_file("/sys/dev/block/254:0/queue/read_ahead_kb", "64\n");
	dm_sysfs_read_ahead(MAPPING, 256);
	expect_file("/sys/dev/block/254:0/queue/read_ahead_kb", "128");
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, machine_start, machine_stop)

int main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(control_node_is_created),
		TEST(control_node_is_kept),
		TEST(stale_control_node_is_replaced),
		TEST(control_node_cannot_be_created),
		TEST(not_root),
		TEST(unusable_interface),
		TEST(unknown_version),
		TEST(mapping_has_a_node),
		TEST(mapping_has_a_link),
		TEST(key_is_refused),
		TEST(node_cannot_be_created),
		TEST(no_nodes_for_another_kernel),
		TEST(deferred_removal_keeps_the_node),
		TEST(busy_mapping),
		TEST(pauses_take_time),
		TEST(stale_nodes_are_removed),
		TEST(existing_node_is_kept),
		TEST(nodes_of_others_stay),
		TEST(read_ahead),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
