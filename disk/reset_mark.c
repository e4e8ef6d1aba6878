/* SPDX-License-Identifier: MIT */
/* The mark of a device that is being reset: written, recognised, removed. */
#include "disk/reset_mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "luks2/binary.h"

/* For people who look at the device with other tools, too. */
#define MARK	  "mortise: being reset, not a volume: finish it with `mortise reset'\n"
#define KEYS_END  "keys-end "

#define HALF_MARK 32u /* bytes: enough to know it by, should a sector ever be torn */

static const uint8_t second_magic[] = { 'S', 'K', 'U', 'L', 0xba, 0xbe };

static bool is_mark(const uint8_t *sector)
{
	return !memcmp(sector, MARK, HALF_MARK);
}

static uint64_t keys_end_of(const uint8_t *sector)
{
	char text[32];

	if (memcmp(sector, MARK KEYS_END, strlen(MARK KEYS_END)) != 0)
		return 0;
	snprintf(text, sizeof(text), "%.31s", (const char *)sector + strlen(MARK KEYS_END));
	return strtoull(text, NULL, 10);
}

/* *whole: there is a sector at offset, and it has been read. */
static enum mortise_code look_at(const struct luks2_device *device, uint64_t offset,
				 uint8_t sector[static DISK_MARK_SIZE], bool *whole,
				 struct mortise_error *err)
{
	*whole = device->size >= offset + DISK_MARK_SIZE;
	return *whole ? luks2_device_read(device, sector, DISK_MARK_SIZE, offset, err) : MORTISE_OK;
}

enum mortise_code disk_mark_first(const struct luks2_device *device, bool *marked,
				  struct mortise_error *err)
{
	uint8_t sector[DISK_MARK_SIZE];
	enum mortise_code code = look_at(device, 0, sector, marked, err);

	*marked = !code && *marked && is_mark(sector);
	return code;
}

enum mortise_code disk_mark_look(const struct luks2_device *device, struct disk_mark *mark,
				 struct mortise_error *err)
{
	uint8_t sector[DISK_MARK_SIZE];
	enum mortise_code code;
	bool whole;

	memset(mark, 0, sizeof(*mark));
	code = look_at(device, 0, sector, &whole, err);
	if (code)
		return code;
	mark->first = whole && is_mark(sector);
	if (mark->first)
		mark->keys_end = keys_end_of(sector);
	for (uint64_t at = LUKS2_COPY_SIZE_MIN; at <= LUKS2_COPY_SIZE_MAX; at *= 2) {
		code = look_at(device, at, sector, &whole, err);
		if (code)
			return code;
		if (!whole)
			break;
		if (!memcmp(sector, second_magic, sizeof(second_magic)))
			mark->second_header = true;
		if (!is_mark(sector))
			continue;
		mark->second = true;
		if (!mark->keys_end)
			mark->keys_end = keys_end_of(sector);
	}
	return MORTISE_OK;
}

enum mortise_code disk_mark_put(const struct luks2_device *device, uint64_t keys_end,
				struct mortise_error *err)
{
	uint8_t sector[DISK_MARK_SIZE];
	char text[DISK_MARK_SIZE] = "";
	enum mortise_code code;
	bool whole;

	snprintf(text, sizeof(text), MARK KEYS_END "%" PRIu64 "\n", keys_end);
	for (uint64_t at = LUKS2_COPY_SIZE_MIN; at <= LUKS2_COPY_SIZE_MAX; at *= 2) {
		code = look_at(device, at, sector, &whole, err);
		if (!code && whole && !memcmp(sector, second_magic, sizeof(second_magic)))
			code = luks2_device_write(device, text, sizeof(text), at, err);
		if (code)
			return code;
	}
	code = luks2_device_flush(device, err);
	if (!code)
		code = luks2_device_write(device, text, sizeof(text), 0, err);
	return code ? code : luks2_device_flush(device, err);
}

enum mortise_code disk_mark_remove(const struct luks2_device *device, struct mortise_error *err)
{
	const uint8_t zeros[DISK_MARK_SIZE] = { 0 };
	enum mortise_code code = luks2_device_write(device, zeros, sizeof(zeros), 0, err);

	return code ? code : luks2_device_flush(device, err);
}
