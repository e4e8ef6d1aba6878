/* SPDX-License-Identifier: MIT */
/* Sizes in superblocks: Linux's fs/ext4/ext4.h, fs/xfs/libxfs/xfs_format.h, fs/btrfs. */
#include "volume/filesystem.h"

#include <inttypes.h>
#include <string.h>

#include "base/error.h"

#define EXT_START   1024u  /* bytes: of the superblock of ext4 */
#define BTRFS_START 65536u /* bytes: of that of Btrfs */
#define SUPER_SIZE  512u   /* bytes read of each */

static uint64_t little(const uint8_t *bytes, unsigned size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | bytes[size];
	return value;
}

static uint64_t big(const uint8_t *bytes, unsigned size)
{
	uint64_t value = 0;

	for (unsigned i = 0; i < size; i++)
		value = value << 8 | bytes[i];
	return value;
}

static uint64_t ext_size(const uint8_t *super)
{
	const unsigned shift = (unsigned)little(super + 0x18, 4);
	const bool wide = little(super + 0x60, 4) & 0x80;
	const uint64_t blocks = little(super + 4, 4) | (wide ? little(super + 0x150, 4) << 32 : 0);

	if (little(super + 0x38, 2) != 0xef53 || shift > 6 || blocks > UINT64_MAX >> 16)
		return 0;
	return blocks << (10 + shift);
}

static uint64_t xfs_size(const uint8_t *super)
{
	const uint64_t block = big(super + 4, 4), blocks = big(super + 8, 8);

	if (memcmp(super, "XFSB", 4) != 0 || !block || blocks > UINT64_MAX / block)
		return 0;
	return blocks * block;
}

static uint64_t btrfs_size(const uint8_t *super)
{
	return memcmp(super + 0x40, "_BHRfS_M", 8) ? 0 : little(super + 0x70, 8);
}

enum mortise_code filesystem_size(const struct luks2_device *device, uint64_t *size,
				  const char **name, struct mortise_error *err)
{
	static const struct {
		const char *name;
		uint32_t start;
		uint64_t (*size)(const uint8_t *super);
	} types[] = {
		{ "ext2, ext3 or ext4", EXT_START, ext_size },
		{ "XFS", 0, xfs_size },
		{ "Btrfs", BTRFS_START, btrfs_size },
	};
	uint8_t super[SUPER_SIZE];

	*size = 0;
	*name = "";
	for (unsigned i = 0; i < sizeof(types) / sizeof(*types); i++) {
		uint64_t found;
		enum mortise_code code;

		if (device->size < types[i].start + sizeof(super))
			continue;
		code = luks2_device_read(device, super, sizeof(super), types[i].start, err);
		if (code)
			return code;
		found = types[i].size(super);
		if (found > *size) {
			*size = found;
			*name = types[i].name;
		}
	}
	return MORTISE_OK;
}

enum mortise_code filesystem_check_fits(const struct luks2_device *device, uint64_t size,
					struct mortise_error *err)
{
	const char *name;
	uint64_t found;
	enum mortise_code code = filesystem_size(device, &found, &name, err);

	if (code || found <= size)
		return code;
	return error_set(err, MORTISE_E_USAGE, 0,
			 "cannot encrypt %s in place: its %s file system has %" PRIu64
			 " bytes, and the header leaves %" PRIu64 "; shrink the file system first",
			 device->path, name, found, size);
}
