/* SPDX-License-Identifier: MIT */
/* Types of integrity, their ciphers in both notations, and dm-integrity with a mock kernel. */
#include "dm_mock.h"

#include "luks2/integrity.h"
#include "volume/integrity.h"
#include "volume/integrity_cipher.h"

#define UUID	    "CRYPT-INTEGRITY-1234567890abcdef1234567890abcdef-t1"
#define UDEV_HIDDEN 0x6e0000u

/* What cryptsetup 2.6.1 makes of these in Linux 6.1. Sizes in bytes. */
static const struct form {
	const char *option, *type, *cipher;
	uint32_t key_size, mac_key_size;
	const char *tags, *capi;
} forms[] = {
	{ "hmac-sha256", "hmac(sha256)", "aes-xts-plain64", 96, 32, "32:aead",
	  "capi:authenc(hmac(sha256),xts(aes))-plain64" },
	{ "hmac-sha512", "hmac(sha512)", "aes-xts-random", 128, 64, "80:aead",
	  "capi:authenc(hmac(sha512),xts(aes))-random" },
	{ "hmac-sha1", "hmac(sha1)", "aes-cbc-essiv:sha256", 52, 20, "20:aead",
	  "capi:authenc(hmac(sha1),cbc(aes))-essiv:sha256" },
	{ "cmac-aes", "cmac(aes)", "aes-xts-plain64", 80, 16, "16:aead",
	  "capi:authenc(cmac(aes),xts(aes))-plain64" },
	{ "aead", "aead", "aes-gcm-random", 32, 0, "28:aead", "capi:gcm(aes)-random" },
	{ "aead", "aead", "aes-ccm-random", 35, 0, "24:aead", "capi:rfc4309(ccm(aes))-random" },
	{ "aead", "aead", "aegis128-random", 16, 0, "32:aead", "capi:aegis128-random" },
	{ "poly1305", "poly1305", "chacha20-random", 32, 0, "28:aead",
	  "capi:rfc7539(chacha20,poly1305)-random" },
	{ "none", "none", "aes-xts-random", 64, 0, "16:none", "capi:xts(aes)-random" },
};
#define FORMS (sizeof(forms) / sizeof(forms[0]))

static void test_forms(void **state)
{
	char cipher[MORTISE_CIPHER_MAX + 1], tags[64];
	struct luks2_segment segment;

	(void)state;
	for (size_t i = 0; i < FORMS; i++) {
		const struct form *form = &forms[i];

		segment = (struct luks2_segment){ .cipher = form->cipher };
		assert_int_equal(luks2_integrity_find(form->option, form->cipher, 0,
						      &segment.integrity, NULL),
				 MORTISE_OK);
		assert_string_equal(segment.integrity.type, form->type);
		assert_int_equal(segment.integrity.key_size, form->mac_key_size);
		assert_int_equal(luks2_integrity_check("x", form->cipher, form->key_size,
						       &segment.integrity, NULL, NULL),
				 MORTISE_OK);
		assert_int_equal(
			luks2_integrity_check("x", form->cipher, 0, &segment.integrity, NULL, NULL),
			MORTISE_OK);
		assert_true(volume_integrity_encode(&segment, cipher, tags));
		assert_string_equal(cipher, form->capi);
		assert_string_equal(tags, form->tags);
		/* The kernel prints the tags of the table as they were given. */
		volume_integrity_parse(cipher, tags);
		assert_string_equal(cipher, form->cipher);
		assert_string_equal(tags, form->type);
	}
}

static void test_refused(void **state)
{
	static const struct {
		const char *cipher, *type;
		uint32_t key_size;
	} bad[] = {
		{ "aes-xts-plain64", "aead", 64 },
		{ "aes-xts-plain64", "none", 64 },
		{ "aes-xts-plain64", "poly1305", 64 },
		{ "aes-xts-plain64", "hmac(sha256)", 64 + 20 },
		{ "aes-xts-plain64", "hmac(sha256)", 32 },
		{ "aes-xts-null", "hmac(sha256)", 96 },
		{ "cipher_null-ecb", "hmac(sha256)", 64 },
		{ "aes-ctr-plain64", "hmac(sha256)", 64 },
		{ "aes-gcm-random", "none", 32 },
		{ "aes-gcm-random", "hmac(sha256)", 64 },
		{ "aes-gcm-random", "poly1305", 32 },
		{ "aes-gcm-random", "aead", 33 },
		{ "aes-gcm-plain64", "aead", 32 },
		{ "chacha20-random", "aead", 32 },
		{ "chacha20-plain64", "poly1305", 32 },
	};
	struct luks2_integrity integrity;
	struct mortise_error err;

	(void)state;
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		assert_int_equal(
			luks2_integrity_find(bad[i].type, bad[i].cipher, 0, &integrity, NULL),
			MORTISE_OK);
		assert_int_equal(luks2_integrity_check("x", bad[i].cipher, bad[i].key_size,
						       &integrity, "aes-lrw", &err),
				 MORTISE_E_POLICY);
	}
	/* Nor with --allow-cipher: nothing would be stored. */
	assert_int_equal(luks2_integrity_find("none", "aes-xts-plain64", 0, &integrity, NULL),
			 MORTISE_OK);
	assert_int_equal(luks2_integrity_check("x", "aes-xts-plain64", 64, &integrity,
					       "aes-xts-plain64", NULL),
			 MORTISE_E_POLICY);
	assert_int_equal(luks2_integrity_find("hmac-md5", "aes-xts-plain64", 0, &integrity, NULL),
			 MORTISE_E_USAGE);
	assert_int_equal(luks2_integrity_find("aead", "aes-gcm-random", 16, &integrity, NULL),
			 MORTISE_E_USAGE);
	assert_int_equal(luks2_integrity_find("hmac-sha1", "aes-xts-plain64", 15, &integrity, NULL),
			 MORTISE_E_USAGE);
	assert_int_equal(luks2_integrity_find("hmac-sha1", "aes-xts-plain64", 32, &integrity, NULL),
			 MORTISE_OK);
	assert_true(integrity.own_key_size && integrity.key_size == 32);
	assert_int_equal(
		luks2_integrity_find("none", "cipher_null-xts-random", 0, &integrity, NULL),
		MORTISE_OK);
	assert_int_equal(luks2_integrity_check("x", "cipher_null-xts-random", 0, &integrity,
					       "cipher_null-xts-random", NULL),
			 MORTISE_E_POLICY);
	assert_int_equal(luks2_integrity_find("aead", "aes-gcm-plain64", 0, &integrity, NULL),
			 MORTISE_OK);
	assert_int_equal(luks2_integrity_check("x", "aes-gcm-plain64", 32, &integrity,
					       "aes-gcm-plain64", NULL),
			 MORTISE_OK);
}

/* Other programs' mappings have any text. */
static void test_parse(void **state)
{
	static const struct {
		const char *cipher, *tags, *becomes, *type;
	} cases[] = {
		{ "aes-xts-plain64", "", "aes-xts-plain64", "" },
		{ "capi:xts(aes)-plain64", "", "aes-xts-plain64", "" },
		{ "capi:adiantum(xchacha12,aes)-plain64", "", "xchacha12,aes-adiantum-plain64",
		  "" },
		{ "capi:", "28:aead", "capi:", "aead" },
		{ "capi:-", "28", "-", "" },
		{ "capi:authenc(-random", "x:y", "authenc(-random", "y" },
		{ "capi:authenc()-x", "", "-x", "" },
		{ "capi:rfc7539(x)-y", "", "x-y", "poly1305" },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		char cipher[MORTISE_CIPHER_MAX + 1], type[64];

		snprintf(cipher, sizeof(cipher), "%s", cases[i].cipher);
		snprintf(type, sizeof(type), "%s", cases[i].tags);
		volume_integrity_parse(cipher, type);
		assert_string_equal(cipher, cases[i].becomes);
		assert_string_equal(type, cases[i].type);
	}
}

/* Measured with cryptsetup 2.6.1 on Linux 6.1, behind a header of 16 MiB. */
static void test_sizes(void **state)
{
	static const struct {
		uint64_t device; /* MiB */
		uint32_t tag_size, sector_size;
		uint64_t data; /* bytes */
	} sizes[] = {
		{ 18, 28, 4096, 1843200 },
		{ 19, 32, 512, 1957888 },
		{ 19, 64, 512, 901120 },
		{ 20, 32, 512, 3006464 },
		{ 20, 32, 4096, 3923968 },
		{ 24, 64, 512, 6115328 },
		{ 33, 28, 1024, 16777216 },
		{ 48, 28, 4096, 33050624 },
		{ 100, 64, 4096, 85684224 },
		{ 100, 28, 512, 82677760 },
		{ 517, 32, 512, 489639936 },
		{ 900, 28, 4096, 913330176 },
		{ 9000, 32, 4096, 9280745472 },
		{ 9000, 64, 512, 8313122816 },
		{ 17, 64, 512, 0 },
		{ 16, 32, 4096, 0 },
		{ 0, 32, 4096, 0 },
	};

	(void)state;
	for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++)
		assert_int_equal(volume_integrity_size(sizes[i].device << 20, 16u << 20,
						       sizes[i].tag_size, sizes[i].sector_size),
				 sizes[i].data);
}

static const struct version_record integrity_1_10 = { 0, { 1, 10, 0 }, "integrity" };
static const struct version_record integrity_1_3 = { 0, { 1, 3, 0 }, "integrity" };

#define ASK_INTEGRITY(record)                                                             \
	{                                                                                 \
		.request = DM_GET_TARGET_VERSION, .name = "integrity", .data = &(record), \
		.size = sizeof(record)                                                    \
	}
#define CREATE                                                       \
	{                                                            \
		.request = DM_DEV_CREATE, .name = "t1", .uuid = UUID \
	}
#define LOAD(line, result)                                                                       \
	{                                                                                        \
		.request = DM_TABLE_LOAD, .name = "t1", .params = (line), .target = "integrity", \
		.sys = (result)                                                                  \
	}
#define RESUME                                                                   \
	{                                                                        \
		.request = DM_DEV_SUSPEND, .name = "t1", .event_nr = UDEV_HIDDEN \
	}
#define REMOVE                                                           \
	{                                                                \
		.request = DM_DEV_REMOVE, .name = "t1", .event_nr = UDEV \
	}
#define LINE "98:0 32768 32 J 2 block_size:4096 fix_padding"

static void expect(const struct step *steps, struct dm_integrity_target target,
		   enum mortise_code code)
{
	const struct dm_mapping_options options = { .uuid = UUID };
	struct mortise_error err = { 0 };
	struct world world;

	target.device = "/dev/ubda";
	target.size = 32u << 20;
	target.tag_size = 32;
	begin(&world, steps);
	assert_int_equal(dm_integrity_create(world.control, "t1", &options, &target, &err), code);
	assert_int_equal(err.code, code);
	assert_true(world.exclusive);
	end(&world);
}

static void test_create(void **state)
{
	static const struct step whole[] = { ASK_INTEGRITY(integrity_1_10), CREATE, LOAD(LINE, 0),
					     RESUME, END };
	static const struct step old[] = { ASK_INTEGRITY(integrity_1_3), CREATE,
					   LOAD("98:0 32768 32 D 1 block_size:512", 0), RESUME,
					   END };
	static const struct step invalid[] = { ASK_INTEGRITY(integrity_1_10), CREATE,
					       LOAD(LINE, EINVAL), REMOVE, END };
	static const struct step busy[] = { ASK_INTEGRITY(integrity_1_10), CREATE,
					    LOAD(LINE, EBUSY), REMOVE, END };
	static const struct step missing[] = {
		{ .request = DM_GET_TARGET_VERSION, .name = "integrity", .sys = EINVAL }, END
	};
	static const struct step small[] = { ASK_INTEGRITY(integrity_1_10), END };
	const struct dm_integrity_target target = { .device_offset = 16u << 20,
						    .sector_size = 4096 };
	const struct dm_integrity_target plain = { .device_offset = 16u << 20,
						   .sector_size = 512,
						   .no_journal = true };
	const struct dm_integrity_target beyond = { .device_offset = 64u << 20,
						    .sector_size = 512 };

	(void)state;
	expect(whole, target, MORTISE_OK);
	expect(old, plain, MORTISE_OK);
	expect(invalid, target, MORTISE_E_KERNEL);
	expect(busy, target, MORTISE_E_BUSY);
	expect(small, beyond, MORTISE_E_NO_SPACE);
	{
		const struct dm_mapping_options options = { .uuid = UUID };
		struct mortise_error err;
		struct world world;

		begin(&world, missing);
		assert_int_equal(dm_integrity_create(world.control, "t1", &options, &target, &err),
				 MORTISE_E_KERNEL);
		end(&world);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_forms),  cmocka_unit_test(test_refused),
		cmocka_unit_test(test_parse),  cmocka_unit_test(test_sizes),
		cmocka_unit_test(test_create),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
