/* SPDX-License-Identifier: MIT */
/* Which volumes lack a partition, on which disks they may be created, and the steps. */
#include "declared/plan_partition.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "declared/declared.h"
#include "declared/locate.h"
#include "declared/select_disk.h"
#include "disk/partition.h"

#define MIB (UINT64_C(1) << 20)

void partition_layout_free(struct partition_layout *layout)
{
	if (!layout)
		return;
	for (size_t i = 0; i < layout->disk_count; i++)
		gpt_free(&layout->disks[i].gpt);
	free(layout->disks);
	free(layout->partitions);
	disk_list_clear(&layout->list);
	free(layout);
}

/* Does no partition have the label, on any disk? */
static bool is_unlabeled(const char *label)
{
	struct disk_labeled found;
	struct mortise_error ignored;

	return !disk_list_labeled(label, &found, &ignored) && !found.count;
}

static bool lacks_partition(const struct config_volume *volume,
			    const struct mortise_up_options *options)
{
	return volume_has_place(volume) && !volume_given_device(volume, options) &&
	       is_unlabeled(volume->id);
}

/* META describes the keys of STATE. Talos has it on every machine. */
static bool lacks_meta(const struct config_volume *state, const struct mortise_up_options *options)
{
	return !volume_device_named(options->devices, options->device_count, META_LABEL) &&
	       is_unlabeled(META_LABEL) && (state->encrypted || lacks_partition(state, options));
}

/* Lists the partitions that are missing, without places. */
static enum mortise_code list_missing(const struct mortise_plan *plan,
				      const struct mortise_up_options *options,
				      struct partition_layout *layout, struct mortise_error *err)
{
	layout->partitions = calloc(plan->count + 1, sizeof(*layout->partitions));
	if (!layout->partitions)
		return error_memory(err);
	for (size_t i = 0; i < plan->count; i++) {
		const struct config_volume *volume = plan->volumes[i]->volume;

		if (volume_is_state(volume) && lacks_meta(volume, options))
			layout->partitions[layout->count++].volume = NULL;
		if (lacks_partition(volume, options))
			layout->partitions[layout->count++].volume = volume;
	}
	return MORTISE_OK;
}

static enum mortise_code examine_disks(const struct volume_run *run,
				       struct partition_layout *layout, const struct disk *system,
				       struct mortise_error *err)
{
	enum mortise_code code = MORTISE_OK;

	layout->disks = calloc(layout->list.count + 1, sizeof(*layout->disks));
	if (!layout->disks)
		return error_memory(err);
	for (size_t i = 0; !code && i < layout->list.count; i++) {
		struct disk_candidate *candidate = &layout->disks[layout->disk_count++];

		code = disk_examine(&layout->list.disk[i]->facts, &run->events, candidate, err);
		if (layout->list.disk[i] == system)
			layout->system = candidate;
	}
	disk_refuse_copies(layout->disks, layout->disk_count);
	return code;
}

enum mortise_code partition_layout_make(const struct volume_run *run, struct mortise_plan *plan,
					struct mortise_error *err)
{
	struct partition_layout *layout;
	const struct disk *system;
	enum mortise_code code;

	if (!run->options->provision || run->open_only)
		return MORTISE_OK;
	layout = calloc(1, sizeof(*layout));
	if (!layout)
		return error_memory(err);
	code = list_missing(plan, run->options, layout, err);
	if (code || (!layout->count && !run->options->system_disk))
		goto out;
	code = disk_list_read("", &layout->list, err);
	if (!code)
		code = partition_find_system(run, layout, &system, err);
	if (code || !layout->count)
		goto out;
	if (!code)
		code = examine_disks(run, layout, system, err);
	if (!code)
		code = partition_layout_choose(layout, err);
	if (code)
		goto out;
	plan->layout = layout;
	return MORTISE_OK;
out:
	partition_layout_free(layout);
	return code;
}

enum mortise_code volume_plan_locate(const struct volume_run *run,
				     const struct config_volume *volume, char *path, size_t room,
				     struct mortise_error *err)
{
	if (run->layout && volume->disk_selector && !volume_given_device(volume, run->options))
		return volume_select_disk(&run->layout->list, volume, path, room, err);
	return volume_locate(volume, run->options, path, room, err);
}

void partition_show(struct partition_planned *partition, struct mortise_step *step)
{
	partition->shown = (struct mortise_partition){
		.disk = partition->disk->facts->dev_path,
		.number = partition->place.number,
		.start = partition->start,
		.size = partition->size,
		.label = partition->rule.label,
		.type = partition->type,
	};
	step->partition = &partition->shown;
	step->device = partition->device;
}

static enum mortise_code add_step(struct volume_plan *plan, struct partition_planned *partition,
				  struct mortise_error *err)
{
	struct volume_step *step = volume_plan_add(
		plan, MORTISE_STEP_PARTITION, -1,
		"create partition %u of %s, labeled %s: %" PRIu64 " MiB at %" PRIu64 " MiB%s",
		partition->place.number, partition->disk->facts->dev_path, partition->rule.label,
		partition->size / MIB, partition->start / MIB,
		partition->disk->blank && partition->place.number == 1
			? ", in a new partition table"
			: "");

	if (!step)
		return error_memory(err);
	step->partition = partition;
	return MORTISE_OK;
}

/* Adds the step, or the reason why it is missing. */
static enum mortise_code add_creation(struct volume_plan *plan, struct partition_planned *partition,
				      struct mortise_error *err)
{
	if (partition->disk)
		return add_step(plan, partition, err);
	return VOLUME_PLAN_ADD(
		plan, err, partition->refused ? MORTISE_STEP_REFUSE : MORTISE_STEP_FAIL, -1,
		"cannot create the partition %s: %s", partition->rule.label, partition->why);
}

enum mortise_code partition_plan_meta(const struct volume_run *run, struct volume_plan *plan,
				      struct mortise_error *err)
{
	struct partition_planned *meta = partition_find(run->layout, NULL);

	/* If the system disk is unknown, another message says so. */
	if (!meta || meta->created || !volume_is_state(plan->volume) ||
	    !(meta->disk || meta->refused))
		return MORTISE_OK;
	meta->wanted = true;
	return add_creation(plan, meta, err);
}

bool partition_plans_meta(const struct mortise_plan *plan)
{
	const struct partition_planned *meta = partition_find(plan->layout, NULL);

	return meta && meta->disk;
}

/*
 * A known volume may be on a disk that is late, or was taken out: a second one would be used in its
 * place from then on. False: why is in text.
 */
static bool check_known(struct volume_run *run, struct volume_plan *plan, char *text, size_t room)
{
	const struct config_volume *volume = plan->volume;
	struct known_volume known;
	const bool found = run->known.state == KNOWN_LISTED && !volume_is_state(volume) &&
			   known_find(&run->known.list, volume->id, &known) &&
			   known.status != KNOWN_EXPECTED;

	if (found && run->options->recreate && !plan->was_unlisted) {
		snprintf(plan->replaces, sizeof(plan->replaces),
			 "; it replaces the known volume %s (UUID %s)", known.id,
			 *known.uuid ? known.uuid : "unknown");
		return true;
	}
	if (run->known.state == KNOWN_LISTED && run->known.why.code) {
		snprintf(text, room, "%.200s; run the command again", run->known.why.text);
		return false;
	}
	if (found)
		snprintf(
			text, room,
			"%s was on this machine (PARTUUID %s) and is missing: connect its disk, or "
			"give up its data with `mortise apply --recreate`%s",
			known.id, *known.partuuid ? known.partuuid : "unknown",
			run->options->recreate ? "; STATE was not mounted when the plan was made: "
						 "run the command again"
					       : "");
	return !found;
}

enum mortise_code partition_plan_missing(struct volume_run *run, struct volume_plan *plan,
					 const struct mortise_error *why, bool *created,
					 struct mortise_error *err)
{
	struct partition_planned *partition = partition_find(run->layout, plan->volume);
	char text[400];
	enum mortise_code code;

	*created = false;
	if (!partition)
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", why->text);
	plan->listed = run->known.state == KNOWN_LISTED;
	if (!check_known(run, plan, text, sizeof(text)))
		return VOLUME_PLAN_ADD(plan, err, MORTISE_STEP_FAIL, -1, "%s", text);
	code = partition_plan_meta(run, plan, err);
	if (!code && !plan->failed)
		code = add_creation(plan, partition, err);
	if (code || plan->failed)
		return code;
	plan->partition = partition;
	snprintf(plan->device, sizeof(plan->device), "%s", partition->device);
	*created = true;
	return MORTISE_OK;
}

void partition_add_planned(const struct partition_layout *layout, const char *disk, struct gpt *gpt)
{
	struct mortise_error ignored;

	for (size_t i = 0; layout && i < layout->count; i++) {
		const struct partition_planned *partition = &layout->partitions[i];

		/* The table has it already, if it was created. */
		if (partition->disk && !strcmp(partition->disk->facts->dev_path, disk) &&
		    gpt_place(gpt, &partition->place, &ignored))
			continue;
	}
}
