/* SPDX-License-Identifier: MIT */
#include "declared/plan_grow.h"

#include <fcntl.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/error.h"
#include "base/rooted.h"
#include "declared/plan_partition.h"
#include "disk/grow.h"
#include "disk/partition_kernel.h"
#include "disk/place.h"
#include "disk/table.h"

/* Less is not worth a write of the table, and may be a remainder of alignment. */
#define GROWTH_MIN (UINT64_C(1) << 20)

uint64_t volume_grown_size(const struct config_size *max, uint64_t size, uint64_t room)
{
	const uint64_t all = room > UINT64_MAX - size ? UINT64_MAX : size + room;
	uint64_t limit = all;

	if (max->given && max->percent) {
		/* As in Talos, a percentage is truncated. */
		const uint64_t part = all / 100 * max->value + all % 100 * max->value / 100;

		limit = max->negative ? all - part : part;
	} else if (max->given && max->negative) {
		limit = max->value < all ? all - max->value : 0;
	} else if (max->given) {
		limit = max->value;
	}
	if (limit > all)
		limit = all;
	return limit > size ? limit : size;
}

bool volume_filesystem_grows(const struct volume_run *run, const struct config_volume *volume)
{
	return !volume->integrity &&
	       (run->options->grow || volume->disk_selector || volume->provisioning.grow);
}

/* Bytes by which the partition grows; 0: not at all. */
static uint64_t compute_growth(const struct config_volume *volume, const struct disk_table *table)
{
	const struct gpt *gpt = table->gpt;
	const struct gpt_partition *partition = &table->partition;
	const uint64_t unit = gpt->alignment * gpt->sector;
	const uint64_t size = gpt_size(gpt, partition);
	const uint64_t end = (partition->last + 1) * gpt->sector;
	const uint64_t wanted = volume_grown_size(&volume->provisioning.max, size,
						  gpt_room(gpt, partition->number));
	/* The new end is aligned, too. */
	const uint64_t new_end = (end - size + wanted) / unit * unit;

	return new_end > end && new_end - end > GROWTH_MIN ? new_end - end : 0;
}

static enum mortise_code add_growth(struct volume_plan *plan, uint64_t size, uint64_t growth,
				    struct mortise_error *err)
{
	struct volume_step *step;

	step = volume_plan_add(plan, MORTISE_STEP_GROW, -1,
			       "grow partition %s from %" PRIu64 " to %" PRIu64 " bytes",
			       plan->device, size, size + growth);
	if (!step)
		return error_memory(err);
	step->size = size + growth;
	plan->growth = growth;
	return MORTISE_OK;
}

enum mortise_code volume_plan_grow(struct volume_run *run, struct volume_plan *plan,
				   struct mortise_error *err)
{
	const struct config_volume *volume = plan->volume;
	struct mortise_error why;
	struct disk_table table;
	uint64_t growth, size;
	bool found;

	/* Only an operator that names the volume expects it to grow. */
	if (volume->integrity && plan->header)
		return run->options->grow && run->options->name_count
			       ? VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1,
						 "cannot grow %s: new sectors would have no "
						 "integrity tags; back up the data and reset the "
						 "volume",
						 plan->device)
			       : MORTISE_OK;
	if (run->open_only || volume->disk_selector || plan->partition ||
	    !(volume->provisioning.grow || run->options->grow))
		return MORTISE_OK;
	/* An open volume grows only at an operator's command. */
	if ((plan->active || plan->mounted) && !run->options->grow)
		return MORTISE_OK;
	if (disk_table_open(plan->device, false, &run->events, &table, &found, &why)) {
		disk_table_close(&table);
		volume_run_notify(run, volume->name, why.text);
		return MORTISE_OK;
	}
	if (!found)
		return MORTISE_OK;
	/* Only the rest of the free space is left for growth. */
	partition_add_planned(run->layout, table.disk->path, table.gpt);
	growth = compute_growth(volume, &table);
	size = gpt_size(table.gpt, &table.partition);
	disk_table_close(&table);
	return growth ? add_growth(plan, size, growth, err) : MORTISE_OK;
}

enum mortise_code volume_plan_grow_by(struct volume_run *run, struct volume_plan *plan,
				      uint64_t bytes, struct mortise_error *err)
{
	struct mortise_error ignored;
	struct disk_table table;
	uint64_t unit, end, size = 0, growth = 0;
	bool found;

	if (plan->volume->disk_selector || plan->partition)
		return MORTISE_OK;
	if (!disk_table_open(plan->device, false, &run->events, &table, &found, &ignored) &&
	    found) {
		partition_add_planned(run->layout, table.disk->path, table.gpt);
		unit = table.gpt->alignment * table.gpt->sector;
		size = gpt_size(table.gpt, &table.partition);
		end = (table.partition.last + 1) * table.gpt->sector;
		growth = (end + bytes + unit - 1) / unit * unit - end;
		if (growth > gpt_room(table.gpt, table.partition.number))
			growth = 0;
	}
	disk_table_close(&table);
	return growth ? add_growth(plan, size, growth, err) : MORTISE_OK;
}

enum mortise_code volume_do_grow(struct volume_work *work, const struct volume_step *step,
				 struct mortise_error *err)
{
	struct disk_table table;
	bool found;
	uint64_t size;
	enum mortise_code code;

	code = disk_table_open(work->plan->device, true, &work->run->events, &table, &found, err);
	if (code)
		goto out;
	if (!found)
		return error_set(err, MORTISE_E_CHANGED, 0, "%s is not a partition any more",
				 work->plan->device);
	size = gpt_size(table.gpt, &table.partition);
	if (step->size <= size || step->size - size > gpt_room(table.gpt, table.partition.number)) {
		code = error_set(err, MORTISE_E_CHANGED, 0,
				 "the partition table of %s has changed since the plan was made; "
				 "run the command again",
				 table.disk->path);
		goto out;
	}
	gpt_grow(table.gpt, table.partition.number, step->size - size);
	(void)gpt_partition(table.gpt, table.partition.number - 1, &table.partition);
	code = gpt_write(table.gpt, table.disk, err);
	if (!code)
		code = disk_kernel_resize(table.disk, table.gpt, &table.partition, err);
out:
	disk_table_close(&table);
	return code;
}

static enum mortise_code grow_filesystem(struct volume_work *work, const char *device,
					 struct mortise_error *err)
{
	const struct volume_plan *plan = work->plan;
	const char *type = config_filesystem_name(plan->volume->filesystem);
	char text[VOLUME_NOTICE_MAX];
	struct disk_place place;
	struct mortise_error why;
	enum mortise_code code;
	bool grown;
	int fd;

	if (!*plan->mount_point || !disk_can_grow(type))
		return MORTISE_OK;
	disk_place_read(device, &place);
	if (rooted_open(work->run->options->root, plan->mount_point, O_RDONLY, &fd, &why))
		return error_set(err, MORTISE_E_SYSTEM, why.sys_errno,
				 "cannot grow the file system at %s: %.300s", plan->mount_point,
				 why.text);
	code = disk_grow_filesystem(fd, type, plan->mount_point, place.size, &grown, err);
	close(fd);
	if (code || !grown)
		return code;
	snprintf(text, sizeof(text), "the file system has grown: its device has %" PRIu64 " bytes",
		 place.size);
	volume_opening_add(&work->result->opening.notices, text);
	return MORTISE_OK;
}

void volume_grow_mounted(struct volume_work *work, const char *device)
{
	struct mortise_error why;

	if (grow_filesystem(work, device, &why))
		volume_opening_add(&work->result->opening.failed_syncs, why.text);
}

enum mortise_code volume_plan_grow_open(const struct volume_run *run, struct volume_plan *plan,
					struct mortise_error *err)
{
	if (!run->options->grow || (!plan->active && !plan->mounted) || plan->volume->integrity)
		return MORTISE_OK;
	if (plan->volume->filesystem == CONFIG_FS_SWAP)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_KEY_FAIL, -1,
				       "swap that is in use does not grow: the next boot makes it "
				       "as large as its device");
	return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_GROW_FS, -1, "grow %s to the end of %s",
			       plan->active ? plan->mapping : plan->mount_point, plan->device);
}

enum mortise_code volume_do_grow_open(struct volume_work *work, struct mortise_error *err)
{
	const struct volume_plan *plan = work->plan;
	char node[MORTISE_NAME_MAX + 16];
	enum mortise_code code = MORTISE_OK;

	snprintf(node, sizeof(node), "/dev/mapper/%s", plan->mapping);
	if (plan->active)
		code = mortise_resize(plan->header, plan->mapping, volume_plan_key(plan), 0, err);
	if (code)
		return code;
	return grow_filesystem(work, plan->active ? node : plan->device, err);
}
