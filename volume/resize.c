/* SPDX-License-Identifier: MIT */
/* Resizing a live mapping: another table over the same device with the same key. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "dm/dm.h"
#include "luks2/header.h"
#include "luks2/policy.h"
#include "volume/activate.h"

#define SECTOR 512u

/* Chooses the size of the mapping; 0: all of the device, or of a segment whose size is fixed. */
static enum mortise_code choose_size(const struct dm_crypt_table *table, uint64_t device_size,
				     uint64_t fixed, uint64_t *size, struct mortise_error *err)
{
	uint64_t room = device_size > table->device_offset ? device_size - table->device_offset : 0;

	if (fixed && fixed < room)
		room = fixed;
	if (!*size)
		*size = room / table->sector_size * table->sector_size;
	if (*size % table->sector_size)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Device size is not aligned to requested sector size.");
	if (!*size || *size > room)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "the mapping cannot have %" PRIu64 " bytes: its device has room "
				 "for %" PRIu64,
				 *size, room);
	return MORTISE_OK;
}

/* The mapping must belong to the header: its key encrypts what becomes visible. */
static enum mortise_code check_mapping(const struct mortise_luks2 *header, const char *name,
				       const struct dm_info *info,
				       const struct dm_crypt_table *table,
				       const struct luks2_segment *segment,
				       struct mortise_error *err)
{
	char uuid[DM_UUID_MAX + 1];

	volume_mapping_uuid(header, name, uuid);
	if (!strcmp(info->uuid, uuid) && !strcmp(table->cipher, segment->cipher) &&
	    table->device_offset == segment->offset && table->sector_size == segment->sector_size)
		return MORTISE_OK;
	return error_set(err, MORTISE_E_USAGE, 0,
			 "mapping %s does not belong to this header; close it first", name);
}

static enum mortise_code reload(struct dm_control *control, const struct mortise_luks2 *header,
				const char *name, const struct luks2_segment *segment,
				const struct dm_crypt_table *table,
				const struct mortise_secret *volume_key, const char *path,
				uint64_t size, struct mortise_error *err)
{
	char description[96];
	const struct dm_crypt_target target = {
		.cipher = table->cipher,
		.key = table->key_in_keyring ? volume_key : table->key,
		.key_description = table->key_in_keyring ? description : NULL,
		.device = path,
		.device_offset = table->device_offset,
		.size = size,
		.iv_offset = table->iv_offset,
		.sector_size = table->sector_size,
		.flags = table->flags,
	};

	snprintf(description, sizeof(description), "cryptsetup:%s-d%d", luks2_header_uuid(header),
		 segment->digest);
	return dm_crypt_reload(control, name, &target, err);
}

/* A loop device does not notice by itself that its file has another size. */
static enum mortise_code read_device_size(const struct dm_crypt_table *table, char *path,
					  size_t room, uint64_t *size, struct mortise_error *err)
{
	struct luks2_device *device = NULL;
	enum mortise_code code = dm_device_path(table->device, path, room, err);

	if (code)
		return code;
	dm_loop_refresh(path);
	code = luks2_device_open(path, false, &device, err);
	if (!code)
		*size = device->size;
	luks2_device_close(device);
	return code;
}

enum mortise_code mortise_resize(struct mortise_luks2 *header, const char *name,
				 const struct mortise_secret *volume_key, uint64_t size,
				 struct mortise_error *err)
{
	struct dm_crypt_table table = { 0 };
	struct dm_control *control = NULL;
	struct luks2_segment segment = { .size = 0 };
	uint64_t device_size = 0;
	enum mortise_code code;
	struct dm_info info;
	char path[4096];

	code = luks2_usable(luks2_header_metadata(header), err);
	if (!code)
		code = luks2_segment_get(luks2_header_metadata(header), &segment, err);
	/* As in cryptsetup: the kernel would have to move the tags. */
	if (!code && segment.integrity.type)
		code = error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "Unsupported parameters on device %s. A volume with integrity "
				 "keeps its size.",
				 name);
	if (!code)
		code = dm_open(&control, err);
	if (!code)
		code = dm_info(control, name, &info, err);
	if (!code)
		code = dm_crypt_table(control, name, &table, err);
	if (!code)
		code = check_mapping(header, name, &info, &table, &segment, err);
	if (!code)
		code = read_device_size(&table, path, sizeof(path), &device_size, err);
	if (!code)
		code = choose_size(&table, device_size, segment.size, &size, err);
	if (code || size == table.size)
		goto out;
	if (table.key_in_keyring && !volume_key) {
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "mapping %s has its key in the keyring: to resize it, the volume "
				 "key is needed",
				 name);
		goto out;
	}
	if (volume_key)
		code = mortise_volume_key_verify(header, volume_key, err);
	if (!code)
		code = reload(control, header, name, &segment, &table, volume_key, path, size, err);
out:
	dm_crypt_table_clear(&table);
	dm_close(control);
	return code;
}
