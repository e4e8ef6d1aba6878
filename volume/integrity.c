/* SPDX-License-Identifier: MIT */
#include "volume/integrity.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "luks2/format.h"
#include "luks2/integrity.h"
#include "luks2/policy.h"
#include "volume/activate.h"
#include "volume/integrity_cipher.h"
#include "volume/kernel_cipher.h"

#define SECTOR		512u
#define SUPERBLOCK	4096u /* bytes: SB_SECTORS in drivers/md/dm-integrity.c */
#define VERSIONS	5u    /* of the superblock; 6 stores tags in the sectors themselves */

/* The superblock, little-endian: struct superblock in drivers/md/dm-integrity.c. */
#define AT_VERSION	8u
#define AT_TAG_SIZE	10u /* 2 bytes */
#define AT_DATA_SECTORS 16u /* 8 bytes */
#define AT_LOG2_SECTORS 28u /* of a block */

static uint64_t load_le(const uint8_t *bytes, unsigned size)
{
	uint64_t value = 0;

	while (size--)
		value = value << 8 | bytes[size];
	return value;
}

/*
 * Transfers the superblock. The kernel writes it past the page cache of the device, which may hold
 * older contents, so O_DIRECT comes first.
 */
static bool transfer(const char *device, uint64_t offset, void *block, bool writing)
{
	const int mode = (writing ? O_RDWR | O_SYNC : O_RDONLY) | O_CLOEXEC;
	bool done = false;

	for (int direct = O_DIRECT; !done && direct >= 0; direct = direct ? 0 : -1) {
		int fd = open(device, mode | direct);

		if (fd < 0)
			continue;
		if (!direct)
			(void)posix_fadvise(fd, (off_t)offset, SUPERBLOCK, POSIX_FADV_DONTNEED);
		errno = 0;
		done = (writing ? pwrite(fd, block, SUPERBLOCK, (off_t)offset)
				: pread(fd, block, SUPERBLOCK, (off_t)offset)) == SUPERBLOCK;
		if (!errno)
			errno = EIO;
		close(fd);
	}
	return done;
}

static enum mortise_code transfer_superblock(const char *device, uint64_t offset, uint8_t **block,
					     bool writing, struct mortise_error *err)
{
	void *memory;

	*block = NULL;
	if (posix_memalign(&memory, SUPERBLOCK, SUPERBLOCK))
		return error_memory(err);
	*block = memory;
	memset(memory, 0, SUPERBLOCK);
	if (!transfer(device, offset, memory, writing))
		return error_set_at(err, MORTISE_E_DEVICE, errno, offset,
				    "cannot %s the integrity superblock on %s",
				    writing ? "erase" : "read", device);
	return MORTISE_OK;
}

/* Reads the size of the data in bytes. */
static enum mortise_code read_size(const char *device, const struct luks2_segment *segment,
				   uint64_t *size, struct mortise_error *err)
{
	uint8_t *block;
	uint64_t sectors;
	enum mortise_code code = transfer_superblock(device, segment->offset, &block, false, err);

	if (code)
		goto out;
	sectors = load_le(block + AT_DATA_SECTORS, 8);
	if (memcmp(block, "integrt", 8))
		code = error_set_at(err, MORTISE_E_POLICY, 0, segment->offset,
				    "%s has no integrity superblock where its header puts the data",
				    device);
	else if (!block[AT_VERSION] || block[AT_VERSION] > VERSIONS)
		code = error_set_at(err, MORTISE_E_UNSUPPORTED, 0, segment->offset,
				    "Incompatible kernel dm-integrity metadata (version %u) "
				    "detected on %s.",
				    block[AT_VERSION], device);
	else if (load_le(block + AT_TAG_SIZE, 2) != segment->integrity.tag_size ||
		 block[AT_LOG2_SECTORS] > 3 ||
		 SECTOR << block[AT_LOG2_SECTORS] != segment->sector_size || !sectors ||
		 sectors > INT64_MAX / SECTOR)
		code = error_set_at(err, MORTISE_E_POLICY, 0, segment->offset,
				    "the integrity superblock on %s does not match the header",
				    device);
	else
		*size = sectors * SECTOR / segment->sector_size * segment->sector_size;
out:
	free(block);
	return code;
}

/* A mapping that nothing uses, of this header and name, is left over from an interrupted open. */
static void remove_stale(struct dm_control *control, const char *name, const char *uuid)
{
	struct mortise_error ignored;
	struct dm_info info;

	if (!dm_info(control, name, &info, &ignored) && !info.open_count &&
	    !strcmp(info.uuid, uuid))
		(void)!dm_remove(control, name, DM_REMOVE_NOW, &ignored);
}

enum mortise_code volume_integrity_form(const struct luks2_segment *segment,
					struct volume_integrity *integrity,
					struct mortise_error *err)
{
	if (volume_integrity_encode(segment, integrity->cipher, integrity->tags))
		return MORTISE_OK;
	return error_set(err, MORTISE_E_UNSUPPORTED, 0,
			 "cipher %.60s has no form with integrity type %s", segment->cipher,
			 segment->integrity.type);
}

enum mortise_code volume_integrity_open(struct dm_control *control,
					const struct mortise_luks2 *header, const char *name,
					const struct luks2_segment *segment, const char *device,
					uint32_t flags, struct volume_integrity *integrity,
					struct mortise_error *err)
{
	char uuid[DM_UUID_MAX + 1];
	const struct dm_mapping_options options = { .uuid = uuid,
						    .readonly = flags & MORTISE_READONLY };
	struct dm_integrity_target target = {
		.device = device,
		.device_offset = segment->offset,
		.tag_size = segment->integrity.tag_size,
		.sector_size = segment->sector_size,
		.no_journal = flags & MORTISE_NO_JOURNAL,
	};
	enum mortise_code code;
	struct dm_info info;

	snprintf(integrity->name, sizeof(integrity->name), "%.*s_dif", (int)DM_UUID_MAX, name);
	volume_subdevice_uuid(header, integrity->name, uuid);
	code = read_size(device, segment, &target.size, err);
	if (code)
		return code;
	remove_stale(control, integrity->name, uuid);
	code = dm_integrity_create(control, integrity->name, &options, &target, err);
	if (code)
		return code;
	integrity->size = target.size;
	code = dm_info(control, integrity->name, &info, err);
	if (!code)
		code = dm_device_path(info.device, integrity->path, sizeof(integrity->path), err);
	if (code)
		(void)!dm_remove(control, integrity->name, DM_REMOVE_NOW, NULL);
	return code;
}

bool volume_integrity_below(struct dm_control *control, const struct dm_crypt_table *table,
			    struct dm_info *below)
{
	struct mortise_error ignored;
	char path[256];
	const char *name;

	if (!*table->integrity || dm_device_path(table->device, path, sizeof(path), &ignored))
		return false;
	name = strrchr(path, '/');
	return name && !dm_info(control, name + 1, below, &ignored) &&
	       below->device == table->device && dm_uuid_is_integrity(below->uuid);
}

/* With the messages of cryptsetup 2.8. */
static enum mortise_code check_inline(const struct luks2_device *device, uint32_t tag_size,
				      struct mortise_error *err)
{
	uint32_t size;

	if (!device->block || !dm_has_inline_tags(device->number, &size))
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Device %s does not provide inline integrity data fields.",
				 device->path);
	if (size && size < tag_size)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Inline tag size %u [bytes] is larger than %u provided by device "
				 "%s.",
				 tag_size, size, device->path);
	return MORTISE_OK;
}

enum mortise_code volume_integrity_check(const struct luks2_device *device,
					 const struct mortise_format *format,
					 struct mortise_error *err)
{
	struct dm_control *control = NULL;
	struct luks2_segment segment = {
		.cipher = format->cipher ? format->cipher : "aes-xts-plain64",
	};
	char cipher[MORTISE_CIPHER_MAX + 1], tags[VOLUME_TAGS_MAX];
	uint32_t version[3];
	enum mortise_code code;

	code = luks2_integrity_find(format->integrity, segment.cipher, format->integrity_key_size,
				    &segment.integrity, err);
	if (!code)
		code = dm_open(&control, err);
	if (!code)
		code = format->integrity_inline
			       ? check_inline(device, segment.integrity.tag_size, err)
			       : dm_target_version(control, "integrity", version, err);
	dm_close(control);
	if (!code && !volume_integrity_encode(&segment, cipher, tags))
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "No known cipher specification pattern detected. (%.60s)",
				 segment.cipher);
	if (!code)
		code = volume_cipher_check(
			device, cipher, luks2_volume_key_size(format), tags,
			segment.integrity.own_key_size ? segment.integrity.key_size : 0, err);
	return code;
}

enum mortise_code volume_integrity_format(const struct mortise_luks2 *header, bool legacy_padding,
					  struct mortise_error *err)
{
	const struct dm_mapping_options options = { .hidden = true };
	struct dm_integrity_target target = { .legacy_padding = legacy_padding };
	struct dm_control *control = NULL;
	struct luks2_segment segment;
	struct volume_backing backing;
	enum mortise_code code;
	uint8_t *block = NULL;
	char name[64];

	code = luks2_segment_get(luks2_header_metadata(header), &segment, err);
	if (code || !segment.integrity.type || segment.integrity.inline_tags)
		return code;
	code = volume_backing_open(luks2_header_data_path(header), false, &backing, err);
	if (code)
		return code;
	target.device = backing.path;
	target.device_offset = segment.offset;
	target.tag_size = segment.integrity.tag_size;
	target.sector_size = segment.sector_size;
	target.size = segment.sector_size;
	snprintf(name, sizeof(name), "temporary-mortise-%s", luks2_header_uuid(header));
	code = transfer_superblock(backing.path, segment.offset, &block, true, err);
	if (!code)
		code = dm_open(&control, err);
	if (!code)
		code = dm_integrity_create(control, name, &options, &target, err);
	if (!code)
		code = dm_remove(control, name, DM_REMOVE_NOW, err);
	if (code)
		error_prefix(err, "Cannot format integrity for device %s", target.device);
	free(block);
	dm_close(control);
	volume_backing_close(&backing);
	return code;
}
