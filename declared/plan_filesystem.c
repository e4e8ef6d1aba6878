/* SPDX-License-Identifier: MIT */
/* Planning the file system of a volume: can it be created and mounted, and the steps for it. */
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "base/error.h"
#include "base/spawn.h"
#include "declared/declared.h"
#include "declared/partition.h"
#include "declared/plan_reencrypt.h"
#include "disk/filesystem.h"
#include "disk/fsck.h"
#include "disk/mount.h"
#include "luks2/integrity.h"
#include "luks2/layout.h"
#include "luks2/policy.h"
#include "luks2/reencrypt.h"
#include "volume/integrity.h"

#define HEADER	  (16u << 20) /* bytes; a smaller device gets a smaller header, but has no data */
#define MIB	  (UINT64_C(1) << 20)
#define SECTOR	  512u
#define SIZE_ROOM 40u

/* "16 MiB", or bytes where these are not exact. */
static const char *describe_size(uint64_t size, char text[static SIZE_ROOM])
{
	static const char *const units[] = { "bytes", "KiB", "MiB" };
	unsigned unit = 0;

	for (; unit < 2 && size && size % 1024 == 0; size /= 1024)
		unit++;
	snprintf(text, SIZE_ROOM, "%" PRIu64 " %s", size, units[unit]);
	return text;
}

/* "xfs file system", "swap area", "data" */
static const char *describe_contents(const struct config_volume *volume,
				     char text[static SIZE_ROOM])
{
	const char *type = config_filesystem_name(volume->filesystem);

	if (volume->filesystem == CONFIG_FS_NONE)
		snprintf(text, SIZE_ROOM, "data");
	else
		snprintf(text, SIZE_ROOM, "%s %s", type,
			 volume->filesystem == CONFIG_FS_SWAP ? "area" : "file system");
	return text;
}

/* The bytes of device in all, and before the data. Tags: of integrity, or 0; per sector. */
struct room {
	uint64_t size;
	uint64_t before;
	uint64_t data;
	uint32_t tag_size;
	uint32_t sector_size;
};

/* The bytes of data on a device of this size. */
static uint64_t data_size(const struct room *room, uint64_t size)
{
	if (room->tag_size)
		return volume_integrity_size(size, room->before, room->tag_size, room->sector_size);
	return size > room->before ? size - room->before : 0;
}

/* The least size of a device with this much data: exact, but with tags in MiB. */
static uint64_t device_size(const struct room *room, uint64_t data)
{
	uint64_t size = room->before + data;

	if (!room->tag_size)
		return size;
	size = (size + MIB - 1) / MIB * MIB;
	while (data_size(room, size) < data)
		size += MIB;
	return size;
}

/* Before a format, the tags are those of the declared integrity. */
static enum mortise_code measure_tags(const struct volume_plan *plan,
				      const struct luks2_segment *segment, struct room *room,
				      struct mortise_error *err)
{
	struct luks2_integrity integrity = segment->integrity;
	enum mortise_code code = MORTISE_OK;

	if (!plan->header && plan->volume->integrity)
		code = luks2_integrity_find(plan->volume->integrity, plan->volume->cipher, 0,
					    &integrity, err);
	if (!code)
		room->tag_size = integrity.tag_size;
	return code;
}

static enum mortise_code measure_device(const struct volume_plan *plan, struct room *room,
					struct mortise_error *err)
{
	const struct mortise_format format = volume_format_of(plan->volume);
	const uint64_t header = format.keyslots_size ? HEADER + MIB : HEADER;
	struct luks2_segment segment = { .size = 0 };
	struct luks2_reencryption state;
	struct luks2_device *device = NULL;
	struct luks2_layout layout;
	const struct partition_planned *partition = plan->partition;
	enum mortise_code code;

	/* A partition that does not exist yet has the properties of its disk. */
	code = luks2_device_open(partition ? partition->disk->facts->dev_path : plan->device, false,
				 &device, err);
	*room = (struct room){ .size = 0 };
	if (code)
		return code;
	if (partition)
		device->size = partition->size;
	room->size = device->size + plan->growth;
	if (volume_in_reencryption(plan)) {
		code = luks2_reencryption_get(luks2_header_metadata(plan->header), &state, err);
		room->before = state.before.offset;
		segment.size = state.fixed_size;
	} else if (plan->header) {
		code = luks2_segment_get(luks2_header_metadata(plan->header), &segment, err);
		room->before = segment.offset;
		room->sector_size = segment.sector_size;
	} else if (plan->volume->encrypted && room->size <= header) {
		room->before = header;
		room->sector_size = plan->volume->block_size ? plan->volume->block_size : SECTOR;
	} else if (plan->volume->encrypted) {
		code = luks2_layout_choose(&format, device, device, &layout, err);
		room->before = layout.data_offset;
		room->sector_size = layout.sector_size;
	}
	if (!code)
		code = measure_tags(plan, &segment, room, err);
	room->data = segment.size ? segment.size : data_size(room, room->size);
	luks2_device_close(device);
	return code;
}

static enum mortise_code add_too_small(struct volume_plan *plan, const struct room *room,
				       uint64_t least, struct mortise_error *err)
{
	char has[SIZE_ROOM], needs[SIZE_ROOM], header[SIZE_ROOM], sum[SIZE_ROOM], what[SIZE_ROOM];

	describe_contents(plan->volume, what);
	describe_size(room->size, has);
	describe_size(least, needs);
	describe_size(room->before, header);
	describe_size(device_size(room, least), sum);
	if (!room->before)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "%s is too small: it has %s, and the %s needs at least %s; "
				       "enlarge it",
				       plan->device, has, what, needs);
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
			       "%s is too small: it has %s, the LUKS2 header needs %s, and the %s "
			       "at least %s%s; enlarge it to at least %s",
			       plan->device, has, header, what, needs,
			       room->tag_size ? " and room for integrity tags" : "", sum);
}

static enum mortise_code check_room(struct volume_plan *plan, struct mortise_error *err)
{
	const enum config_filesystem filesystem = plan->volume->filesystem;
	uint64_t least = plan->volume->block_size ? plan->volume->block_size : SECTOR;
	struct mortise_error why;
	struct room room;

	if (filesystem != CONFIG_FS_NONE)
		least = disk_filesystem_least(config_filesystem_name(filesystem));
	if (measure_device(plan, &room, &why))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why.text);
	return room.data < least ? add_too_small(plan, &room, least, err) : MORTISE_OK;
}

/* Is a volume that is mounted above this one still to be mounted by this run? */
static bool outer_may_come(const struct volume_run *run, const struct config_volume *volume)
{
	for (size_t i = 0; i < run->config->volume_count; i++) {
		const struct config_volume *outer = &run->config->volumes[i];
		char path[VOLUME_PATH_MAX];

		if (!volume_is_above(outer, volume) || !volume_is_wanted(outer, run->options))
			continue;
		volume_mount_path(run, outer, path);
		if (!disk_is_mount_point(run->options->root, path))
			return true;
	}
	return false;
}

static enum mortise_code check_mount(const struct volume_run *run, struct volume_plan *plan,
				     struct mortise_error *err)
{
	const char *type = config_filesystem_name(plan->volume->filesystem);
	const char *root = run->options->root ? run->options->root : "";
	const bool force = plan->volume->fsck == CONFIG_FSCK_FORCE;
	const char *program = force ? disk_fsck_program(type, true) : NULL;
	struct mortise_error why;

	if (!*plan->mount_point || !config_filesystem_is_persistent(plan->volume->filesystem))
		return MORTISE_OK;
	if (program && !spawn_finds(program))
		return VOLUME_PLAN_ADD(
			plan, err, MORTISE_STEP_FAIL, -1,
			"cannot check the file system on %s, as fsck: force demands: "
			"%s is not installed",
			plan->device, program);
	if (strlen(root) + strlen(plan->volume->mount_point) >= sizeof(plan->mount_point))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "cannot mount %s: with --root, the path of the mount point "
				       "is longer than %zu bytes",
				       plan->device, sizeof(plan->mount_point) - 1);
	if (disk_filesystem_check_kernel(type, &why) ||
	    (!outer_may_come(run, plan->volume) &&
	     disk_mount_point_check(run->options->root, plan->mount_point, &why)))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
				       "cannot mount %s%s at %s: %.300s",
				       plan->volume->encrypted ? "/dev/mapper/" : "",
				       plan->volume->encrypted ? plan->mapping : plan->device,
				       plan->mount_point, why.text);
	return MORTISE_OK;
}

enum mortise_code volume_plan_check_place(const struct volume_run *run, struct volume_plan *plan,
					  bool create, struct mortise_error *err)
{
	const char *type = config_filesystem_name(plan->volume->filesystem);
	struct mortise_error why;
	char what[SIZE_ROOM];
	enum mortise_code code = MORTISE_OK;

	if (create && plan->volume->filesystem != CONFIG_FS_NONE &&
	    disk_filesystem_check_mkfs(type, &why))
		return VOLUME_PLAN_ADD(
			plan, err, MORTISE_STEP_FAIL, -1, "cannot create the %s on %s: %s",
			describe_contents(plan->volume, what), plan->device, why.text);
	if (create)
		code = check_room(plan, err);
	return code || plan->failed ? code : check_mount(run, plan, err);
}

/* A swap area is created at each boot: the old contents are useless to a new boot. */
static enum mortise_code add_swap_steps(struct volume_plan *plan, const char *device,
					struct mortise_error *err)
{
	enum mortise_code code;

	code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_MKFS, -1, "create a swap area on %s",
			       device);
	return code ? code
		    : VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_MOUNT, -1, "enable swap on %s",
				      device);
}

enum mortise_code volume_plan_filesystem(const struct volume_run *run, struct volume_plan *plan,
					 const char *device, bool create, struct mortise_error *err)
{
	const bool swap = plan->volume->filesystem == CONFIG_FS_SWAP;
	const bool checks = plan->volume->fsck == CONFIG_FSCK_FORCE && !create;
	enum mortise_code code;

	if (plan->volume->filesystem == CONFIG_FS_NONE || plan->mounted ||
	    (swap && run->options->no_mount))
		return MORTISE_OK;
	code = volume_plan_check_place(run, plan, create || swap, err);
	if (code || plan->failed)
		return code;
	if (swap)
		return add_swap_steps(plan, device, err);
	if (create)
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_MKFS, -1,
				       "create an %s file system on %s",
				       config_filesystem_name(plan->volume->filesystem), device);
	if (!code && *plan->mount_point)
		code = VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_MOUNT, -1, "%smount %s at %s",
				       checks ? "check and " : "", device, plan->mount_point);
	return code;
}
