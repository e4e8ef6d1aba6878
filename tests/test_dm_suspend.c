/* SPDX-License-Identifier: MIT */
/* Suspending without the key and resuming, with a mock kernel: a table of ioctls and answers. */
#include "dm_mock.h"

#define KEY_HEX    \
	"01080f16" \
	"1d242b32" \
	"3940474e" \
	"555c636a"
#define SUSPEND(error)                                                                            \
	{                                                                                         \
		.request = DM_DEV_SUSPEND, .name = "t1", .flags = DM_SUSPEND_FLAG, .sys = (error) \
	}
#define RESUME(error)                                                                     \
	{                                                                                 \
		.request = DM_DEV_SUSPEND, .name = "t1", .event_nr = UDEV, .sys = (error) \
	}
#define MESSAGE(text, error)                                                          \
	{                                                                             \
		.request = DM_TARGET_MSG, .name = "t1", .flags = DM_SECURE_DATA_FLAG, \
		.message = (text), .sys = (error)                                     \
	}
#define WIPE(error) MESSAGE("key wipe", error)
#define BY_KEYRING  "key set :16:logon:" KEY_NAME
#define BY_TABLE    "key set " KEY_HEX

static void suspends(const struct step *steps, enum mortise_code code)
{
	struct mortise_error err = { 0 };
	struct world world;

	begin(&world, steps);
	assert_int_equal(dm_crypt_suspend(world.control, "t1", &err), code);
	assert_int_equal(err.code, code);
	end(&world);
}

/* Returns how many keys were added to the keyring. */
static unsigned resumes(const struct step *steps, const char *cipher, bool keyring, int key_sys,
			enum mortise_code code)
{
	struct dm_crypt_target target = { .cipher = cipher,
					  .key_description = keyring ? KEY_NAME : NULL };
	struct mortise_error err = { 0 };
	struct mortise_secret *key;
	struct world world;

	assert_int_equal(mortise_secret_new(16, &key, NULL), MORTISE_OK);
	for (unsigned i = 0; i < 16; i++)
		mortise_secret_writable(key)[i] = (uint8_t)(1 + 7 * i);
	target.key = key;
	begin(&world, steps);
	world.key_sys = key_sys;
	assert_int_equal(dm_crypt_resume(world.control, "t1", &target, &err), code);
	assert_int_equal(err.code, code);
	end(&world);
	mortise_secret_free(&key);
	return world.keys_added;
}

static void suspend_and_wipe(void **state)
{
	static const struct step steps[] = { SUSPEND(0), WIPE(0), END };
	static const struct step busy[] = { SUSPEND(EBUSY), END };
	static const struct step absent[] = { SUSPEND(ENXIO), END };

	(void)state;
	suspends(steps, MORTISE_OK);
	suspends(busy, MORTISE_E_SYSTEM);
	suspends(absent, MORTISE_E_INACTIVE);
}

/* A mapping that keeps its key must not look as if it had none. */
static void key_not_wiped(void **state)
{
	static const struct step steps[] = { SUSPEND(0), WIPE(EINVAL), RESUME(0), END };
	static const struct step twice[] = { SUSPEND(0), WIPE(EINVAL), RESUME(EIO), END };

	(void)state;
	suspends(steps, MORTISE_E_SYSTEM);
	suspends(twice, MORTISE_E_SYSTEM);
}

static void resume_by_keyring(void **state)
{
	static const struct step steps[] = { MESSAGE(BY_KEYRING, 0), RESUME(0), END };

	(void)state;
	assert_int_equal(resumes(steps, "aes-cbc-essiv:sha256", true, 0, MORTISE_OK), 1);
}

static void resume_by_table(void **state)
{
	static const struct step steps[] = { MESSAGE(BY_TABLE, 0), RESUME(0), END };
	static const struct step null[] = { MESSAGE("key set -", 0), RESUME(0), END };

	(void)state;
	assert_int_equal(resumes(steps, "aes-cbc-essiv:sha256", false, 0, MORTISE_OK), 0);
	assert_int_equal(resumes(steps, "aes-cbc-essiv:sha256", true, EDQUOT, MORTISE_OK), 0);
	assert_int_equal(resumes(null, "cipher_null-ecb", true, 0, MORTISE_OK), 0);
}

static void keyring_refused_by_dm_crypt(void **state)
{
	static const struct step steps[] = { MESSAGE(BY_KEYRING, EINVAL), MESSAGE(BY_TABLE, 0),
					     RESUME(0), END };
	static const struct step both[] = { MESSAGE(BY_KEYRING, EINVAL), MESSAGE(BY_TABLE, EINVAL),
					    END };
	static const struct step absent[] = { MESSAGE(BY_KEYRING, ENXIO), END };

	(void)state;
	assert_int_equal(resumes(steps, "aes-cbc-essiv:sha256", true, 0, MORTISE_OK), 1);
	assert_int_equal(resumes(both, "aes-cbc-essiv:sha256", true, 0, MORTISE_E_SYSTEM), 1);
	assert_int_equal(resumes(absent, "aes-cbc-essiv:sha256", true, 0, MORTISE_E_INACTIVE), 1);
}

/* The key does not stay in a mapping that stays suspended. */
static void resume_fails(void **state)
{
	static const struct step steps[] = { MESSAGE(BY_KEYRING, 0), RESUME(EIO), WIPE(0), END };

	(void)state;
	resumes(steps, "aes-cbc-essiv:sha256", true, 0, MORTISE_E_SYSTEM);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(suspend_and_wipe),
		cmocka_unit_test(key_not_wiped),
		cmocka_unit_test(resume_by_keyring),
		cmocka_unit_test(resume_by_table),
		cmocka_unit_test(keyring_refused_by_dm_crypt),
		cmocka_unit_test(resume_fails),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
