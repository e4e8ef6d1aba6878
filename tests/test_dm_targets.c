/* SPDX-License-Identifier: MIT */
/* Tables of several targets: loading, replacing, reading, and holding the I/O of a mapping. */
#include "dm_mock.h"

#define CRYPT_LINE  "aes-xts-plain64 :4:logon:" KEY_NAME " 16 98:0 32768 1 allow_discards"
#define UNFROZEN    (DM_SKIP_LOCKFS_FLAG | DM_NOFLUSH_FLAG)
#define UDEV_HIDDEN 0x6e0000u

/* 8 MiB encrypted, 4 MiB plain, and the rest encrypted. */
static struct dm_crypt_target parts[3];

static void make_parts(const struct mortise_secret *key)
{
	for (int i = 0; i < 3; i++)
		parts[i] = (struct dm_crypt_target){
			.cipher = i == 1 ? NULL : "aes-xts-plain64",
			.key = key,
			.key_description = KEY_NAME,
			.device = "/dev/ubda",
			.device_offset = 16u << 20,
			.size = 8u << 20,
			.iv_offset = 16,
			.sector_size = 512,
			.flags = DM_CRYPT_ALLOW_DISCARDS,
			.next = i < 2 ? &parts[i + 1] : NULL,
		};
	parts[1].size = 4u << 20;
}

static void check_three(const struct dm_ioctl *header)
{
	static const struct {
		uint64_t start, length;
		const char *type, *params;
	} expected[] = { { 0, 16384, "crypt", CRYPT_LINE },
			 { 16384, 8192, "linear", "98:0 32768" },
			 { 24576, 16384, "crypt", CRYPT_LINE } };
	const uint8_t *at = (const uint8_t *)header + header->data_start;
	struct dm_target_spec spec;

	assert_int_equal(header->target_count, 3);
	for (int i = 0; i < 3; i++) {
		memcpy(&spec, at, sizeof(spec));
		assert_int_equal(spec.sector_start, expected[i].start);
		assert_int_equal(spec.length, expected[i].length);
		assert_string_equal(spec.target_type, expected[i].type);
		assert_string_equal((const char *)at + sizeof(spec), expected[i].params);
		/* In a request it counts from the target itself. */
		assert_int_equal(spec.next % 8, 0);
		assert_true(spec.next > sizeof(spec) + strlen(expected[i].params));
		at += spec.next;
	}
}

static enum mortise_code switch_to(const struct step *steps, bool hidden)
{
	struct mortise_secret *key;
	struct world world;
	enum mortise_code code;

	assert_int_equal(mortise_secret_from("\x01\x08\x0f\x16", 4, &key, NULL), MORTISE_OK);
	make_parts(key);
	begin(&world, steps);
	code = dm_crypt_switch(world.control, "t1", parts, hidden, NULL);
	end(&world);
	mortise_secret_free(&key);
	return code;
}

#define PRESENT                                        \
	{                                              \
		.request = DM_DEV_STATUS, .name = "t1" \
	}
#define LOAD_THREE                                                                    \
	{                                                                             \
		.request = DM_TABLE_LOAD, .name = "t1", .flags = DM_SECURE_DATA_FLAG, \
		.check = check_three                                                  \
	}

static void replaced_without_a_freeze(void **state)
{
	static const struct step steps[] = {
		PRESENT,
		ASK(crypt_1_24),
		LOAD_THREE,
		{ .request = DM_DEV_SUSPEND, .name = "t1", .flags = UNFROZEN, .event_nr = UDEV },
		END
	};
	static const struct step hidden[] = { PRESENT,
					      ASK(crypt_1_24),
					      LOAD_THREE,
					      { .request = DM_DEV_SUSPEND,
						.name = "t1",
						.flags = UNFROZEN,
						.event_nr = UDEV_HIDDEN },
					      END };

	(void)state;
	assert_int_equal(switch_to(steps, false), MORTISE_OK);
	assert_int_equal(switch_to(hidden, true), MORTISE_OK);
}

/* The new table is dropped, and the old one stays. */
static void replace_fails(void **state)
{
	static const struct step steps[] = { PRESENT,
					     ASK(crypt_1_24),
					     LOAD_THREE,
					     { .request = DM_DEV_SUSPEND,
					       .name = "t1",
					       .flags = UNFROZEN,
					       .event_nr = UDEV,
					       .sys = EIO },
					     { .request = DM_TABLE_CLEAR, .name = "t1" },
					     END };
	static const struct step absent[] = {
		{ .request = DM_DEV_STATUS, .name = "t1", .sys = ENXIO }, END
	};

	(void)state;
	assert_int_equal(switch_to(steps, false), MORTISE_E_SYSTEM);
	assert_int_equal(switch_to(absent, false), MORTISE_E_INACTIVE);
}

static void too_many(void **state)
{
	static const struct step steps[] = { END };
	struct dm_crypt_target many[DM_TARGETS_MAX + 1];
	struct world world;

	(void)state;
	for (unsigned i = 0; i <= DM_TARGETS_MAX; i++)
		many[i] = (struct dm_crypt_target){ .device = "/dev/ubda",
						    .size = 1u << 20,
						    .next = i < DM_TARGETS_MAX ? &many[i + 1]
									       : NULL };
	begin(&world, steps);
	assert_int_equal(dm_crypt_switch(world.control, "t1", many, false, NULL),
			 MORTISE_E_UNSUPPORTED);
	end(&world);
}

static void held_and_released(void **state)
{
	static const struct step steps[] = {
		{ .request = DM_DEV_SUSPEND,
		  .name = "t1",
		  .flags = DM_SUSPEND_FLAG | UNFROZEN,
		  .event_nr = UDEV_HIDDEN },
		{ .request = DM_DEV_SUSPEND, .name = "t1", .event_nr = UDEV_HIDDEN },
		{ .request = DM_DEV_SUSPEND,
		  .name = "t1",
		  .flags = DM_SUSPEND_FLAG | UNFROZEN,
		  .event_nr = UDEV_HIDDEN,
		  .sys = ENXIO },
		{ .request = DM_TABLE_LOAD, .name = "t1", .params = "", .target = "error" },
		{ .request = DM_DEV_SUSPEND, .name = "t1", .event_nr = UDEV_HIDDEN },
		END
	};
	struct world world;

	(void)state;
	begin(&world, steps);
	assert_int_equal(dm_hold(world.control, "t1", NULL), MORTISE_OK);
	assert_int_equal(dm_release(world.control, "t1", NULL), MORTISE_OK);
	assert_int_equal(dm_hold(world.control, "t1", NULL), MORTISE_E_INACTIVE);
	assert_int_equal(dm_fail_io(world.control, "t1", 32u << 20, NULL), MORTISE_OK);
	end(&world);
}

/* Targets in the format of DM_TABLE_STATUS: next counts from the first one. */
struct status_record {
	struct dm_target_spec spec;
	char params[88];
};

#define STATUS(records, count)                                                         \
	{                                                                              \
		.request = DM_TABLE_STATUS, .name = "t1", .target_count = (count),     \
		.flags = DM_STATUS_TABLE_FLAG | DM_NOFLUSH_FLAG | DM_SECURE_DATA_FLAG, \
		.data = &(records), .size = sizeof(records)                            \
	}
#define NEXT(i)	 ((i) * sizeof(struct status_record))
#define HEX_LINE "aes-xts-plain64 01080f16 0 98:0 32768"

static enum mortise_code read_tables(const struct status_record *records, size_t size,
				     unsigned count, struct dm_crypt_table tables[DM_TARGETS_MAX],
				     size_t *read)
{
	struct step steps[] = { STATUS(*records, count), END };
	struct world world;
	enum mortise_code code;

	steps[0].size = (uint32_t)size;
	begin(&world, steps);
	code = dm_crypt_tables(world.control, "t1", tables, read, NULL);
	end(&world);
	return code;
}

static void tables_read(void **state)
{
	static const struct status_record records[] = {
		{ { .length = 16384, .target_type = "crypt", .next = NEXT(1) },
		  HEX_LINE " 1 allow_discards" },
		{ { .length = 8192, .target_type = "linear", .next = NEXT(2) }, "254:3 16384" },
		{ { .length = 40960, .target_type = "crypt", .next = NEXT(3) }, HEX_LINE },
	};
	struct dm_crypt_table tables[DM_TARGETS_MAX];
	size_t count;

	(void)state;
	assert_int_equal(read_tables(records, sizeof(records), 3, tables, &count), MORTISE_OK);
	assert_int_equal(count, 3);
	assert_int_equal(tables[0].size, 8u << 20);
	assert_int_equal(tables[0].flags, DM_CRYPT_ALLOW_DISCARDS);
	assert_string_equal(tables[1].cipher, "");
	assert_int_equal(tables[1].device, makedev(254, 3));
	assert_int_equal(tables[1].device_offset, 8u << 20);
	assert_int_equal(tables[1].size, 4u << 20);
	assert_memory_equal(mortise_secret_data(tables[2].key), "\x01\x08\x0f\x16", 4);
	dm_crypt_tables_clear(tables);
	assert_null(tables[2].key);
}

static void tables_refused(void **state)
{
	static const struct status_record good = {
		{ .length = 8, .target_type = "linear", .next = NEXT(1) }, "8:0 0"
	};
	static const struct {
		struct status_record second;
		unsigned count;
		enum mortise_code code;
	} cases[] = {
		{ { { .length = 8, .target_type = "linear" }, "8:0 0" }, 2, MORTISE_OK },
		{ { { .length = 8, .target_type = "zero" }, "" }, 2, MORTISE_E_UNSUPPORTED },
		{ { { .length = 8, .target_type = "linear" }, "8:0" }, 2, MORTISE_E_UNSUPPORTED },
		{ { { .length = 8, .target_type = "linear" }, "8:0 99999999999999999999" },
		  2,
		  MORTISE_E_UNSUPPORTED },
		{ { { .length = UINT64_MAX, .target_type = "linear" }, "8:0 0" },
		  2,
		  MORTISE_E_SYSTEM },
		{ { { .length = 8, .target_type = "linear", .next = 4096 }, "8:0 0" },
		  3,
		  MORTISE_E_SYSTEM },
		{ { { .length = 8, .target_type = "linear" }, "8:0 0" }, 9, MORTISE_E_UNSUPPORTED },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		const struct status_record records[] = { good, cases[i].second };
		struct dm_crypt_table tables[DM_TARGETS_MAX];
		size_t count;
		enum mortise_code code =
			read_tables(records, sizeof(records), cases[i].count, tables, &count);

		if (code != cases[i].code)
			fail_msg("case %zu: code %d", i, code);
		dm_crypt_tables_clear(tables);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(replaced_without_a_freeze),
		cmocka_unit_test(replace_fails),
		cmocka_unit_test(too_many),
		cmocka_unit_test(held_and_released),
		cmocka_unit_test(tables_read),
		cmocka_unit_test(tables_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
