/* SPDX-License-Identifier: MIT */
/* A disk for tests of reencryption: tests/disk.h, with a volume of known data. */
#ifndef REENCRYPT_DISK_H
#define REENCRYPT_DISK_H

#define DISK_SIZE   (DATA_OFFSET + DATA_SIZE)
#define DATA_OFFSET (360u << 10)
#define DATA_SIZE   (96u << 10)
#define ZONE	    (32u << 10)

#include "tests/disk.h"

#include <mortise.h>

#include "keys/area.h"
#include "luks2/header.h"
#include "tests/cheap_keyslot.h"

#define PASSPHRASE "the passphrase"

/* Blocks of sector_size bytes are written whole or not at all, as the checksums require. */
struct reencryption {
	const char *resilience;
	const char *cipher;
	uint32_t before, after; /* bytes of a sector */
	bool keep_key;
};

static const struct reencryption *now;

static inline struct mortise_secret *passphrase(void)
{
	struct mortise_secret *made = NULL;

	assert_int_equal(mortise_secret_from(PASSPHRASE, strlen(PASSPHRASE), &made, NULL),
			 MORTISE_OK);
	return made;
}

/* A disk after a cut has the UUID, and with it the lock, of the disk that is being re-encrypted. */
static inline struct mortise_luks2 *load(const char *path)
{
	const struct mortise_location location = { .struct_size = sizeof(location),
						   .device = path,
						   .no_locks = strcmp(path, disk.path),
						   .allow_cipher = "aes-cbc-plain64" };
	struct mortise_luks2 *header = NULL;

	return mortise_luks2_load(&location, &header, NULL) ? NULL : header;
}

static inline void make_data(uint8_t *data)
{
	for (uint32_t i = 0; i < DATA_SIZE; i++)
		data[i] = (uint8_t)(i / SECTOR * 7 + i % 251);
}

/* Encrypts or decrypts all data with the volume key and the form of segment 0. */
static inline bool crypt_data(const struct mortise_luks2 *header, uint8_t *data, bool encrypt)
{
	struct mortise_segment_info info = { .struct_size = sizeof(info) };
	struct keys_sectors sectors = { .data = data, .size = DATA_SIZE };

	if (mortise_segment_info(header, 0, &info, NULL))
		return false;
	sectors.sector_size = info.sector_size;
	return !keys_sectors_crypt(info.cipher, luks2_header_volume_key(header), &sectors, encrypt,
				   NULL);
}

static inline void prepare(void)
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
	assert_int_equal(mortise_keyslot_add(header, cheap_keyslot(MORTISE_ANY), given, NULL, NULL, NULL),
			 MORTISE_OK);
	disk_fetch(disk.path, image);
	make_data(image + DATA_OFFSET);
	assert_true(crypt_data(header, image + DATA_OFFSET, true));
	disk_store(disk.path, image);
	mortise_luks2_free(&header);
	mortise_secret_free(&given);
	free(image);
}

/* As the tests change it. */
static struct mortise_reencrypt_run how = { .struct_size = sizeof(how),
					    .keyslot = MORTISE_ANY,
					    .hotzone_size = ZONE };

static inline enum mortise_code proceed(struct mortise_luks2 *header, struct mortise_error *err)
{
	struct mortise_secret *given = passphrase();
	enum mortise_code code = mortise_reencrypt_continue(header, given, &how, err);

	mortise_secret_free(&given);
	return code;
}

static inline enum mortise_code reencrypt(struct mortise_error *err)
{
	struct mortise_secret *given = passphrase();
	const struct mortise_reencrypt_keyslot keyslot = { 0, given };
	const struct mortise_reencrypt_new what = {
		.struct_size = sizeof(what),
		.cipher = now->cipher,
		.sector_size = now->after,
		.keep_key = now->keep_key,
		.resilience = now->resilience,
		.keyslot = cheap_keyslot(MORTISE_ANY),
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
static inline const char *find_loss(const char *path, bool finished)
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

#endif
