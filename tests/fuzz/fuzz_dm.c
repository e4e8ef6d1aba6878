/* SPDX-License-Identifier: MIT */
/*
 * Answers of a hostile device-mapper. The first byte of an input selects the call, the others are
 * the kernel's answers to its ioctls; see hostile_ioctl(). Bytes behind an answer are marked: none
 * may become part of a result.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "dm/control.h"
#include "dm/crypt_table.h"
#include "tests/fuzz/fuzz.h"
#include "tests/fuzz/input.h"

#define MARK   0x5au /* 'Z', which no answer contains */
#define ANSWER ((uint32_t)sizeof(struct dm_ioctl))

enum kind { INFO, TABLE, REBUILT, LIST, VERSION, CREATED, REMOVED };
const char *const fuzz_kinds[] = { "infos",    "tables", "rebuilt tables", "names",
				   "versions", "new",	 "removed",	   NULL };

/* The first byte of an answer, bits. */
enum mode {
	FAIL = 1u << 0,	      /* the next byte selects the errno */
	FULL = 1u << 1,	      /* the buffer is too small */
	BAD_FIELDS = 1u << 2, /* data_size and data_start are the next bytes */
	NAMES = 1u << 3,      /* the name and UUID are the next bytes */
	FLAGS = 1u << 4,      /* the next four bytes */
	OLD = 1u << 5,	      /* minor version 0 of the interface */
};

static int keys;

static uint8_t unmarked(unsigned byte)
{
	return byte == MARK ? 'z' : (uint8_t)byte;
}

static void take(void *bytes, size_t size)
{
	for (size_t i = 0; i < size && input.left; i++)
		((uint8_t *)bytes)[i] = unmarked(next());
}

static int hostile_errno(void)
{
	static const int all[] = { ENXIO,  EBUSY,  EINVAL, ENOTTY, EPERM,
				   ENOENT, ENODEV, ENOMEM, EPROTO, EKEYREJECTED };

	return all[next() % (sizeof(all) / sizeof(*all))];
}

/* An answer is its mode, the number of targets, and the size of the data that follow in 2 bytes. */
static int hostile_ioctl(void *context, unsigned long request, struct dm_ioctl *header)
{
	uint8_t *bytes = (uint8_t *)header;
	const uint32_t room = header->data_size;
	uint32_t size, end;
	unsigned mode;

	(void)context;
	(void)request;
	check(room > ANSWER && header->data_start == ANSWER);
	check(memchr(header->name, 0, sizeof(header->name)) != NULL);
	if (!input.left)
		return EIO;
	mode = next();
	header->version[1] = mode & OLD ? 0 : 47;
	if (mode & FAIL)
		return hostile_errno();
	header->target_count = next();
	size = next() | next() << 8;
	size = size < room - ANSWER ? size : room - ANSWER;
	header->flags = mode & FULL ? DM_BUFFER_FULL_FLAG : 0;
	if (mode & NAMES)
		take(header->name, sizeof(header->name) + sizeof(header->uuid));
	if (mode & FLAGS)
		take(&header->flags, sizeof(header->flags));
	size = size < input.left ? size : (uint32_t)input.left;
	header->data_size = ANSWER + size;
	if (mode & BAD_FIELDS)
		take(&header->data_size, 2 * sizeof(uint32_t));
	memset(bytes + ANSWER, 0, room - ANSWER);
	take(bytes + ANSWER, size);
	end = header->data_size < room ? header->data_size : room;
	end = end > ANSWER ? end : ANSWER;
	memset(bytes + end, MARK, room - end);
	/* A text without an end must not become too long. */
	if (room - end > 1)
		bytes[end + 1] = 0;
	return 0;
}

static enum mortise_code block_inspect(void *context, const char *path, bool exclusive,
				       struct dm_block *block, struct mortise_error *err)
{
	(void)context;
	(void)path;
	(void)exclusive;
	(void)err;
	*block = (struct dm_block){ makedev(98, 0), 64u << 20, 512, 256, false };
	return MORTISE_OK;
}

static int key_add(void *context, const char *description, const struct mortise_secret *key,
		   int32_t *serial)
{
	(void)context;
	(void)description;
	(void)key;
	*serial = 1;
	keys++;
	return 0;
}

static void key_remove(void *context, int32_t serial)
{
	(void)context;
	(void)serial;
	keys--;
}

static bool pause_not(void *context, unsigned ms)
{
	(void)context;
	(void)ms;
	return true;
}

static void check_text(const char *text, size_t room)
{
	check(memchr(text, 0, room) && !strchr(text, MARK));
}

static enum mortise_code query_info(struct dm_control *control, struct mortise_error *err)
{
	struct dm_info info;
	enum mortise_code code = dm_info(control, "t1", &info, err);

	if (code)
		return code;
	check_text(info.name, sizeof(info.name));
	check_text(info.uuid, sizeof(info.uuid));
	fuzz_accepted(INFO);
	return code;
}

/* A table that this program could have made is the same after it is written and read. */
static void rebuild(const struct dm_crypt_table *table)
{
	struct dm_crypt_target target = {
		.cipher = table->cipher,
		.key = table->key,
		.device = "/dev/ubda",
		.device_offset = table->device_offset,
		.size = table->size,
		.iv_offset = table->iv_offset,
		.sector_size = table->sector_size,
		.flags = table->flags,
	};
	struct mortise_secret *params = NULL;
	struct dm_crypt_table again;

	if (dm_crypt_target_check(&target, NULL) || dm_crypt_cipher_null(table->cipher))
		return;
	check(!dm_crypt_params_build(&target, table->device, false, &params, NULL));
	check(!dm_crypt_params_parse((const char *)mortise_secret_data(params),
				     mortise_secret_size(params) - 1, &again, NULL));
	check(!strcmp(again.cipher, table->cipher) && again.device == table->device &&
	      again.device_offset == table->device_offset && again.iv_offset == table->iv_offset &&
	      again.sector_size == table->sector_size && again.flags == table->flags &&
	      mortise_secret_equal(again.key, table->key));
	fuzz_accepted(REBUILT);
	dm_crypt_table_clear(&again);
	mortise_secret_free(&params);
}

static enum mortise_code query_table(struct dm_control *control, struct mortise_error *err)
{
	struct dm_crypt_table table;
	enum mortise_code code = dm_crypt_table(control, "t1", &table, err);

	if (code) {
		check(!table.key && !table.cipher[0]);
		return code;
	}
	check(table.cipher[0] && table.key_size <= DM_KEY_MAX && table.sector_size >= DM_SECTOR &&
	      table.sector_size <= 4096 && !(table.sector_size & (table.sector_size - 1)));
	check(!table.key || mortise_secret_size(table.key) == table.key_size);
	check_text(table.cipher, sizeof(table.cipher));
	check_text(table.key_description, sizeof(table.key_description));
	check_text(table.integrity, sizeof(table.integrity));
	fuzz_accepted(TABLE);
	rebuild(&table);
	dm_crypt_table_clear(&table);
	return code;
}

static bool see_name(void *context, const char *name, dev_t device)
{
	unsigned *left = context;

	(void)device;
	check_text(name, DM_NAME_LEN);
	fuzz_accepted(LIST);
	return --*left > 0;
}

static enum mortise_code query_list(struct dm_control *control, struct mortise_error *err)
{
	unsigned left = 1 + next();

	return dm_list(control, see_name, &left, err);
}

static enum mortise_code query_version(struct dm_control *control, struct mortise_error *err)
{
	uint32_t version[3];
	enum mortise_code code = dm_target_version(control, "crypt", version, err);

	if (code)
		return code;
	for (size_t i = 0; i < 3; i++)
		check(version[i] != UINT32_C(0x5a5a5a5a));
	fuzz_accepted(VERSION);
	return code;
}

static enum mortise_code create(struct dm_control *control, struct mortise_error *err)
{
	const unsigned choice = next();
	const struct dm_mapping_options options = { .uuid = "CRYPT-LUKS2-0-t1",
						    .hidden = choice & 1 };
	struct mortise_secret *key = NULL;
	const uint8_t bytes[64] = { 1, 8, 15 };
	struct dm_crypt_target target = {
		.cipher = choice & 2 ? "capi:xts(aes)-plain64" : "aes-xts-plain64",
		.key_description = choice & 4 ? "cryptsetup:0-d0" : NULL,
		.device = "/dev/ubda",
		.size = 1u << 20,
		.sector_size = choice & 8 ? 4096 : 512,
		.flags = choice & 16 ? DM_CRYPT_ALLOW_DISCARDS | DM_CRYPT_NO_READ_WORKQUEUE : 0,
	};
	uint32_t dropped;
	enum mortise_code code;

	check(!mortise_secret_from(bytes, sizeof(bytes), &key, NULL));
	target.key = key;
	code = choice & 32 ? dm_zero_create(control, "t1", 1u << 20, err)
			   : dm_crypt_create(control, "t1", &options, &target, &dropped, err);
	mortise_secret_free(&key);
	check(!keys);
	if (!code)
		fuzz_accepted(CREATED);
	return code;
}

static enum mortise_code remove_mapping(struct dm_control *control, struct mortise_error *err)
{
	enum mortise_code code = dm_remove(control, "t1", (enum dm_remove_mode)(next() % 3), err);

	if (!code)
		fuzz_accepted(REMOVED);
	return code;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static enum mortise_code (*const calls[])(struct dm_control *, struct mortise_error *) = {
		query_info, query_table, query_list, query_version, create, remove_mapping,
	};
	const struct dm_kernel kernel = { hostile_ioctl, NULL };
	struct dm_control *control;
	struct mortise_error err;
	enum mortise_code code;
	unsigned call;

	input_begin(data, size);
	call = next() % (sizeof(calls) / sizeof(*calls));
	code = dm_open_kernel(&kernel, &control, &err);
	if (!code) {
		control->host =
			(struct dm_host){ block_inspect, key_add, key_remove, pause_not, NULL };
		code = calls[call](control, &err);
		dm_close(control);
	}
	check(!code || (code == err.code && *err.text));
	return 0;
}
