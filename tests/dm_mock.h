/* SPDX-License-Identifier: MIT */
/*
 * A mock of device-mapper: a test is a table of the expected ioctls and their answers (the idea is
 * from libnvme's test/ioctl/mock.h). The layout of the answers is that of linux/dm-ioctl.h; their
 * numbers are from Linux 6.1.
 */
#ifndef TESTS_DM_MOCK_H
#define TESTS_DM_MOCK_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "dm/control.h"
#include "base/error.h"

#define KEY_NAME "cryptsetup:12345678-90ab-cdef-1234-567890abcdef-d0"
#define UDEV 0x600000u
#define DEVICE 0xfe00u		/* 254:0 */
#define DATA 312u		/* offset of the kernel's data */

/* An expected ioctl, and its answer. */
struct step {
	unsigned long request;
	const char *name;
	const char *uuid;
	uint32_t flags;
	uint32_t event_nr;
	const char *params;		/* parameters of the table */
	const char *target;		/* type of the target; NULL: "crypt" */
	const char *message;		/* to sector 0 of the mapping */
	void (*check)(const struct dm_ioctl *header); /* a table of several targets */

	int sys;
	uint32_t flags_out;
	uint32_t version_minor;		/* version of the interface; 0: 47 */
	uint32_t target_count;
	int32_t open_count;
	const char *name_out;
	const char *uuid_out;
	const void *data;
	uint32_t size;
	void (*spoil)(struct dm_ioctl *header);
};

/* The kernel and the machine. */
struct world {
	const struct step *steps;
	size_t at;
	int key_sys;			/* errno of add_key(2) */
	unsigned keys_added, keys_dropped, pauses;
	struct dm_block block;
	enum mortise_code block_code;
	bool interrupted;		/* a signal ends each pause */
	bool exclusive;			/* the device was opened exclusively */
	struct dm_control *control;
};

/* struct dm_target_versions and its name */
struct version_record {
	uint32_t next;
	uint32_t version[3];
	char name[16];
};

static const struct version_record crypt_1_24 = { 0, { 1, 24, 0 }, "crypt" };
static const struct version_record versions_old[] = {
	{ sizeof(struct version_record), { 1, 4, 0 }, "linear" },
	{ 0, { 1, 14, 0 }, "crypt" },
};

#define ASK(record) { .request = DM_GET_TARGET_VERSION, .name = "crypt", .data = &(record), \
		      .size = sizeof(record) }
#define ABSENT { .request = DM_DEV_STATUS, .name = "t1", .sys = ENXIO }
#define END { .request = 0 }

static void check_table(const struct step *step, const struct dm_ioctl *header)
{
	const uint8_t *payload = (const uint8_t *)header + header->data_start;
	struct dm_target_spec spec;

	memcpy(&spec, payload, sizeof(spec));
	assert_int_equal(header->target_count, 1);
	assert_int_equal(spec.sector_start, 0);
	assert_int_equal(spec.length, 65536);
	assert_string_equal(spec.target_type, step->target ? step->target : "crypt");
	assert_string_equal((const char *)payload + sizeof(spec), step->params);
	assert_int_equal(spec.next % 8, 0);
	assert_true(spec.next > sizeof(spec) + strlen(step->params));
}

static void check_message(const struct step *step, const struct dm_ioctl *header)
{
	const uint8_t *payload = (const uint8_t *)header + header->data_start;
	uint64_t sector;

	memcpy(&sector, payload, sizeof(sector));
	assert_int_equal(sector, 0);
	assert_string_equal((const char *)payload + sizeof(sector), step->message);
}

static int mock_ioctl(void *context, unsigned long request, struct dm_ioctl *header)
{
	struct world *world = context;
	const struct step *step = &world->steps[world->at];
	uint32_t room = header->data_size;

	if (request != step->request)
		fail_msg("step %zu: ioctl %lx, expected %lx", world->at, request,
			 step->request);
	world->at++;
	assert_int_equal(header->version[0], 4);
	assert_int_equal(header->version[1], 0);
	assert_string_equal(header->name, step->name ? step->name : "");
	assert_string_equal(header->uuid, step->uuid ? step->uuid : "");
	assert_int_equal(header->flags, step->flags);
	assert_int_equal(header->event_nr, step->event_nr);
	assert_int_equal(header->data_start, DATA);
	if (step->params)
		check_table(step, header);
	if (step->message)
		check_message(step, header);
	if (step->check)
		step->check(header);
	/* copy_params in drivers/md/dm-ioctl.c */
	if (header->flags & DM_SECURE_DATA_FLAG) {
		struct dm_ioctl kept = *header;

		memset(header, 0, room);
		*header = kept;
	}
	header->version[1] = step->version_minor ? step->version_minor : 47;
	if (step->sys)
		return step->sys;
	assert_true(DATA + step->size <= room);
	header->flags = step->flags_out;
	header->event_nr = 5;
	header->target_count = step->target_count;
	header->open_count = step->open_count;
	header->dev = DEVICE;
	header->data_size = step->size ? DATA + step->size : sizeof(*header);
	if (step->name_out)
		snprintf(header->name, sizeof(header->name), "%s", step->name_out);
	if (step->uuid_out)
		snprintf(header->uuid, sizeof(header->uuid), "%s", step->uuid_out);
	if (step->size)
		memcpy((uint8_t *)header + DATA, step->data, step->size);
	if (step->spoil)
		step->spoil(header);
	return 0;
}

static enum mortise_code mock_block(void *context, const char *path, bool exclusive,
				    struct dm_block *block, struct mortise_error *err)
{
	struct world *world = context;

	assert_string_equal(path, "/dev/ubda");
	world->exclusive = exclusive;
	*block = world->block;
	return world->block_code ? error_set(err, world->block_code, 0, "no") : MORTISE_OK;
}

static int mock_key_add(void *context, const char *description, const struct mortise_secret *key,
			int32_t *serial)
{
	struct world *world = context;

	assert_string_equal(description, KEY_NAME);
	assert_memory_equal(mortise_secret_data(key), "\x01\x08\x0f\x16", 4);
	if (world->key_sys)
		return world->key_sys;
	world->keys_added++;
	*serial = 77;
	return 0;
}

static void mock_key_drop(void *context, int32_t serial)
{
	struct world *world = context;

	assert_int_equal(serial, 77);
	world->keys_dropped++;
}

static bool mock_pause(void *context, unsigned ms)
{
	struct world *world = context;

	assert_true(ms > 0 && ms < 1000);
	world->pauses++;
	return !world->interrupted;
}

static void begin_minor(struct world *world, const struct step *steps, uint32_t minor)
{
	const struct step version[] = { { .request = DM_VERSION, .version_minor = minor }, END };
	const struct dm_kernel kernel = { mock_ioctl, world };

	*world = (struct world){ .steps = version };
	world->block = (struct dm_block){ makedev(98, 0), 64u << 20, 512, 256, false };
	assert_int_equal(dm_open_kernel(&kernel, &world->control, NULL), MORTISE_OK);
	world->control->host = (struct dm_host){
		mock_block, mock_key_add, mock_key_drop, mock_pause, world
	};
	world->steps = steps;
	world->at = 0;
}

static inline void begin(struct world *world, const struct step *steps)
{
	begin_minor(world, steps, 47);
}

static inline void end(struct world *world)
{
	assert_int_equal(world->steps[world->at].request, 0);
	assert_int_equal(world->keys_added, world->keys_dropped);
	dm_close(world->control);
}

#endif
