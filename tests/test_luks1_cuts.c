/* SPDX-License-Identifier: MIT */
/*
 * Power cuts and failing writes in conversions between LUKS1 and LUKS2: at any moment, with any subset
 * of the unflushed sectors on the disk, each passphrase opens the device, and a conversion can be run
 * again. Each cut is also judged by cryptsetup, if it is installed.
 */
#define DISK_SIZE (2u << 20)

#include "keys/af.h"
#include "keys/area.h"
#include "keys/kdf.h"
#include "luks2/binary.h"
#include "luks2/luks1.h"
#include "tests/disk.h"

#define PAYLOAD	   4096u /* sectors: as cryptsetup formats */
#define ITERATIONS 1000u
#define REFEREE	   "/usr/sbin/cryptsetup"

static uint8_t volume_key[64];
static uint8_t key_size;
static unsigned active;	     /* bit n: keyslot n has a passphrase "N" */
static uint32_t new_version; /* of the conversion */
static unsigned stride;	     /* of the variants of cuts */

static struct mortise_secret *passphrase(unsigned keyslot)
{
	const char text[2] = { (char)('0' + keyslot), '\0' };
	struct mortise_secret *made = NULL;

	assert_int_equal(mortise_secret_from(text, 1, &made, NULL), MORTISE_OK);
	return made;
}

static void derive(const struct mortise_secret *secret, const uint8_t *salt, uint8_t *key,
		   size_t size)
{
	const struct mortise_kdf kdf = { .type = MORTISE_KDF_PBKDF2,
					 .hash = "sha256",
					 .time = ITERATIONS };

	assert_int_equal(keys_kdf_derive(&kdf, NULL, secret,
					 (struct keys_bytes){ salt, LUKS1_SALT_SIZE }, key, size,
					 NULL),
			 MORTISE_OK);
}

static void make_keyslot(struct luks1_binary *binary, unsigned id, uint8_t *image)
{
	struct luks1_keyslot *keyslot = &binary->keyslot[id];
	uint8_t *area = image + (size_t)keyslot->offset * LUKS1_SECTOR;
	struct mortise_secret *secret = passphrase(id);
	uint8_t key[sizeof(volume_key)];

	keyslot->state = LUKS1_ACTIVE;
	keyslot->iterations = ITERATIONS;
	memset(keyslot->salt, (int)(id + 1), sizeof(keyslot->salt));
	derive(secret, keyslot->salt, key, key_size);
	assert_int_equal(keys_af_split(volume_key, key_size, KEYS_AF_STRIPES, "sha256", area, NULL),
			 MORTISE_OK);
	assert_int_equal(keys_area_encrypt("aes-xts-plain64", key, key_size, area,
					   (size_t)luks1_area_sectors(binary) * LUKS1_SECTOR, NULL),
			 MORTISE_OK);
	mortise_secret_free(&secret);
}

/* A header as cryptsetup formats it. */
static void prepare(unsigned keyslots, uint8_t bytes_of_key)
{
	struct luks1_binary binary = { .cipher = "aes",
				       .mode = "xts-plain64",
				       .hash = "sha256",
				       .payload = PAYLOAD,
				       .key_size = bytes_of_key,
				       .digest_iterations = ITERATIONS,
				       .uuid = "12345678-1234-1234-1234-123456789abc" };
	uint8_t *image = calloc(1, DISK_SIZE);
	struct mortise_secret *secret = NULL;
	uint64_t room;

	assert_non_null(image);
	disk.recording = false;
	active = keyslots;
	key_size = bytes_of_key;
	for (unsigned i = 0; i < key_size; i++)
		volume_key[i] = (uint8_t)(i * 7 + 1);
	room = (luks1_area_sectors(&binary) + 7) / 8 * 8;
	for (unsigned i = 0; i < LUKS1_KEYSLOTS; i++) {
		binary.keyslot[i].state = LUKS1_INACTIVE;
		binary.keyslot[i].offset = (uint32_t)(8 + i * room);
		if (keyslots >> i & 1)
			make_keyslot(&binary, i, image);
	}
	assert_int_equal(mortise_secret_from(volume_key, key_size, &secret, NULL), MORTISE_OK);
	derive(secret, binary.digest_salt, binary.digest, sizeof(binary.digest));
	mortise_secret_free(&secret);
	luks1_encode(&binary, image);
	disk_store(disk.path, image);
	free(image);
}

static struct mortise_luks2 *load(const char *path)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = path,
						   .luks1 = true };
	struct mortise_luks2 *header = NULL;

	return mortise_luks2_load(&location, &header, NULL) ? NULL : header;
}

static bool is_tried(unsigned keyslot)
{
	return active >> keyslot == 1 || (!keyslot && active & 1);
}

static bool all_open(const char *path, int keyslot)
{
	struct mortise_luks2 *header = load(path);
	bool good = header != NULL;

	/* Keyslot 0, which moves, and the last one are tried: each attempt takes 4 ms. */
	for (unsigned i = 0; good && i < LUKS1_KEYSLOTS; i++) {
		const struct mortise_key_search search = { .struct_size = sizeof(search),
							   .keyslot =
								   keyslot ? (int)i : MORTISE_ANY };
		struct mortise_secret *secret = passphrase(i), *key = NULL;

		if (is_tried(i))
			good = !mortise_keyslot_open(header, &search, secret, &key, NULL, NULL) &&
			       mortise_secret_size(key) == key_size &&
			       !memcmp(mortise_secret_data(key), volume_key, key_size);
		mortise_secret_free(&key);
		mortise_secret_free(&secret);
	}
	mortise_luks2_free(&header);
	return good;
}

static bool referee_opens(const char *path)
{
	char command[256];

	for (unsigned i = 0; i < LUKS1_KEYSLOTS; i++) {
		snprintf(command, sizeof(command),
			 "printf %u | " REFEREE " open --test-passphrase %.100s", i, path);
		if (is_tried(i) && system(command))
			return false;
	}
	return true;
}

static enum mortise_code convert(const char *path, struct mortise_error *err)
{
	struct mortise_luks2 *header = load(path);
	enum mortise_code code;

	assert_non_null(header);
	code = mortise_convert(header, new_version, err);
	mortise_luks2_free(&header);
	return code;
}

static uint32_t version(const char *path)
{
	struct mortise_header_info info = { .struct_size = sizeof(info) };
	struct mortise_luks2 *header = load(path);

	assert_non_null(header);
	assert_int_equal(mortise_header_info(header, &info, NULL), MORTISE_OK);
	mortise_luks2_free(&header);
	return info.version;
}

/* A LUKS1 header is never taken for LUKS2, nor replaced by a second LUKS2 copy behind it. */
static bool loads_as_luks2(const char *path)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = path };
	struct mortise_luks2 *header = NULL;
	const bool loaded = !mortise_luks2_load(&location, &header, NULL);

	mortise_luks2_free(&header);
	return loaded;
}

static void try_cut(unsigned variant)
{
	uint8_t *image = malloc(DISK_SIZE);
	struct mortise_error err;
	uint32_t before;

	assert_non_null(image);
	disk_cut(variant, image);
	disk.recording = false;
	disk_store(disk.cut, image);
	if (variant < 4 && !access(REFEREE, X_OK) && !referee_opens(disk.cut))
		disk_wrong("cryptsetup does not open: call %u, variant %u", disk.calls, variant);
	disk_store(disk.cut, image);
	/* In this order: the second load may repair a LUKS2 header. */
	before = version(disk.cut);
	if (loads_as_luks2(disk.cut) != (before == 2))
		disk_wrong("not the same version to all: call %u, variant %u", disk.calls, variant);
	if (!all_open(disk.cut, false))
		disk_wrong("lost by a cut: call %u, variant %u", disk.calls, variant);
	else if (version(disk.cut) != new_version && convert(disk.cut, &err))
		disk_wrong("cannot run again: call %u, variant %u: %.100s", disk.calls, variant,
			   err.text);
	/* A keyslot that was moved to another one before the cut keeps the new number. */
	else if (!all_open(disk.cut, false) || version(disk.cut) != new_version)
		disk_wrong("not converted: call %u, variant %u", disk.calls, variant);
	free(image);
	disk.recording = true;
}

static void try_cuts(struct disk *unused)
{
	(void)unused;
	for (unsigned variant = 0; variant < DISK_CUTS; variant += stride)
		try_cut(variant);
}

static const struct {
	const char *name;
	unsigned keyslots;
	uint8_t key_size;
} cases[] = {
	{ "the copy goes to the area of keyslot 1", 0x01, 64 },
	{ "of keyslot 6, which lies in both sectors", 0xbf, 64 },
	{ "of keyslot 7, in the second sector", 0x7f, 64 },
	{ "behind the areas, all keyslots active", 0xff, 32 },
	{ "no area is in the way", 0x82, 64 },
};

/* Each kind of place is cut in every variant once. */
static void run(size_t i)
{
	const char *name = cases[i].name;
	struct mortise_error err = { 0 };

	stride = i % 3 ? 5 : STRIDE;
	disk.before_flush = try_cuts;
	disk_record(0, false);
	if (convert(disk.path, &err))
		fail_msg("%s: %s", name, err.text);
	disk.recording = false;
	disk.before_flush = NULL;
	if (*disk.wrong)
		fail_msg("%s: %s", name, disk.wrong);
	if (disk.pending_count)
		fail_msg("%s: ends with unflushed writes", name);
	assert_true(disk.calls >= 6);
	assert_true(all_open(disk.path, true));
	assert_int_equal(version(disk.path), new_version);
}

static void test_to_luks2(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		prepare(cases[i].keyslots, cases[i].key_size);
		new_version = 2;
		run(i);
	}
}

static void test_to_luks1(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i += 3) {
		prepare(cases[i].keyslots, cases[i].key_size);
		new_version = 2;
		assert_int_equal(convert(disk.path, NULL), MORTISE_OK);
		new_version = 1;
		run(i);
	}
}

/* Each call fails once, whole or torn. The error is reported, and every passphrase opens. */
static void test_failures(void **state)
{
	bool done = false;

	(void)state;
	for (unsigned torn = 0; torn < 2; torn++) {
		for (unsigned direction = 0; direction < 2; direction++) {
			done = false;
			for (unsigned at = 1; !done; at++) {
				struct mortise_error err = { 0 };

				prepare(0x05, 64);
				new_version = 2;
				if (direction)
					assert_int_equal(convert(disk.path, NULL), MORTISE_OK);
				new_version = direction ? 1 : 2;
				disk_record(at, torn);
				done = convert(disk.path, &err) == MORTISE_OK;
				disk.recording = false;
				disk_forget_pending();
				assert_true(done || *err.text);
				assert_true(all_open(disk.path, false));
			}
		}
	}
}

/* Without room for a copy nothing is written. */
static void test_full(void **state)
{
	uint8_t *before = malloc(DISK_SIZE), *after = malloc(DISK_SIZE);
	struct mortise_error err = { 0 };

	(void)state;
	assert_non_null(before);
	assert_non_null(after);
	prepare(0xff, 64);
	new_version = 2;
	disk_fetch(disk.path, before);
	assert_int_equal(convert(disk.path, &err), MORTISE_E_NO_SPACE);
	disk_fetch(disk.path, after);
	assert_memory_equal(before, after, DISK_SIZE);
	/* The area of keyslot 7 is not that of keyslot 0, although the salts are equal. */
	memcpy(before + 208 + 7 * 48 + 4, before + 208 + 4, 4 + LUKS1_SALT_SIZE);
	disk_store(disk.path, before);
	assert_int_equal(convert(disk.path, &err), MORTISE_E_NO_SPACE);
	free(before);
	free(after);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_to_luks2),
		cmocka_unit_test(test_to_luks1),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_full),
	};
	const int result = cmocka_run_group_tests(tests, disk_new, disk_remove);

	disk_log("convert", disk.states);
	return result;
}
