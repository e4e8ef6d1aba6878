/* SPDX-License-Identifier: MIT */
/*
 * Power cuts during a reencryption: after a cut at any moment, with any subset of the unflushed
 * sectors on the disk, the reencryption continues to its end and all data is there.
 */
#define DISK_SIZE   (DATA_OFFSET + DATA_SIZE)
#define DATA_OFFSET (360u << 10)
#define DATA_SIZE   (96u << 10)
#define ZONE	    (32u << 10)

#include "tests/disk.h"

#include <mortise.h>

#include "keys/area.h"
#include "luks2/header.h"

#define PASSPHRASE "the passphrase"

/* Blocks of sector_size bytes are written whole or not at all, as the checksums require. */
static const struct reencryption {
	const char *resilience;
	const char *cipher;
	uint32_t before, after; /* bytes of a sector */
	bool keep_key;
} reencryptions[] = {
	{ "checksum", "aes-xts-plain64", 512, 512, false },
	{ "journal", "aes-xts-plain64", 4096, 4096, false },
	{ "journal", "aes-cbc-plain64", 512, 1024, false },
	{ "journal", "aes-xts-plain64", 512, 1024, true },
};

static const struct reencryption *now;

static struct mortise_secret *passphrase(void)
{
	struct mortise_secret *made = NULL;

	assert_int_equal(mortise_secret_from(PASSPHRASE, strlen(PASSPHRASE), &made, NULL),
			 MORTISE_OK);
	return made;
}

/* A disk after a cut has the UUID, and with it the lock, of the disk that is being re-encrypted. */
static struct mortise_luks2 *load(const char *path)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = path,
						   .no_locks = strcmp(path, disk.path),
						   .allow_cipher = "aes-cbc-plain64" };
	struct mortise_luks2 *header = NULL;

	return mortise_luks2_load(&location, &header, NULL) ? NULL : header;
}

static void make_data(uint8_t *data)
{
	for (uint32_t i = 0; i < DATA_SIZE; i++)
		data[i] = (uint8_t)(i / SECTOR * 7 + i % 251);
}

/* Encrypts or decrypts all data with the volume key and the form of segment 0. */
static bool crypt_data(const struct mortise_luks2 *header, uint8_t *data, bool encrypt)
{
	struct mortise_segment_info info = { .struct_size = sizeof(info) };
	struct keys_sectors sectors = { .data = data, .size = DATA_SIZE };

	if (mortise_segment_info(header, 0, &info, NULL))
		return false;
	sectors.sector_size = info.sector_size;
	return !keys_sectors_crypt(info.cipher, luks2_header_volume_key(header), &sectors, encrypt,
				   NULL);
}

static const struct mortise_keyslot_new *cheap_keyslot(void)
{
	static const struct mortise_kdf_choice cost = { .struct_size = sizeof(cost),
							.type = MORTISE_KDF_PBKDF2,
							.forced_time = 1000 };
	static const struct mortise_keyslot_new what = { .struct_size = sizeof(what),
							 .keyslot = MORTISE_ANY,
							 .kdf = &cost };

	return &what;
}

static void prepare(void)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = disk.path };
	const struct mortise_format format = {
		.struct_size = sizeof(format),
		.key_size = 32,
		.data_offset = DATA_OFFSET,
		.sector_size = now->before,
		.digest_iterations = 1000,
	};
	struct mortise_secret *given = passphrase();
	struct mortise_luks2 *header = NULL;
	uint8_t *image = calloc(1, DISK_SIZE);

	assert_non_null(image);
	disk_store(disk.path, image);
	assert_int_equal(mortise_luks2_format(&location, &format, &header, NULL), MORTISE_OK);
	assert_int_equal(mortise_keyslot_add(header, cheap_keyslot(), given, NULL, NULL, NULL),
			 MORTISE_OK);
	disk_fetch(disk.path, image);
	make_data(image + DATA_OFFSET);
	assert_true(crypt_data(header, image + DATA_OFFSET, true));
	disk_store(disk.path, image);
	mortise_luks2_free(&header);
	mortise_secret_free(&given);
	free(image);
}

/* A clock that only sleeping moves. */
static struct {
	bool on;
	uint64_t rate; /* bytes per second that are asked for */
	uint64_t now;  /* ms */
	unsigned sleeps;
	unsigned cancel_at; /* number of the sleep that is canceled; 0: none */
} simulated;

uint64_t __real_clock_now_ms(void);
uint64_t __wrap_clock_now_ms(void);
bool __real_events_sleep_ms(const struct mortise_events *events, uint64_t ms);
bool __wrap_events_sleep_ms(const struct mortise_events *events, uint64_t ms);

uint64_t __wrap_clock_now_ms(void)
{
	return simulated.on ? simulated.now : __real_clock_now_ms();
}

bool __wrap_events_sleep_ms(const struct mortise_events *events, uint64_t ms)
{
	if (!simulated.on)
		return __real_events_sleep_ms(events, ms);
	simulated.now += ms;
	return ++simulated.sleeps != simulated.cancel_at;
}

static enum mortise_code proceed(struct mortise_luks2 *header, struct mortise_error *err)
{
	const struct mortise_reencrypt_run how = { .struct_size = sizeof(how),
						   .keyslot = MORTISE_ANY,
						   .hotzone_size = ZONE,
						   .rate = simulated.rate };
	struct mortise_secret *given = passphrase();
	enum mortise_code code = mortise_reencrypt_continue(header, given, &how, err);

	mortise_secret_free(&given);
	return code;
}

static enum mortise_code reencrypt(struct mortise_error *err)
{
	struct mortise_secret *given = passphrase();
	const struct mortise_reencrypt_keyslot keyslot = { 0, given };
	const struct mortise_reencrypt_new what = {
		.struct_size = sizeof(what),
		.cipher = now->cipher,
		.sector_size = now->after,
		.keep_key = now->keep_key,
		.resilience = now->resilience,
		.keyslot = cheap_keyslot(),
		.keyslots = &keyslot,
		.keyslot_count = 1,
	};
	struct mortise_luks2 *header = load(disk.path);
	enum mortise_code code = mortise_reencrypt_begin(header, &what, err);

	if (!code)
		code = proceed(header, err);
	mortise_luks2_free(&header);
	mortise_secret_free(&given);
	return code;
}

/* The data and the reason why it is not there. */
static const char *find_loss(const char *path, bool finished)
{
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = MORTISE_ANY };
	struct mortise_reencrypt_info info = { .struct_size = sizeof(info) };
	struct mortise_secret *given = passphrase();
	static struct mortise_error err;
	struct mortise_luks2 *header = load(path);
	static uint8_t image[DISK_SIZE], data[DATA_SIZE];
	const char *loss = "no header";

	if (!header)
		goto out;
	loss = "it is not finished";
	if (!mortise_reencrypt_info(header, &info, NULL)) {
		if (finished)
			goto out;
		loss = err.text;
		if (proceed(header, &err))
			goto out;
	}
	loss = "the passphrase does not open it";
	if (mortise_keyslot_open(header, &search, given, NULL, NULL, NULL))
		goto out;
	disk_fetch(path, image);
	make_data(data);
	loss = "the data is not there";
	if (crypt_data(header, image + DATA_OFFSET, false) &&
	    !memcmp(image + DATA_OFFSET, data, DATA_SIZE))
		loss = NULL;
out:
	mortise_luks2_free(&header);
	mortise_secret_free(&given);
	return loss;
}

static const char *find_loss_after_cut(const char *path)
{
	return find_loss(path, false);
}

static void try_cuts(struct disk *unused)
{
	(void)unused;
	disk_try_cuts(find_loss_after_cut);
}

static void test_cuts(void **state)
{
	(void)state;
	for (size_t i = 0; i < sizeof(reencryptions) / sizeof(*reencryptions); i++) {
		struct mortise_error err = { 0 };
		const char *loss;

		now = &reencryptions[i];
		prepare();
		disk.before_flush = try_cuts;
		disk_record(0, false);
		if (reencrypt(&err))
			fail_msg("%s: %s", now->resilience, err.text);
		disk.recording = false;
		disk.before_flush = NULL;
		if (*disk.wrong)
			fail_msg("%zu: %s", i, disk.wrong);
		if (disk.calls < 40)
			fail_msg("%zu: %u calls were recorded", i, disk.calls);
		loss = find_loss(disk.path, true);
		if (loss)
			fail_msg("%zu: %s", i, loss);
	}
}

/* Each write and flush fails once: whole, or in the middle. A second run finishes. */
static void test_failures(void **state)
{
	unsigned calls = 1000;

	(void)state;
	now = &reencryptions[0];
	for (unsigned fail_at = 1; fail_at <= 2 * calls; fail_at++) {
		struct mortise_error err = { 0 };
		const char *loss;

		prepare();
		disk_record((fail_at + 1) / 2, fail_at % 2);
		if (!reencrypt(&err))
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
	assert_in_range(calls, 40, 999);
}

/* The data has three zones, the zone of a low rate a quarter second's bytes. */
static void test_rate(void **state)
{
	static const struct {
		uint64_t rate;
		uint64_t ms; /* of all zones but the last */
		unsigned sleeps;
	} rates[] = {
		{ 1u << 20, 62, 2 },
		{ 128u << 10, 500, 2 },
		{ 16u << 10, 5750, 23 },
		{ UINT64_C(1) << 60, 0, 0 },
	};

	(void)state;
	now = &reencryptions[0];
	simulated.on = true;
	for (size_t i = 0; i < sizeof(rates) / sizeof(*rates); i++) {
		struct mortise_error err = { 0 };

		prepare();
		simulated.rate = rates[i].rate;
		simulated.now = 0;
		simulated.sleeps = 0;
		assert_int_equal(reencrypt(&err), MORTISE_OK);
		assert_int_equal(simulated.now, rates[i].ms);
		assert_int_equal(simulated.sleeps, rates[i].sleeps);
		assert_null(find_loss(disk.path, true));
	}
	prepare();
	simulated.rate = 128u << 10;
	simulated.sleeps = 0;
	simulated.cancel_at = 2;
	assert_int_equal(reencrypt(NULL), MORTISE_E_CANCELED);
	assert_null(find_loss(disk.path, false));
	memset(&simulated, 0, sizeof(simulated));
}

int main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(test_cuts),
		cmocka_unit_test(test_failures),
		cmocka_unit_test(test_rate),
	};

	return cmocka_run_group_tests(tests, disk_new, disk_remove);
}
