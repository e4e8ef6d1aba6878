/* SPDX-License-Identifier: MIT */
/*
 * A mapping of one dm-integrity target below dm-crypt
 * (Documentation/admin-guide/device-mapper/dm-integrity.rst).
 */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/error.h"
#include "dm/crypt_table.h"
#include "dm/simple.h"

static enum mortise_code create_error(const struct dm_integrity_target *target,
				      struct mortise_error *err)
{
	if (err->code != MORTISE_E_SYSTEM)
		return err->code;
	switch (err->sys_errno) {
	case EBUSY:
		return error_set(err, MORTISE_E_BUSY, 0,
				 "Cannot use device %s which is in use (already mapped or "
				 "mounted).",
				 target->device);
	case EINVAL:
		return error_set(err, MORTISE_E_KERNEL, 0,
				 "The kernel refused the integrity mapping of %s: its superblock "
				 "does not match, or the device is too small; see the kernel log "
				 "(dmesg)",
				 target->device);
	default:
		return err->code;
	}
}

static enum mortise_code inspect(struct dm_control *control,
				 const struct dm_integrity_target *target, struct dm_block *block,
				 struct mortise_error *err)
{
	enum mortise_code code = control->host.block_inspect(control->host.context, target->device,
							     true, block, err);

	if (code)
		return code;
	if (target->device_offset >= block->size)
		return error_set(err, MORTISE_E_NO_SPACE, 0,
				 "Requested offset is beyond real size of device %s. It has "
				 "%" PRIu64 " bytes, the data starts at %" PRIu64 ".",
				 target->device, block->size, target->device_offset);
	return MORTISE_OK;
}

enum mortise_code dm_integrity_create(struct dm_control *control, const char *name,
				      const struct dm_mapping_options *options,
				      const struct dm_integrity_target *target,
				      struct mortise_error *err)
{
	char params[160];
	struct dm_simple simple = {
		.control = control,
		.name = name,
		.uuid = options->uuid,
		.type = "integrity",
		.params = params,
		.size = target->size,
		.readonly = options->readonly,
	};
	struct mortise_error why = { 0 };
	struct dm_block block;
	uint32_t version[3];
	enum mortise_code code;
	bool known, padding;

	code = dm_target_query(control, "integrity", version, &known, err);
	if (!code)
		code = inspect(control, target, &block, err);
	if (code)
		return code;
	padding = !target->legacy_padding && (!known || !dm_version_before(version, 1, 4, 0));
	simple.readonly |= block.readonly;
	snprintf(params, sizeof(params), "%u:%u %" PRIu64 " %u %c %u block_size:%u%s",
		 major(block.number), minor(block.number), target->device_offset / DM_SECTOR,
		 target->tag_size, target->no_journal ? 'D' : 'J', 1 + padding, target->sector_size,
		 padding ? " fix_padding" : "");
	code = dm_simple_create(&simple, &why);
	if (!code)
		return MORTISE_OK;
	code = create_error(target, &why);
	if (err)
		*err = why;
	return code;
}

enum mortise_code dm_integrity_params_parse(const char *params, struct dm_integrity_table *table,
					    struct mortise_error *err)
{
	unsigned above, below, tag_size;
	uint64_t offset;
	char mode;

	if (sscanf(params, "%u:%u %" SCNu64 " %u %c", &above, &below, &offset, &tag_size, &mode) !=
		    5 ||
	    offset > UINT64_MAX / DM_SECTOR)
		return error_set(err, MORTISE_E_UNSUPPORTED, 0,
				 "the dm-integrity table has an unknown format");
	*table = (struct dm_integrity_table){
		.device = makedev(above, below),
		.device_offset = offset * DM_SECTOR,
		.tag_size = tag_size,
		.no_journal = mode == 'D',
	};
	return MORTISE_OK;
}
