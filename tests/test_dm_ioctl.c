/* SPDX-License-Identifier: MIT */
/* Creating and removing mappings with a mock kernel: a table of ioctls and answers. */
#include "dm_mock.h"

#define UUID	     "CRYPT-LUKS2-1234567890abcdef1234567890abcdef-t1"
#define KEYRING_LINE "aes-xts-plain64 :4:logon:" KEY_NAME " 0 98:0 32768"
#define HEX_LINE     "aes-xts-plain64 01080f16 0 98:0 32768"
#define UDEV_HIDDEN  0x6e0000u

static const struct version_record crypt_1_18_1 = { 0, { 1, 18, 1 }, "crypt" };
static const struct version_record crypt_1_18_0 = { 0, { 1, 18, 0 }, "crypt" };
static const struct version_record crypt_1_16 = { 0, { 1, 16, 0 }, "crypt" };
static const struct version_record crypt_1_10 = { 0, { 1, 10, 0 }, "crypt" };

#define CREATE                                                       \
	{                                                            \
		.request = DM_DEV_CREATE, .name = "t1", .uuid = UUID \
	}
#define LOAD(line)                                                                    \
	{                                                                             \
		.request = DM_TABLE_LOAD, .name = "t1", .flags = DM_SECURE_DATA_FLAG, \
		.params = (line)                                                      \
	}
#define RESUME                                                            \
	{                                                                 \
		.request = DM_DEV_SUSPEND, .name = "t1", .event_nr = UDEV \
	}
#define REMOVE                                                           \
	{                                                                \
		.request = DM_DEV_REMOVE, .name = "t1", .event_nr = UDEV \
	}

/* A mapping t1 of 32 MiB, at offset 16 MiB of the device. */
struct wish {
	struct dm_crypt_target target;
	struct dm_mapping_options options;
	uint32_t dropped;
	struct mortise_error err;
};

static struct wish simple(void)
{
	return (struct wish){
		.target = {
			.cipher = "aes-xts-plain64",
			.key_description = KEY_NAME,
			.device = "/dev/ubda",
			.device_offset = 16u << 20,
			.size = 32u << 20,
			.sector_size = 512,
		},
		.options = { .uuid = UUID },
		.dropped = 99,
	};
}

static enum mortise_code create(struct world *world, struct wish *wish)
{
	enum mortise_code code;
	struct mortise_secret *key;

	assert_int_equal(mortise_secret_from("\x01\x08\x0f\x16", 4, &key, NULL), MORTISE_OK);
	wish->target.key = key;
	code = dm_crypt_create(world->control, "t1", &wish->options, &wish->target, &wish->dropped,
			       &wish->err);
	mortise_secret_free(&key);
	if (code)
		assert_int_equal(wish->err.code, code);
	return code;
}

/* Creates the mapping of a wish; the kernel must get steps, and the result must be code. */
static void create_expect(const struct step *steps, struct wish *wish, enum mortise_code code)
{
	struct world world;
	enum mortise_code got;

	begin(&world, steps);
	got = create(&world, wish);
	if (got != code)
		fail_msg("code %d (%s), expected %d", got, wish->err.text, code);
	end(&world);
}

static void create_with_keyring(void **state)
{
	static const struct step steps[] = { ABSENT, ASK(crypt_1_24),
					     CREATE, LOAD(KEYRING_LINE),
					     RESUME, END };
	struct wish wish = simple();
	struct world world;

	(void)state;
	begin(&world, steps);
	assert_int_equal(create(&world, &wish), MORTISE_OK);
	assert_int_equal(wish.dropped, 0);
	assert_int_equal(world.keys_added, 1);
	assert_true(world.exclusive);
	end(&world);
}

static void create_hidden_readonly(void **state)
{
	static const struct step steps[] = {
		ABSENT,
		ASK(crypt_1_18_1),
		CREATE,
		{ .request = DM_TABLE_LOAD,
		  .name = "t1",
		  .params = KEYRING_LINE,
		  .flags = DM_SECURE_DATA_FLAG | DM_READONLY_FLAG },
		{ .request = DM_DEV_SUSPEND, .name = "t1", .event_nr = UDEV_HIDDEN },
		END
	};
	struct wish wish = simple();
	struct world world;

	(void)state;
	begin(&world, steps);
	wish.options.hidden = true;
	/* A write-protected device has read-only mappings. */
	world.block.readonly = true;
	assert_int_equal(create(&world, &wish), MORTISE_OK);
	assert_false(world.exclusive);
	end(&world);
}

static void keyring_refused_by_the_system(void **state)
{
	static const struct step steps[] = { ABSENT,	     ASK(crypt_1_24), CREATE,
					     LOAD(HEX_LINE), RESUME,	      END };
	static const int refusals[] = { ENOSYS, EDQUOT, EACCES, EPERM, EOPNOTSUPP };
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(refusals) / sizeof(refusals[0]); i++) {
		struct wish wish = simple();
		struct world world;

		begin(&world, steps);
		world.key_sys = refusals[i];
		assert_int_equal(create(&world, &wish), MORTISE_OK);
		assert_int_equal(world.keys_added, 0);
		end(&world);
	}
}

static void keyring_refused_by_dm_crypt(void **state)
{
	static const struct step steps[] = { ABSENT,
					     ASK(crypt_1_24),
					     CREATE,
					     { .request = DM_TABLE_LOAD,
					       .name = "t1",
					       .flags = DM_SECURE_DATA_FLAG,
					       .params = KEYRING_LINE,
					       .sys = ENOKEY },
					     LOAD(HEX_LINE),
					     RESUME,
					     END };
	struct wish wish = simple();

	(void)state;
	create_expect(steps, &wish, MORTISE_OK);
}

static void keyring_not_asked_for(void **state)
{
	static const struct step too_old[] = { ABSENT, ASK(crypt_1_18_0),
					       CREATE, LOAD(HEX_LINE),
					       RESUME, END };
	static const struct step unwanted[] = { ABSENT,		ASK(crypt_1_24), CREATE,
						LOAD(HEX_LINE), RESUME,		 END };
	struct wish wish = simple();

	(void)state;
	create_expect(too_old, &wish, MORTISE_OK);
	wish = simple();
	wish.target.key_description = NULL;
	create_expect(unwanted, &wish, MORTISE_OK);
}

static void options_are_dropped(void **state)
{
	static const struct step steps[] = {
		ABSENT,
		ASK(crypt_1_18_1),
		CREATE,
		{ .request = DM_TABLE_LOAD,
		  .name = "t1",
		  .flags = DM_SECURE_DATA_FLAG,
		  .params = KEYRING_LINE " 3 allow_discards no_read_workqueue no_write_workqueue",
		  .sys = EINVAL },
		LOAD(KEYRING_LINE " 1 allow_discards"),
		RESUME,
		END
	};
	static const struct step ancient[] = {
		ABSENT,
		ASK(crypt_1_10),
		CREATE,
		{ .request = DM_TABLE_LOAD,
		  .name = "t1",
		  .flags = DM_SECURE_DATA_FLAG,
		  .params = HEX_LINE " 3 allow_discards same_cpu_crypt submit_from_crypt_cpus",
		  .sys = EINVAL },
		LOAD(HEX_LINE),
		RESUME,
		END
	};
	static const struct step known[] = { ABSENT, ASK(crypt_1_10),
					     CREATE, LOAD(HEX_LINE " 1 allow_discards"),
					     RESUME, END };
	struct wish wish = simple();

	(void)state;
	wish.target.flags =
		DM_CRYPT_ALLOW_DISCARDS | DM_CRYPT_NO_READ_WORKQUEUE | DM_CRYPT_NO_WRITE_WORKQUEUE;
	create_expect(steps, &wish, MORTISE_OK);
	assert_int_equal(wish.dropped, DM_CRYPT_NO_READ_WORKQUEUE | DM_CRYPT_NO_WRITE_WORKQUEUE);
	wish = simple();
	wish.target.flags =
		DM_CRYPT_ALLOW_DISCARDS | DM_CRYPT_SAME_CPU_CRYPT | DM_CRYPT_SUBMIT_FROM_CRYPT_CPUS;
	create_expect(ancient, &wish, MORTISE_OK);
	assert_int_equal(wish.dropped, wish.target.flags);
	/* A distribution's kernel with more features than its version implies. */
	wish = simple();
	wish.target.flags = DM_CRYPT_ALLOW_DISCARDS;
	create_expect(known, &wish, MORTISE_OK);
	assert_int_equal(wish.dropped, 0);
}

/* Before Linux 5.4, the version is available only when the module is loaded. */
static void old_kernel(void **state)
{
	static const struct step loaded[] = {
		ABSENT,
		{ .request = DM_GET_TARGET_VERSION, .name = "crypt", .sys = ENOTTY },
		{ .request = DM_LIST_VERSIONS, .data = versions_old, .size = sizeof(versions_old) },
		CREATE,
		LOAD(HEX_LINE),
		RESUME,
		END
	};
	static const struct step not_loaded[] = {
		ABSENT,
		{ .request = DM_GET_TARGET_VERSION, .name = "crypt", .sys = ENOTTY },
		{ .request = DM_LIST_VERSIONS,
		  .data = versions_old,
		  .size = offsetof(struct version_record, name) + 8 },
		CREATE,
		{ .request = DM_TABLE_LOAD,
		  .name = "t1",
		  .flags = DM_SECURE_DATA_FLAG,
		  .params = KEYRING_LINE " 1 no_read_workqueue",
		  .sys = EINVAL },
		{ .request = DM_GET_TARGET_VERSION, .name = "crypt", .sys = ENOTTY },
		{ .request = DM_LIST_VERSIONS, .data = versions_old, .size = sizeof(versions_old) },
		{ .request = DM_TABLE_LOAD,
		  .name = "t1",
		  .flags = DM_SECURE_DATA_FLAG,
		  .params = KEYRING_LINE,
		  .sys = EINVAL },
		LOAD(HEX_LINE),
		RESUME,
		END
	};
	struct wish wish = simple();

	(void)state;
	create_expect(loaded, &wish, MORTISE_OK);
	wish = simple();
	wish.target.flags = DM_CRYPT_NO_READ_WORKQUEUE;
	create_expect(not_loaded, &wish, MORTISE_OK);
	assert_int_equal(wish.dropped, DM_CRYPT_NO_READ_WORKQUEUE);
}

static void missing_kernel_features(void **state)
{
	static const struct step old[] = { ABSENT, ASK(crypt_1_16), END };
	static const struct step none[] = {
		ABSENT, { .request = DM_GET_TARGET_VERSION, .name = "crypt", .sys = EINVAL }, END
	};
	struct wish wish = simple();

	(void)state;
	wish.target.sector_size = 4096;
	create_expect(old, &wish, MORTISE_E_KERNEL);
	assert_non_null(strstr(wish.err.text, "Requested sector_size option is not supported."));
	wish = simple();
	wish.target.flags = DM_CRYPT_IV_LARGE_SECTORS;
	create_expect(old, &wish, MORTISE_E_KERNEL);
	wish = simple();
	wish.target.cipher = "capi:xts(aes)-plain64";
	create_expect(old, &wish, MORTISE_E_KERNEL);
	wish = simple();
	create_expect(none, &wish, MORTISE_E_KERNEL);
	assert_non_null(strstr(wish.err.text, "modprobe dm-crypt"));
}

static void device_below(void **state)
{
	static const struct step steps[] = { ABSENT, ASK(crypt_1_24), END };
	static const struct {
		uint64_t size;
		uint32_t logical;
		enum mortise_code look, code;
		const char *text;
	} cases[] = {
		{ 16u << 20, 512, MORTISE_OK, MORTISE_E_NO_SPACE, "beyond real size" },
		{ 0, 512, MORTISE_OK, MORTISE_E_NO_SPACE, "beyond real size" },
		{ (48u << 20) - 512, 512, MORTISE_OK, MORTISE_E_NO_SPACE, "is too small" },
		{ 64u << 20, 64u << 20, MORTISE_OK, MORTISE_E_KERNEL, "logical blocks" },
		{ 64u << 20, 512, MORTISE_E_BUSY, MORTISE_E_BUSY, "no" },
		{ 64u << 20, 512, MORTISE_E_DEVICE, MORTISE_E_DEVICE, "no" },
	};
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct wish wish = simple();
		struct world world;

		begin(&world, steps);
		world.block.size = cases[i].size;
		world.block.logical = cases[i].logical;
		world.block_code = cases[i].look;
		assert_int_equal(create(&world, &wish), cases[i].code);
		assert_non_null(strstr(wish.err.text, cases[i].text));
		end(&world);
	}
}

static void name_or_uuid_taken(void **state)
{
	static const struct step active[] = { { .request = DM_DEV_STATUS, .name = "t1" }, END };
	static const struct step raced[] = {
		ABSENT,
		ASK(crypt_1_24),
		{ .request = DM_DEV_CREATE, .name = "t1", .uuid = UUID, .sys = EBUSY },
		{ .request = DM_DEV_STATUS, .name = "t1" },
		END
	};
	static const struct step other[] = {
		ABSENT,
		ASK(crypt_1_24),
		{ .request = DM_DEV_CREATE, .name = "t1", .uuid = UUID, .sys = EBUSY },
		ABSENT,
		{ .request = DM_DEV_STATUS, .uuid = UUID, .name_out = "the\\x20other" },
		END
	};
	struct wish wish = simple();

	(void)state;
	create_expect(active, &wish, MORTISE_E_EXISTS);
	assert_string_equal(wish.err.text, "Device t1 already exists.");
	wish = simple();
	create_expect(raced, &wish, MORTISE_E_EXISTS);
	assert_string_equal(wish.err.text, "Device t1 already exists.");
	wish = simple();
	create_expect(other, &wish, MORTISE_E_EXISTS);
	assert_non_null(strstr(wish.err.text, "is already active as the other;"));
}

static void failures_leave_nothing(void **state)
{
	static const struct {
		int sys;
		enum mortise_code create, load, resume;
		const char *text; /* error if the load fails */
	} cases[] = {
		{ EBUSY, 0, MORTISE_E_BUSY, MORTISE_E_SYSTEM,
		  "Cannot use device /dev/ubda which is in use (already mapped or mounted)." },
		{ ENOENT, MORTISE_E_SYSTEM, MORTISE_E_KERNEL, MORTISE_E_SYSTEM,
		  "cipher aes-xts-plain64. Load its modules (modprobe -a crypto-aes crypto-xts)" },
		{ ENXIO, MORTISE_E_INACTIVE, MORTISE_E_DEVICE, MORTISE_E_INACTIVE,
		  "has disappeared" },
		{ EIO, MORTISE_E_SYSTEM, MORTISE_E_SYSTEM, MORTISE_E_SYSTEM, "t1" },
		{ ENOMEM, MORTISE_E_MEMORY, MORTISE_E_MEMORY, MORTISE_E_MEMORY, "t1" },
	};
	const struct step good[] = { ABSENT, ASK(crypt_1_24), CREATE, LOAD(KEYRING_LINE), RESUME };
	struct step steps[8];
	size_t i, failing;

	(void)state;
	for (i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		for (failing = 2; failing < 5; failing++) {
			const enum mortise_code codes[] = { cases[i].create, cases[i].load,
							    cases[i].resume };
			struct wish wish = simple();

			if (!codes[failing - 2])
				continue;
			memset(steps, 0, sizeof(steps));
			memcpy(steps, good, (failing + 1) * sizeof(good[0]));
			steps[failing].sys = cases[i].sys;
			if (failing > 2)
				steps[failing + 1] = (struct step)REMOVE;
			create_expect(steps, &wish, codes[failing - 2]);
			assert_int_equal(wish.err.sys_errno, cases[i].sys);
			assert_int_equal(wish.dropped, 0);
			if (failing == 3)
				assert_non_null(strstr(wish.err.text, cases[i].text));
		}
	}
}

static void refused_in_both_forms(void **state)
{
	static const int refusals[][2] = { { EINVAL, MORTISE_E_KERNEL },
					   { EACCES, MORTISE_E_DEVICE } };
	size_t i;

	(void)state;
	for (i = 0; i < 2; i++) {
		const int sys = refusals[i][0];
		const struct step steps[] = { ABSENT,
					      ASK(crypt_1_24),
					      CREATE,
					      { .request = DM_TABLE_LOAD,
						.name = "t1",
						.flags = DM_SECURE_DATA_FLAG,
						.params = KEYRING_LINE,
						.sys = sys },
					      { .request = DM_TABLE_LOAD,
						.name = "t1",
						.flags = DM_SECURE_DATA_FLAG,
						.params = HEX_LINE,
						.sys = sys },
					      REMOVE,
					      END };
		struct wish wish = simple();

		create_expect(steps, &wish, (enum mortise_code)refusals[i][1]);
		assert_null(strstr(wish.err.text, "01080f16"));
	}
}

/* A process such as blkid keeps the device open: deferred removal is requested. */
static void failure_while_device_is_open(void **state)
{
	const struct step busy = {
		.request = DM_DEV_REMOVE, .name = "t1", .event_nr = UDEV, .sys = EBUSY
	};
	struct step steps[21] = {
		ABSENT,
		ASK(crypt_1_24),
		CREATE,
		LOAD(KEYRING_LINE),
		{ .request = DM_DEV_SUSPEND, .name = "t1", .event_nr = UDEV, .sys = EIO },
	};
	struct wish wish = simple();
	size_t i;

	(void)state;
	for (i = 5; i < 19; i++)
		steps[i] = busy;
	steps[19] = (struct step){
		.request = DM_DEV_REMOVE,
		.name = "t1",
		.event_nr = UDEV,
		.flags = DM_DEFERRED_REMOVE,
		.flags_out = DM_DEFERRED_REMOVE,
	};
	create_expect(steps, &wish, MORTISE_E_SYSTEM);
}

static void remove_busy(void **state)
{
	const struct step busy = {
		.request = DM_DEV_REMOVE, .name = "t1", .event_nr = UDEV, .sys = EBUSY
	};
	struct step steps[16] = { { .request = DM_DEV_STATUS, .name = "t1" } };
	struct mortise_error err;
	struct world world;
	size_t i;

	(void)state;
	for (i = 1; i <= 14; i++)
		steps[i] = busy;
	begin(&world, steps);
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_NOW, &err), MORTISE_E_BUSY);
	assert_non_null(strstr(err.text, "Device t1 is still in use."));
	assert_int_equal(err.sys_errno, EBUSY);
	assert_int_equal(world.pauses, 13);
	end(&world);
	/* A signal ends the waiting. */
	memset(&steps[2], 0, sizeof(steps[2]));
	begin(&world, steps);
	world.interrupted = true;
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_NOW, &err), MORTISE_E_BUSY);
	end(&world);
	/* The third attempt succeeds. */
	steps[2] = busy;
	memset(&steps[4], 0, sizeof(steps[4]));
	steps[3].sys = 0;
	begin(&world, steps);
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_NOW, &err), MORTISE_OK);
	assert_int_equal(world.pauses, 2);
	end(&world);
}

static void remove_deferred(void **state)
{
	static const struct step steps[] = { { .request = DM_DEV_STATUS, .name = "t1" },
					     { .request = DM_DEV_REMOVE,
					       .name = "t1",
					       .event_nr = UDEV,
					       .flags = DM_DEFERRED_REMOVE,
					       .flags_out = DM_DEFERRED_REMOVE },
					     END };
	static const struct step status[] = { { .request = DM_DEV_STATUS, .name = "t1" }, END };
	static const struct step cancel[] = { { .request = DM_DEV_STATUS, .name = "t1" },
					      { .request = DM_TARGET_MSG,
						.name = "t1",
						.flags = DM_SECURE_DATA_FLAG,
						.message = "@cancel_deferred_remove" },
					      END };
	static const struct step absent[] = { ABSENT, END };
	struct mortise_error err;
	struct world world;

	(void)state;
	begin(&world, steps);
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_DEFERRED, &err), MORTISE_OK);
	end(&world);
	begin_minor(&world, status, 26);
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_DEFERRED, &err),
			 MORTISE_E_KERNEL);
	assert_non_null(strstr(err.text, "Requested deferred flag is not supported."));
	end(&world);
	begin(&world, cancel);
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_CANCEL_DEFERRED, &err),
			 MORTISE_OK);
	end(&world);
	begin(&world, absent);
	assert_int_equal(dm_remove(world.control, "t1", DM_REMOVE_NOW, &err), MORTISE_E_INACTIVE);
	assert_string_equal(err.text, "Device t1 is not active.");
	end(&world);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(create_with_keyring),
		cmocka_unit_test(create_hidden_readonly),
		cmocka_unit_test(keyring_refused_by_the_system),
		cmocka_unit_test(keyring_refused_by_dm_crypt),
		cmocka_unit_test(keyring_not_asked_for),
		cmocka_unit_test(options_are_dropped),
		cmocka_unit_test(old_kernel),
		cmocka_unit_test(missing_kernel_features),
		cmocka_unit_test(device_below),
		cmocka_unit_test(name_or_uuid_taken),
		cmocka_unit_test(failures_leave_nothing),
		cmocka_unit_test(refused_in_both_forms),
		cmocka_unit_test(failure_while_device_is_open),
		cmocka_unit_test(remove_busy),
		cmocka_unit_test(remove_deferred),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
