/* SPDX-License-Identifier: MIT */
/* Converting between LUKS1 and LUKS2: only a header that no mapping uses. */
#include <string.h>

#include "base/error.h"
#include "dm/dm.h"
#include "luks2/luks1.h"
#include "volume/activate.h"

struct search {
	struct dm_control *control;
	char prefix[DM_UUID_MAX + 1]; /* of the UUIDs of the header's mappings */
	bool found;
};

static bool compare(void *context, const char *name, dev_t device)
{
	struct search *search = context;
	struct mortise_error ignored;
	struct dm_info info;

	(void)device;
	search->found = !dm_info(search->control, name, &info, &ignored) &&
			!strncmp(info.uuid, search->prefix, strlen(search->prefix));
	return !search->found;
}

/* A mapping below another name than cryptsetup's still has the UUID of its header. */
static enum mortise_code check_unused(const struct mortise_luks2 *header, struct mortise_error *err)
{
	const struct luks2_device *device = luks2_header_device(header);
	struct search search = { .found = false };
	struct mortise_error ignored;
	enum mortise_code code = MORTISE_OK;

	volume_mapping_uuid(header, "", search.prefix);
	/* Without device-mapper, or the right to use it, only the device itself tells. */
	if (!dm_open(&search.control, &ignored))
		code = dm_list(search.control, compare, &search, err);
	dm_close(search.control);
	if (code)
		return code;
	if (search.found || luks2_device_unused(device, &ignored) == MORTISE_E_BUSY)
		return error_set(err, MORTISE_E_BUSY, 0,
				 "Cannot convert device %s which is still in use.", device->path);
	return MORTISE_OK;
}

enum mortise_code mortise_convert(struct mortise_luks2 *header, uint32_t version,
				  struct mortise_error *err)
{
	const bool luks1 = luks2_header_is_luks1(header);
	enum mortise_code code;

	if (version != 1 && version != 2)
		return error_set(err, MORTISE_E_USAGE, 0,
				 "Invalid LUKS type, only luks1 and luks2 are supported.");
	if (version == (luks1 ? 1 : 2))
		return error_set(err, MORTISE_E_USAGE, 0, "Device is already LUKS%u type.",
				 version);
	code = check_unused(header, err);
	if (code)
		return code;
	return luks1 ? luks1_to_luks2(header, err) : luks2_to_luks1(header, err);
}
