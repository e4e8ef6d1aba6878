/* SPDX-License-Identifier: MIT */
#include "disk/reset_mark.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "luks2/binary.h"

/* Text, so that other tools show it to people who inspect the device. */
#define MARK	    "mortise: being reset, not a volume: finish it with `mortise reset'\n"
#define KEYS_END    "keys-end "

#define MARK_PREFIX 32u /* bytes that identify the mark, even in a torn sector */

static const uint8_t second_magic[] = { 'S', 'K', 'U', 'L', 0xba, 0xbe };

static bool is_mark(const uint8_t *sector)
{
	return !memcmp(sector, MARK, MARK_PREFIX);
}

static uint64_t keys_end_of(const uint8_t *sector)
{
	char text[32];

	if (memcmp(sector, MARK KEYS_END, strlen(MARK KEYS_END)) != 0)
		return 0;
	snprintf(text, sizeof(text), "%.31s", (const char *)sector + strlen(MARK KEYS_END));
	return strtoull(text, NULL, 10);
}

/* *present: the device has a sector at offset, which was read. */
static enum mortise_code read_sector(const struct luks2_device *device, uint64_t offset,
				     uint8_t sector[static DISK_MARK_SIZE], bool *present,
				     struct mortise_error *err)
{
	*present = device->size >= offset + DISK_MARK_SIZE;
	return *present ? luks2_device_read(device, sector, DISK_MARK_SIZE, offset, err)
			: MORTISE_OK;
}

enum mortise_code disk_mark_first(const struct luks2_device *device, bool *marked,
				  struct mortise_error *err)
{
	uint8_t sector[DISK_MARK_SIZE];
	enum mortise_code code = read_sector(device, 0, sector, marked, err);

	*marked = !code && *marked && is_mark(sector);
	return code;
}

enum mortise_code disk_mark_read(const struct luks2_device *device, struct disk_mark *mark,
				 struct mortise_error *err)
{
	uint8_t sector[DISK_MARK_SIZE];
	enum mortise_code code;
	bool present;

	memset(mark, 0, sizeof(*mark));
	code = read_sector(device, 0, sector, &present, err);
	if (code)
		return code;
	mark->first = present && is_mark(sector);
	if (mark->first)
		mark->keys_end = keys_end_of(sector);
	for (uint64_t at = LUKS2_COPY_SIZE_MIN; at <= LUKS2_COPY_SIZE_MAX; at *= 2) {
		code = read_sector(device, at, sector, &present, err);
		if (code)
			return code;
		if (!present)
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
	bool present;

	snprintf(text, sizeof(text), MARK KEYS_END "%" PRIu64 "\n", keys_end);
	for (uint64_t at = LUKS2_COPY_SIZE_MIN; at <= LUKS2_COPY_SIZE_MAX; at *= 2) {
		code = read_sector(device, at, sector, &present, err);
		if (!code && present && !memcmp(sector, second_magic, sizeof(second_magic)))
			code = luks2_device_write(device, text, sizeof(text), at, err);
		if (code)
			return code;
	}
	code = luks2_device_flush(device, err);
	if (code)
		return code;
	code = luks2_device_write(device, text, sizeof(text), 0, err);
	return code ? code : luks2_device_flush(device, err);
}

enum mortise_code disk_mark_remove(const struct luks2_device *device, struct mortise_error *err)
{
	const uint8_t zeros[DISK_MARK_SIZE] = { 0 };
	enum mortise_code code = luks2_device_write(device, zeros, sizeof(zeros), 0, err);

	return code ? code : luks2_device_flush(device, err);
}
