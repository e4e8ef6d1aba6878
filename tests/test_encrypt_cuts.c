/* SPDX-License-Identifier: MIT */
/*
 * Power cuts while data is encrypted in place, from the first write on, and decrypted in place: after
 * a cut at any moment, with any subset of the unflushed sectors on the disk, the same call finishes,
 * and all data is there.
 */
#define DISK_SIZE   (1516u << 10)
#define SMALL	    (360u << 10) /* bytes of the header's space: the data is twice as large */
#define LARGE	    (700u << 10) /* the data is smaller */
#define ZONE	    (200u << 10)
#define PENDING_MAX 24

#include "tests/disk.h"

#include <mortise.h>

#include "keys/area.h"
#include "luks2/header.h"
#include "tests/cheap_keyslot.h"

#define PASSPHRASE "the passphrase"

/* The file with the header while the data is decrypted, and a copy of it for a cut. */
static char header_file[96], header_cut[96];
static uint32_t header_size, data_size;
static bool decrypting;

static struct mortise_secret *passphrase(void)
{
	struct mortise_secret *made = NULL;

	assert_int_equal(mortise_secret_from(PASSPHRASE, strlen(PASSPHRASE), &made, NULL),
			 MORTISE_OK);
	return made;
}

static void make_data(uint8_t *data)
{
	for (uint32_t i = 0; i < data_size; i++)
		data[i] = (uint8_t)(i / SECTOR * 7 + i % 251);
}

/* A disk after a cut has the UUID, and with it the lock, of the disk that is being encrypted. */
static struct mortise_location location_of(const char *path, const char *header)
{
	return (struct mortise_location){ .struct_size = sizeof(struct mortise_location),
					  .device = path,
					  .header = header,
					  .no_locks = true };
}

static enum mortise_code add_keyslot(void *context, struct mortise_luks2 *header,
				     struct mortise_error *err)
{
	return mortise_keyslot_add(header, cheap_keyslot(MORTISE_ANY), context, NULL, NULL, err);
}

static enum mortise_code proceed(struct mortise_luks2 *header, struct mortise_error *err)
{
	const struct mortise_reencrypt_run how = { .struct_size = sizeof(how),
						   .keyslot = MORTISE_ANY,
						   .hotzone_size = ZONE };
	struct mortise_secret *given = passphrase();
	enum mortise_code code = mortise_reencrypt_continue(header, given, &how, err);

	mortise_secret_free(&given);
	return code;
}

static enum mortise_code encrypt_disk(const char *path, struct mortise_error *err)
{
	const struct mortise_location location = location_of(path, NULL);
	const struct mortise_format format = { .struct_size = sizeof(format), .key_size = 32 };
	struct mortise_secret *given = passphrase();
	const struct mortise_encrypt_new what = { .struct_size = sizeof(what),
						  .reduction = 2 * header_size,
						  .fill = add_keyslot,
						  .context = given };
	struct mortise_luks2 *header = NULL;
	enum mortise_code code = mortise_encrypt_begin(&location, &format, &what, &header, err);

	if (!code)
		code = proceed(header, err);
	mortise_luks2_free(&header);
	mortise_secret_free(&given);
	return code;
}

static enum mortise_code decrypt_disk(const char *path, const char *file, struct mortise_error *err)
{
	const struct mortise_location location = location_of(path, NULL);
	struct mortise_secret *given = passphrase();
	const struct mortise_reencrypt_keyslot keyslot = { MORTISE_ANY, given };
	const struct mortise_reencrypt_new what = { .struct_size = sizeof(what),
						    .mode = MORTISE_DECRYPT,
						    .keyslots = &keyslot,
						    .keyslot_count = 1,
						    .moved_size = 64u << 10 };
	struct mortise_luks2 *header = NULL, *moved = NULL;
	enum mortise_code code = mortise_luks2_load(&location, &header, err);

	if (!code)
		code = mortise_decrypt_begin(header, file, &what, &moved, err);
	if (!code)
		code = proceed(moved, err);
	mortise_luks2_free(&moved);
	mortise_luks2_free(&header);
	mortise_secret_free(&given);
	return code;
}

/* The data decrypted by the header's volume key and segment, and the reason why it is not there. */
static const char *find_encrypted(const char *path, struct mortise_luks2 *header)
{
	struct mortise_segment_info info = { .struct_size = sizeof(info) };
	static uint8_t image[DISK_SIZE], data[DISK_SIZE];
	struct keys_sectors sectors = { .size = data_size };

	disk_fetch(path, image);
	make_data(data);
	if (mortise_segment_info(header, 0, &info, NULL))
		return "it has no segment";
	sectors.sector_size = info.sector_size;
	sectors.data = image + info.offset;
	if (keys_sectors_crypt(info.cipher, luks2_header_volume_key(header), &sectors, false, NULL))
		return "it cannot be decrypted";
	return memcmp(image + info.offset, data, data_size) ? "the data is not there" : NULL;
}

static const char *find_plain(const char *path)
{
	static uint8_t image[DISK_SIZE], data[DISK_SIZE];

	disk_fetch(path, image);
	make_data(data);
	return memcmp(image, data, data_size) ? "the data is not plain" : NULL;
}

/* Continues, from the first step if the device has no header. */
static const char *find_loss(const char *path, bool finished)
{
	const struct mortise_location location = location_of(path, NULL);
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = MORTISE_ANY };
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	struct mortise_secret *given = passphrase();
	struct mortise_luks2 *header = NULL;
	static struct mortise_error err;
	const char *loss = err.text;

	if (mortise_luks2_load(&location, &header, &err)) {
		if (finished || encrypt_disk(path, &err) ||
		    mortise_luks2_load(&location, &header, &err))
			goto out;
	} else if (!mortise_reencrypt_info(header, &info, NULL)) {
		loss = "it is not finished";
		if (finished)
			goto out;
		loss = err.text;
		if (proceed(header, &err))
			goto out;
	}
	if (!mortise_keyslot_open(header, &search, given, NULL, NULL, &err))
		loss = find_encrypted(path, header);
out:
	mortise_luks2_free(&header);
	mortise_secret_free(&given);
	return loss;
}

/* The file has a header from the first write to the disk on. */
static const char *find_decryption_loss(const char *path, const char *file)
{
	const struct mortise_location location = location_of(path, file);
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = MORTISE_ANY };
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	struct mortise_secret *given = passphrase();
	struct mortise_luks2 *header = NULL;
	static struct mortise_error err;
	const char *loss = err.text;

	if (mortise_luks2_load(&location, &header, &err))
		goto out;
	if (!mortise_reencrypt_info(header, &info, NULL)) {
		if (!proceed(header, &err))
			loss = find_plain(path);
	} else if (!find_plain(path)) {
		loss = NULL;
	} else if (!mortise_keyslot_open(header, &search, given, NULL, NULL, &err)) {
		loss = find_encrypted(path, header);
	}
out:
	mortise_luks2_free(&header);
	mortise_secret_free(&given);
	return loss;
}

static void copy_file(const char *from, const char *to)
{
	static uint8_t bytes[DISK_SIZE];
	const int in = open(from, O_RDONLY), out = open(to, O_CREAT | O_TRUNC | O_RDWR, 0600);
	const ssize_t size = read(in, bytes, sizeof(bytes));

	assert_true(size > 0 && real_pwrite(out, bytes, (size_t)size, 0) == size);
	close(out);
	close(in);
}

static const char *find_loss_after_cut(const char *path)
{
	if (!decrypting)
		return find_loss(path, false);
	copy_file(header_file, header_cut);
	return find_decryption_loss(path, header_cut);
}

static void try_cuts(struct disk *unused)
{
	(void)unused;
	disk_try_cuts(find_loss_after_cut);
}

static void prepare(uint32_t size)
{
	uint8_t *image = calloc(1, DISK_SIZE);

	assert_non_null(image);
	header_size = size;
	data_size = DISK_SIZE - 2 * size;
	make_data(image);
	disk_store(disk.path, image);
	free(image);
}

static void check_recorded(unsigned least)
{
	disk.recording = false;
	disk.before_flush = NULL;
	if (*disk.wrong)
		fail_msg("%s, %u bytes: %s", decrypting ? "decrypting" : "encrypting", data_size,
			 disk.wrong);
	if (disk.calls < least)
		fail_msg("%u calls were recorded", disk.calls);
}

static void record_cuts(uint32_t size)
{
	struct mortise_error err = { 0 };
	const char *loss;

	decrypting = false;
	prepare(size);
	disk.before_flush = try_cuts;
	disk_record(0, false);
	if (encrypt_disk(disk.path, &err))
		disk_wrong("%s", err.text);
	check_recorded(30);
	loss = find_loss(disk.path, true);
	if (loss)
		fail_msg("%s", loss);
	decrypting = true;
	(void)unlink(header_file);
	disk.before_flush = try_cuts;
	disk_record(0, false);
	if (decrypt_disk(disk.path, header_file, &err))
		disk_wrong("%s", err.text);
	check_recorded(8);
	loss = find_plain(disk.path);
	if (loss)
		fail_msg("%s", loss);
}

static void test_cuts(void **state)
{
	(void)state;
	snprintf(header_file, sizeof(header_file), "%s/header", disk.directory);
	snprintf(header_cut, sizeof(header_cut), "%s/header.cut", disk.directory);
	record_cuts(SMALL);
	(void)unlink(header_file);
	record_cuts(LARGE);
	(void)unlink(header_file);
	(void)unlink(header_cut);
}

/* Each write and flush fails once: whole, or in the middle. A second run finishes. */
static void test_failures(void **state)
{
	unsigned calls = 1000;

	(void)state;
	decrypting = false;
	for (unsigned fail_at = 1; fail_at <= 2 * calls; fail_at++) {
		struct mortise_error err = { 0 };
		const char *loss;

		prepare(SMALL);
		disk_record((fail_at + 1) / 2, fail_at % 2);
		if (!encrypt_disk(disk.path, &err))
			calls = disk.calls;
		disk.recording = false;
		if (calls == 1000 && err.sys_errno != EIO)
			fail_msg("call %u: %s", (fail_at + 1) / 2, err.text);
		loss = find_loss(disk.path, false);
		if (loss)
			fail_msg("call %u failed: %s", (fail_at + 1) / 2, loss);
		if (calls < 1000)
			break;
	}
	assert_in_range(calls, 30, 999);
}

static enum mortise_code repair(const char *path, struct mortise_error *err)
{
	const struct mortise_location location = location_of(path, NULL);
	struct mortise_secret *given = passphrase();
	struct mortise_luks2 *header = NULL;
	enum mortise_code code = mortise_luks2_load(&location, &header, err);

	if (!code)
		code = mortise_reencrypt_repair(header, given, MORTISE_ANY, err);
	mortise_luks2_free(&header);
	mortise_secret_free(&given);
	return code;
}

/* Does call fail_at leave a torn zone? */
static bool interrupt(unsigned fail_at)
{
	const struct mortise_location location = location_of(disk.path, NULL);
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	struct mortise_luks2 *header = NULL;
	bool interrupted;

	prepare(SMALL);
	disk_record(fail_at, true);
	interrupted = encrypt_disk(disk.path, NULL) &&
		      !mortise_luks2_load(&location, &header, NULL) &&
		      !mortise_reencrypt_info(header, &info, NULL) && info.interrupted;
	disk.recording = false;
	mortise_luks2_free(&header);
	return interrupted;
}

/* Cuts while an interrupted zone is repaired. */
static void test_repair_cuts(void **state)
{
	unsigned found = 0;

	(void)state;
	decrypting = false;
	for (unsigned fail_at = 1; found < 3 && fail_at < 100; fail_at++) {
		struct mortise_error err = { 0 };
		const char *loss;

		if (!interrupt(fail_at))
			continue;
		found++;
		disk.before_flush = try_cuts;
		disk_record(0, false);
		if (repair(disk.path, &err))
			disk_wrong("%s", err.text);
		check_recorded(5);
		loss = find_loss(disk.path, false);
		if (loss)
			fail_msg("call %u: %s", fail_at, loss);
	}
	assert_int_equal(found, 3);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_repair_cuts),
	};

	return cmocka_run_group_tests(tests, disk_new, disk_remove);
}
