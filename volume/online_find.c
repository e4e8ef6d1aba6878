/* SPDX-License-Identifier: MIT */
/* Online reencryption: the mapping that has the data, before the beginning and after a kill. */
#include "volume/online.h"

#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "luks2/metadata.h"
#include "volume/activate.h"
#include "volume/live.h"

enum mortise_code online_check(const struct mortise_luks2 *header, const char *name, uint64_t size,
			       struct mortise_error *err)
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
	if (!code && live.table.size != size)
		code = error_set(err, MORTISE_E_USAGE, 0,
				 "Active device size and requested reencryption size don't match. "
				 "(mapping %s has %" PRIu64 " bytes, the data has %" PRIu64 ")",
				 name, live.table.size, size);
	volume_live_close(&live);
	luks2_device_close(device);
	return code;
}

/* Does a mapping below NAME exist that a reencryption of this header made? */
static bool has_helper(struct dm_control *control, const struct mortise_luks2 *header,
		       const char *name, const char *suffix, struct dm_info *info)
{
	char helper[DM_UUID_MAX + 1], uuid[DM_UUID_MAX + 1];

	snprintf(helper, sizeof(helper), "%.80s%s", name, suffix);
	volume_helper_uuid(header, helper, uuid);
	return !dm_info(control, helper, info, NULL) && !strcmp(info->uuid, uuid);
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
	found = has_helper(search->control, search->header, name, VOLUME_HELPER, &below) ||
		has_helper(search->control, search->header, name, VOLUME_OVERLAY, &below);
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

/* --- after a kill --- */

enum mortise_code mortise_reencrypt_is_left(const struct mortise_luks2 *header, const char *name,
					    struct mortise_error *err)
{
	struct luks2_reencryption state;
	struct dm_control *control = NULL;
	struct dm_info info;
	enum mortise_code code = dm_open(&control, err);

	if (!code && (luks2_reencryption_get(luks2_header_metadata(header), &state, NULL) !=
			      MORTISE_E_USAGE ||
		      !has_helper(control, header, name, VOLUME_HELPER, &info)))
		code = error_set(err, MORTISE_E_INACTIVE, 0,
				 "mapping %s has no helper of a reencryption that has ended", name);
	dm_close(control);
	return code;
}

enum mortise_code online_check_overlay(struct dm_control *control,
				       const struct mortise_luks2 *header, const char *name,
				       struct mortise_error *err)
{
	struct dm_info info;

	if (!has_helper(control, header, name, VOLUME_OVERLAY, &info))
		return MORTISE_OK;
	return error_set(
		err, MORTISE_E_BUSY, 0,
		"cryptsetup was interrupted while it re-encrypted mapping %s, which only it "
		"can continue online; unmount and close the mapping, and open it: this "
		"finishes the interrupted zone",
		name);
}

enum mortise_code online_complete(struct continuation *run, const struct mortise_reencrypt_run *how,
				  const struct mortise_secret *passphrase,
				  struct mortise_error *err)
{
	const struct mortise_key_search search = { .struct_size = sizeof(search),
						   .keyslot = how->keyslot };
	struct luks2_segment parts[LUKS2_PARTS_MAX];
	unsigned count;
	enum mortise_code code =
		luks2_parts_get(luks2_header_metadata(run->header), parts, &count, err);

	if (!code && parts[0].cipher)
		code = mortise_keyslot_open(run->header, &search, passphrase, &run->old_key, NULL,
					    err);
	if (code)
		return code;
	/* All data has one form. */
	run->state.before.digest = run->state.after.digest = parts[0].digest;
	code = online_open(run, how->active_name, &run->online, err);
	if (!code)
		code = online_begin(run->online, err);
	return code ? code : online_finish(run->online, MORTISE_OK, err);
}
