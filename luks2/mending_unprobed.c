/* SPDX-License-Identifier: MIT */
/*
 * Without libblkid only a copy that an interrupted update left behind is mended: a power cut
 * leaves some sectors old and others new, and each of them is a binary header with this UUID, its
 * zeros, or JSON text. Anything else that could be there (file systems, RAID, partition tables) has
 * bytes that none of these have.
 */
#include <stdlib.h>
#include <string.h>

#include "luks2/mending.h"

#define BINARY_USED 512u /* bytes: the rest of a binary header is zero */

static bool is_zero(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i])
			return false;
	return true;
}

/* JSON text followed by NUL bytes. */
static bool is_text(const uint8_t *bytes, size_t size)
{
	for (size_t i = 0; i < size; i++)
		if (bytes[i] && bytes[i] < ' ' && !memchr("\t\n\r", bytes[i], 3))
			return false;
	return *bytes == '{';
}

enum luks2_mending luks2_mending_allowed(const struct luks2_device *device,
					 const struct luks2_binary *good, uint64_t offset)
{
	const size_t size = (size_t)good->copy_size;
	uint8_t *copy = malloc(size);
	struct luks2_binary binary;
	bool is_copy;

	is_copy = copy && !luks2_device_read(device, copy, size, offset, NULL) &&
		  !luks2_binary_decode(copy, offset, &binary, NULL) &&
		  binary.copy_size == good->copy_size && !strcmp(binary.uuid, good->uuid) &&
		  is_zero(copy + BINARY_USED, LUKS2_BINARY_SIZE - BINARY_USED) &&
		  is_text(copy + LUKS2_BINARY_SIZE, size - LUKS2_BINARY_SIZE);
	free(copy);
	return is_copy ? LUKS2_MENDING_SAFE : LUKS2_MENDING_UNKNOWN;
}
