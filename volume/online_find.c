/* SPDX-License-Identifier: MIT */
/* The mapping of a volume that is to be re-encrypted. */
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "volume/activate.h"
#include "volume/live.h"
#include "volume/online.h"

enum mortise_code online_check(const struct mortise_luks2 *header, const char *name, uint64_t size,
			       bool part, struct mortise_error *err)
{
	struct volume_live live;
	struct luks2_device *device = NULL;
	enum mortise_code code =
		luks2_device_open(luks2_header_data_path(header), false, &device, err);

	if (code)
		return code;
	code = volume_live_open(header, name, false, &live, err);
	if (!code && !size)
		size = live.segment.size
			       ? live.segment.size
			       : (device->size - live.segment.offset) / live.segment.sector_size *
					 live.segment.sector_size;
	if (!code && live.table.device != device->number)
		code = error_set(err, MORTISE_E_USAGE, 0, "mapping %s is not on %s", name,
				 luks2_header_data_path(header));
	if (!code && live.table.size != size && !(part && live.table.size < size))
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "Active device size and requested reencryption size don't match. "
				 "(mapping %s has %" PRIu64 " bytes, the data has %" PRIu64
				 "; resize the mapping first)",
				 name, live.table.size, size);
	volume_live_close(&live);
	luks2_device_close(device);
	return code;
}

enum mortise_code online_check_key(const struct mortise_luks2 *header, const char *name,
				   const struct mortise_secret *key, struct mortise_error *err)
{
	struct volume_live live;
	enum mortise_code code = volume_live_open(header, name, false, &live, err);

	if (!code && live.table.key && !mortise_secret_equal(live.table.key, key))
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "mapping %s has another volume key than the header; close it "
				 "first",
				 name);
	volume_live_close(&live);
	return code;
}

struct search {
	struct dm_control *control;
	const struct mortise_luks2 *header;
	dev_t device;
	char *name;
	size_t room;
};

static bool is_of_header(void *context, const char *name, dev_t number)
{
	struct search *search = context;
	struct dm_crypt_table tables[DM_TARGETS_MAX];
	char uuid[DM_UUID_MAX + 1];
	struct dm_info info, below;
	bool found;
	size_t count;

	(void)number;
	volume_mapping_uuid(search->header, name, uuid);
	if (dm_info(search->control, name, &info, NULL) || strcmp(info.uuid, uuid))
		return true;
	/* Of a process that was killed. */
	found = online_has_helper(search->control, search->header, name, VOLUME_HELPER, &below) ||
		online_has_helper(search->control, search->header, name, VOLUME_OVERLAY, &below);
	if (!dm_crypt_tables(search->control, name, tables, &count, NULL))
		for (size_t i = 0; i < count; i++)
			found |= tables[i].device == search->device;
	dm_crypt_tables_clear(tables);
	if (found)
		snprintf(search->name, search->room, "%s", name);
	return !found;
}

enum mortise_code mortise_reencrypt_active(const struct mortise_luks2 *header, char *name,
					   size_t room, struct mortise_error *err)
{
	struct search search = { .header = header, .name = name, .room = room };
	struct luks2_device *device = NULL;
	enum mortise_code code =
		luks2_device_open(luks2_header_data_path(header), false, &device, err);

	if (room)
		*name = '\0';
	if (code || !device->block)
		goto out;
	search.device = device->number;
	/* Without device-mapper there are no mappings. */
	if (dm_open(&search.control, NULL))
		goto out;
	code = dm_list(search.control, is_of_header, &search, err);
out:
	dm_close(search.control);
	luks2_device_close(device);
	return code;
}
