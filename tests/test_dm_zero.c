/* SPDX-License-Identifier: MIT */
/* Mappings of the zero target, with a mock kernel: a table of ioctls and answers. */
#include "dm_mock.h"

#define UDEV_HIDDEN 0x6e0000u
#define SIZE	    (32u << 20)

static const struct version_record zero_1_2 = { 0, { 1, 2, 0 }, "zero" };

#define ASK_ZERO                                                                     \
	{                                                                            \
		.request = DM_GET_TARGET_VERSION, .name = "zero", .data = &zero_1_2, \
		.size = sizeof(zero_1_2)                                             \
	}
#define CREATE                                         \
	{                                              \
		.request = DM_DEV_CREATE, .name = "t1" \
	}
#define LOAD                                                                           \
	{                                                                              \
		.request = DM_TABLE_LOAD, .name = "t1", .params = "", .target = "zero" \
	}
#define RESUME                                                                   \
	{                                                                        \
		.request = DM_DEV_SUSPEND, .name = "t1", .event_nr = UDEV_HIDDEN \
	}
#define REMOVE                                                           \
	{                                                                \
		.request = DM_DEV_REMOVE, .name = "t1", .event_nr = UDEV \
	}

static void expect(const struct step *steps, uint64_t size, enum mortise_code code)
{
	struct mortise_error err = { 0 };
	struct world world;

	begin(&world, steps);
	assert_int_equal(dm_zero_create(world.control, "t1", size, &err), code);
	assert_int_equal(err.code, code);
	end(&world);
}

static void made(void **state)
{
	static const struct step steps[] = { ASK_ZERO, CREATE, LOAD, RESUME, END };

	(void)state;
	expect(steps, SIZE, MORTISE_OK);
}

static void target_not_there(void **state)
{
	static const struct step steps[] = {
		{ .request = DM_GET_TARGET_VERSION, .name = "zero", .sys = EINVAL }, END
	};

	(void)state;
	expect(steps, SIZE, MORTISE_E_KERNEL);
}

static void name_taken(void **state)
{
	static const struct step steps[] = {
		ASK_ZERO, { .request = DM_DEV_CREATE, .name = "t1", .sys = EBUSY }, END
	};

	(void)state;
	expect(steps, SIZE, MORTISE_E_EXISTS);
}

/* After a failed resume, the mapping is removed. */
static void resume_fails(void **state)
{
	static const struct step steps[] = {
		ASK_ZERO,
		CREATE,
		LOAD,
		{ .request = DM_DEV_SUSPEND, .name = "t1", .event_nr = UDEV_HIDDEN, .sys = EIO },
		REMOVE,
		END
	};

	(void)state;
	expect(steps, SIZE, MORTISE_E_SYSTEM);
}

static void size_refused(void **state)
{
	static const struct step steps[] = { END };

	(void)state;
	expect(steps, 0, MORTISE_E_USAGE);
	expect(steps, 512, MORTISE_E_USAGE);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(made),		cmocka_unit_test(target_not_there),
		cmocka_unit_test(name_taken),	cmocka_unit_test(resume_fails),
		cmocka_unit_test(size_refused),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
