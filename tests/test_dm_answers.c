/* SPDX-License-Identifier: MIT */
/* Parsing the kernel's answers about mappings, valid and hostile ones. */
#include "dm_mock.h"

#include <unistd.h>

#define HEX_LINE "aes-xts-plain64 01080f16 0 98:0 32768"

static void fill_name(struct dm_ioctl *header)
{
	memset(header->name, 'n', sizeof(header->name));
	memset(header->uuid, 'u', sizeof(header->uuid));
}

static void info(void **state)
{
	static const struct step steps[] = {
		{ .request = DM_DEV_STATUS,
		  .name = "a\\x20b",
		  .target_count = 1,
		  .open_count = 2,
		  .flags_out = DM_READONLY_FLAG | DM_SUSPEND_FLAG | DM_DEFERRED_REMOVE |
			       DM_ACTIVE_PRESENT_FLAG,
		  .name_out = "a\\x20b",
		  .uuid_out = "CRYPT-LUKS2-x-a\\x20b" },
		{ .request = DM_DEV_STATUS, .name = "t1", .open_count = -1, .spoil = fill_name },
		END
	};
	struct dm_info info;
	struct world world;

	(void)state;
	begin(&world, steps);
	assert_int_equal(dm_info(world.control, "a b", &info, NULL), MORTISE_OK);
	assert_string_equal(info.name, "a b");
	assert_string_equal(info.uuid, "CRYPT-LUKS2-x-a b");
	assert_int_equal(info.device, makedev(254, 0));
	assert_int_equal(info.open_count, 2);
	assert_int_equal(info.target_count, 1);
	assert_true(info.readonly && info.suspended && info.deferred_remove && info.has_table);
	assert_int_equal(dm_info(world.control, "t1", &info, NULL), MORTISE_OK);
	assert_int_equal(strlen(info.name), 127);
	assert_int_equal(strlen(info.uuid), 128);
	assert_int_equal(info.open_count, 0);
	assert_false(info.readonly || info.suspended || info.deferred_remove || info.has_table);
	end(&world);
}

static void data_size_beyond_room(struct dm_ioctl *header)
{
	header->data_size = 0xffffffff;
}

static void data_start_beyond_size(struct dm_ioctl *header)
{
	header->data_start = header->data_size + 1;
}

static void data_start_in_header(struct dm_ioctl *header)
{
	header->data_start = 8;
}

/* A target in the format of DM_TABLE_STATUS. */
struct status_record {
	struct dm_target_spec spec;
	char params[80];
};

#define STATUS(record)                                                                 \
	{                                                                              \
		.request = DM_TABLE_STATUS, .name = "t1", .target_count = 1,           \
		.flags = DM_STATUS_TABLE_FLAG | DM_NOFLUSH_FLAG | DM_SECURE_DATA_FLAG, \
		.data = &(record), .size = sizeof(record)                              \
	}

static void table(void **state)
{
	static const struct status_record crypt = { { .length = 65536, .target_type = "crypt" },
						    HEX_LINE " 1 allow_discards" };
	static const struct step steps[] = { STATUS(crypt), END };
	struct dm_crypt_table table;
	struct world world;

	(void)state;
	begin(&world, steps);
	assert_int_equal(dm_crypt_table(world.control, "t1", &table, NULL), MORTISE_OK);
	assert_string_equal(table.cipher, "aes-xts-plain64");
	assert_int_equal(table.size, 32u << 20);
	assert_int_equal(table.device_offset, 16u << 20);
	assert_int_equal(table.flags, DM_CRYPT_ALLOW_DISCARDS);
	assert_memory_equal(mortise_secret_data(table.key), "\x01\x08\x0f\x16", 4);
	dm_crypt_table_clear(&table);
	assert_null(table.key);
	end(&world);
}

static void table_refused(void **state)
{
	static const struct status_record linear = { { .length = 8, .target_type = "linear" },
						     "8:0 0" };
	static const struct status_record crypt = { { .length = 65536, .target_type = "crypt" },
						    HEX_LINE };
	static const struct status_record huge = { { .length = UINT64_MAX, .target_type = "crypt" },
						   HEX_LINE };
	static const struct status_record unknown = { { .length = 8, .target_type = "crypt" },
						      HEX_LINE " 1 unheard_of" };
	static struct status_record endless, nameless;
	static const struct step good = STATUS(crypt);
	struct step steps[] = { STATUS(linear),
				STATUS(crypt),
				STATUS(crypt),
				STATUS(huge),
				STATUS(unknown),
				STATUS(endless),
				STATUS(nameless),
				good,
				good,
				good,
				good,
				END };
	static const enum mortise_code codes[] = {
		MORTISE_E_UNSUPPORTED, MORTISE_E_UNSUPPORTED, MORTISE_E_UNSUPPORTED,
		MORTISE_E_SYSTEM,      MORTISE_E_UNSUPPORTED, MORTISE_E_SYSTEM,
		MORTISE_E_UNSUPPORTED, MORTISE_E_SYSTEM,      MORTISE_E_SYSTEM,
		MORTISE_E_SYSTEM,      MORTISE_E_SYSTEM,
	};
	struct dm_crypt_table table;
	struct mortise_error err;
	struct world world;
	size_t i;

	(void)state;
	memset(&endless, 'x', sizeof(endless));
	endless.spec.length = 8;
	memset(&nameless, 0, sizeof(nameless));
	memset(nameless.spec.target_type, 'x', sizeof(nameless.spec.target_type));
	steps[1].target_count = 3;
	steps[2].target_count = 0;
	steps[7].spoil = data_size_beyond_room;
	steps[8].spoil = data_start_beyond_size;
	steps[9].spoil = data_start_in_header;
	steps[10].size = sizeof(struct dm_target_spec) - 1;
	begin(&world, steps);
	for (i = 0; i < sizeof(codes) / sizeof(codes[0]); i++) {
		assert_int_equal(dm_crypt_table(world.control, "t1", &table, &err), codes[i]);
		assert_null(table.key);
		assert_int_equal(err.code, codes[i]);
		if (i == 0)
			assert_string_equal(err.text, "Device t1 is not a dm-crypt target, but "
						      "\"linear\".");
	}
	end(&world);
}

/* struct dm_name_list; the next record is 8-byte aligned. */
struct name_record {
	uint64_t device;
	uint32_t next;
	char name[12];
};

struct names {
	unsigned count, stop_at;
	char text[64];
};

static bool collect(void *context, const char *name, dev_t device)
{
	struct names *names = context;
	size_t used = strlen(names->text);

	assert_int_equal(major(device), 254);
	snprintf(names->text + used, sizeof(names->text) - used, "%s,", name);
	return ++names->count != names->stop_at;
}

static void list(void **state)
{
	static const struct name_record two[] = { { 0xfe00, sizeof(struct name_record), "one" },
						  { 0xfe01, 0, "t\\x20w" } };
	static const struct name_record none = { 0, 0, "" };
	static const struct step steps[] = {
		{ .request = DM_LIST_DEVICES, .data = two, .size = sizeof(two) },
		{ .request = DM_LIST_DEVICES, .data = two, .size = sizeof(two) },
		{ .request = DM_LIST_DEVICES },
		{ .request = DM_LIST_DEVICES, .data = &none, .size = sizeof(none) },
		END
	};
	struct names names = { .count = 0 };
	struct world world;

	(void)state;
	begin(&world, steps);
	assert_int_equal(dm_list(world.control, collect, &names, NULL), MORTISE_OK);
	assert_string_equal(names.text, "one,t w,");
	names = (struct names){ .stop_at = 1 };
	assert_int_equal(dm_list(world.control, collect, &names, NULL), MORTISE_OK);
	assert_string_equal(names.text, "one,");
	names = (struct names){ .count = 0 };
	assert_int_equal(dm_list(world.control, collect, &names, NULL), MORTISE_OK);
	assert_int_equal(dm_list(world.control, collect, &names, NULL), MORTISE_OK);
	assert_int_equal(names.count, 0);
	end(&world);
}

static void list_hostile(void **state)
{
	static const uint32_t nexts[] = { 1, 11, 12, 25, 37, 1000000, 0xffffffff, 0xfffffff8 };
	static struct name_record endless;
	struct name_record one = { 0xfe00, 0, "one" };
	const struct step steps[] = {
		{ .request = DM_LIST_DEVICES, .data = &one, .size = sizeof(one) }, END
	};
	const struct step unended[] = {
		{ .request = DM_LIST_DEVICES, .data = &endless, .size = sizeof(endless) }, END
	};
	struct world world;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(nexts) / sizeof(nexts[0]); i++) {
		struct names names = { .count = 0 };

		one.next = nexts[i];
		begin(&world, steps);
		assert_int_equal(dm_list(world.control, collect, &names, NULL), MORTISE_E_SYSTEM);
		end(&world);
	}
	memset(&endless, 'x', sizeof(endless));
	begin(&world, unended);
	assert_int_equal(dm_list(world.control, collect, NULL, NULL), MORTISE_E_SYSTEM);
	end(&world);
}

static void versions_hostile(void **state)
{
	static const uint32_t nexts[] = { 0, 1, 8, 16, 17, 1000000, 0xffffffff };
	/* With 8 for next, "crypt" is at the position of a name. */
	struct version_record other = { 0, { 9, 9, 9 }, "other\0\0\0crypt" };
	struct version_record unended = { 0, { 9, 9, 9 }, "crypt" };
	const struct step steps[] = { { .request = DM_GET_TARGET_VERSION,
					.name = "crypt",
					.data = &other,
					.size = sizeof(other) },
				      END };
	const struct step cut[] = { { .request = DM_GET_TARGET_VERSION,
				      .name = "crypt",
				      .data = &unended,
				      .size = offsetof(struct version_record, name) + 5 },
				    END };
	struct mortise_error err;
	uint32_t version[3];
	struct world world;
	size_t i;

	(void)state;
	for (i = 0; i < sizeof(nexts) / sizeof(nexts[0]); i++) {
		other.next = nexts[i];
		begin(&world, steps);
		assert_int_equal(dm_target_version(world.control, "crypt", version, &err),
				 MORTISE_E_KERNEL);
		end(&world);
	}
	begin(&world, cut);
	assert_int_equal(dm_target_version(world.control, "crypt", version, &err),
			 MORTISE_E_KERNEL);
	end(&world);
}

static void version(void **state)
{
	static const struct step steps[] = { ASK(crypt_1_24), END };
	static const struct step old[] = {
		{ .request = DM_GET_TARGET_VERSION, .name = "zero", .sys = ENOTTY },
		{ .request = DM_LIST_VERSIONS, .data = versions_old, .size = sizeof(versions_old) },
		END
	};
	uint32_t version[3];
	struct world world;

	(void)state;
	begin(&world, steps);
	assert_int_equal(dm_target_version(world.control, "crypt", version, NULL), MORTISE_OK);
	assert_int_equal(version[0], 1);
	assert_int_equal(version[1], 24);
	assert_int_equal(version[2], 0);
	end(&world);
	begin(&world, old);
	assert_int_equal(dm_target_version(world.control, "zero", version, NULL), MORTISE_E_KERNEL);
	end(&world);
}

/* If the answer does not fit, the buffer grows, and the request is repeated. */
struct growing {
	uint32_t enough, largest;
	unsigned calls;
};

static int growing_ioctl(void *context, unsigned long request, struct dm_ioctl *header)
{
	static const struct name_record one = { 0xfe00, 0, "one" };
	struct growing *growing = context;

	if (request == DM_VERSION)
		return 0;
	growing->calls++;
	assert_int_equal(request, DM_LIST_DEVICES);
	assert_int_equal(header->flags, 0);
	assert_int_equal(header->event_nr, 0);
	assert_int_equal(header->data_start, DATA);
	assert_true(header->data_size > growing->largest);
	growing->largest = header->data_size;
	header->event_nr = 7;
	header->dev = 1;
	if (header->data_size < growing->enough) {
		header->flags = DM_BUFFER_FULL_FLAG;
		return 0;
	}
	memcpy((uint8_t *)header + header->data_size - sizeof(one), &one, sizeof(one));
	header->data_start = header->data_size - (uint32_t)sizeof(one);
	return 0;
}

static void buffer_grows(void **state)
{
	struct growing growing = { .enough = 200000 };
	const struct dm_kernel kernel = { growing_ioctl, &growing };
	struct names names = { .count = 0 };
	struct dm_control *control;
	struct mortise_error err;

	(void)state;
	assert_int_equal(dm_open_kernel(&kernel, &control, NULL), MORTISE_OK);
	assert_int_equal(dm_list(control, collect, &names, &err), MORTISE_OK);
	assert_string_equal(names.text, "one,");
	assert_int_equal(growing.calls, 5);
	growing = (struct growing){ .enough = UINT32_MAX };
	assert_int_equal(dm_list(control, collect, &names, &err), MORTISE_E_SYSTEM);
	assert_int_equal(err.sys_errno, E2BIG);
	assert_true(growing.largest <= 4u << 20);
	dm_close(control);
}

static int failing_ioctl(void *context, unsigned long request, struct dm_ioctl *header)
{
	const int *sys = context;

	(void)request;
	header->version[0] = 3;
	return *sys;
}

static void no_device_mapper(void **state)
{
	int sys = ENOTTY;
	const struct dm_kernel kernel = { failing_ioctl, &sys };
	struct dm_control *control;
	struct mortise_error err;

	(void)state;
	assert_int_equal(dm_open_kernel(&kernel, &control, &err),
			 geteuid() ? MORTISE_E_DEVICE : MORTISE_E_KERNEL);
	assert_non_null(strstr(err.text, "Cannot initialize device-mapper"));
	assert_null(control);
	sys = EACCES;
	assert_int_equal(dm_open_kernel(&kernel, &control, &err), MORTISE_E_DEVICE);
	sys = 0;
	assert_int_equal(dm_open_kernel(&kernel, &control, &err), MORTISE_E_KERNEL);
	assert_non_null(strstr(err.text, "version 3"));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(info),
		cmocka_unit_test(table),
		cmocka_unit_test(table_refused),
		cmocka_unit_test(list),
		cmocka_unit_test(list_hostile),
		cmocka_unit_test(versions_hostile),
		cmocka_unit_test(version),
		cmocka_unit_test(buffer_grows),
		cmocka_unit_test(no_device_mapper),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
