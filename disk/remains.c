/* SPDX-License-Identifier: MIT */
/*
 * A partition table overwrites the first copy of a header, and GPT the start of the second one, too;
 * `wipefs -a` erases the magic of both. The keyslots still exist, so that no message may advise to
 * erase the device.
 */
#include "disk/remains.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "luks2/binary.h"

#define MAGIC_SIZE 6u

static const uint8_t *magic_at(uint64_t offset)
{
	static const uint8_t first[MAGIC_SIZE] = { 'L', 'U', 'K', 'S', 0xba, 0xbe };
	static const uint8_t second[MAGIC_SIZE] = { 'S', 'K', 'U', 'L', 0xba, 0xbe };

	return offset ? second : first;
}

/* Is this JSON text of a header? Every header has these members. */
static bool is_metadata(const uint8_t *text, size_t size)
{
	static const char keyslots[] = "\"keyslots\":", segments[] = "\"segments\":";
	const size_t length = strnlen((const char *)text, size);

	return *text == '{' && memmem(text, length, keyslots, strlen(keyslots)) &&
	       memmem(text, length, segments, strlen(segments));
}

/* Would the copy be valid if its magic were there? binary is that of the copy. */
static bool is_valid_copy(const struct luks2_device *device, const struct luks2_binary *binary,
			  uint64_t offset)
{
	const size_t size = (size_t)binary->copy_size;
	uint8_t *copy = device->size >= offset + size ? malloc(size) : NULL;
	bool valid;

	valid = copy && !luks2_device_read(device, copy, size, offset, NULL);
	if (valid)
		memcpy(copy, magic_at(offset), MAGIC_SIZE);
	valid = valid && !luks2_checksum_check(binary, copy, NULL);
	free(copy);
	return valid;
}

/* bytes: LUKS2_COPY_SIZE_MIN of them, from offset on. */
static enum disk_header_content examine_copy(const struct luks2_device *device, uint8_t *bytes,
					     uint64_t offset)
{
	const bool has_magic = !memcmp(bytes, magic_at(offset), MAGIC_SIZE);
	struct luks2_binary binary;

	/* LUKS1 has the same magic. */
	if (has_magic && !bytes[MAGIC_SIZE] && bytes[MAGIC_SIZE + 1] == 1)
		return DISK_HEADER_NONE;
	memcpy(bytes, magic_at(offset), MAGIC_SIZE);
	if (!luks2_binary_decode(bytes, offset, &binary, NULL))
		return !has_magic && is_valid_copy(device, &binary, offset) ? DISK_HEADER_ERASED
									    : DISK_HEADER_DAMAGED;
	if (has_magic ||
	    is_metadata(bytes + LUKS2_BINARY_SIZE, LUKS2_COPY_SIZE_MIN - LUKS2_BINARY_SIZE))
		return DISK_HEADER_DAMAGED;
	return DISK_HEADER_NONE;
}

enum mortise_code disk_find_remains(const struct luks2_device *device, struct disk_probe *probe,
				    struct mortise_error *err)
{
	uint8_t *bytes = malloc(LUKS2_COPY_SIZE_MIN);
	enum mortise_code code = MORTISE_OK;
	uint64_t offset = 0;

	if (!bytes)
		return error_memory(err);
	probe->header = DISK_HEADER_NONE;
	while (offset <= LUKS2_COPY_SIZE_MAX && device->size >= offset + LUKS2_COPY_SIZE_MIN) {
		enum disk_header_content found;

		code = luks2_device_read(device, bytes, LUKS2_COPY_SIZE_MIN, offset, err);
		if (code)
			break;
		found = examine_copy(device, bytes, offset);
		if (found == DISK_HEADER_ERASED) {
			probe->header = found;
			probe->erased_at = offset;
			break;
		}
		if (found != DISK_HEADER_NONE)
			probe->header = found;
		offset = offset ? 2 * offset : LUKS2_COPY_SIZE_MIN;
	}
	free(bytes);
	return code;
}

bool disk_header_is_damaged(const struct disk_probe *probe)
{
	return probe->header != DISK_HEADER_NONE &&
	       (probe->content != DISK_LUKS2 || probe->header != DISK_HEADER_WHOLE);
}

void disk_repair_advice(const struct disk_probe *probe, const char *device, char *text, size_t room)
{
	char seek[32] = "";

	text[0] = '\0';
	if (probe->erased_at)
		snprintf(seek, sizeof(seek), " bs=1 seek=%" PRIu64, probe->erased_at);
	if (probe->header != DISK_HEADER_NONE && strstr(probe->type, "linux_raid_member")) {
		snprintf(text, room,
			 "use its RAID array instead, or, if there is no array, remove the RAID "
			 "superblock with `mdadm --zero-superblock %s`",
			 device);
		return;
	}
	switch (probe->header) {
	case DISK_HEADER_NONE:
		return;
	case DISK_HEADER_LUKS1:
		snprintf(text, room, "to keep it, run `cryptsetup convert --type luks2 %s`",
			 device);
		return;
	case DISK_HEADER_WHOLE:
	case DISK_HEADER_HALF:
		snprintf(text, room,
			 "to restore the header from its other copy, run `cryptsetup repair %s`",
			 device);
		return;
	case DISK_HEADER_ERASED:
		snprintf(text, room,
			 "to restore it, run `printf '%s\\272\\276' | dd of=%s%s conv=notrunc` and "
			 "`cryptsetup repair %s`",
			 probe->erased_at ? "SKUL" : "LUKS", device, seek, device);
		return;
	case DISK_HEADER_DAMAGED:
		snprintf(text, room,
			 "to restore it from a backup, run `cryptsetup luksHeaderRestore "
			 "--header-backup-file FILE %s`",
			 device);
		return;
	}
}
