/* SPDX-License-Identifier: MIT */
/* Resizing a live mapping: another table over the same device with the same key. */
#include <inttypes.h>

#include "base/error.h"
#include "luks2/header.h"
#include "volume/live.h"

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
	struct dm_crypt_target target;
	struct volume_live live;
	uint64_t device_size = 0;
	enum mortise_code code;
	char path[4096];

	code = volume_live_open(header, name, false, &live, err);
	if (!code)
		code = read_device_size(&live.table, path, sizeof(path), &device_size, err);
	if (!code)
		code = choose_size(&live.table, device_size, live.segment.size, &size, err);
	if (code || size == live.table.size)
		goto out;
	if (live.table.key_in_keyring && (!volume_key || !header)) {
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "mapping %s has its key in the keyring: to resize it, the volume "
				 "key is needed",
				 name);
		goto out;
	}
	if (volume_key)
		code = mortise_volume_key_verify(header, volume_key, err);
	if (code)
		goto out;
	target = volume_live_target(&live, volume_key);
	target.device = path;
	target.size = size;
	code = dm_crypt_reload(live.control, name, &target, NULL, err);
out:
	volume_live_close(&live);
	return code;
}
